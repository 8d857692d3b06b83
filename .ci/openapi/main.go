// Command openapi reads an OpenAPI 3.1 document on stdin and fails unless it is
// valid: against the specification's own schema, every reference resolved. It
// is a module of its own, so that the product does not require what it needs.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
)

func main() {
	found, err := problems(os.Stdin)
	if err != nil {
		found = append(found, err.Error())
	}
	for _, problem := range found {
		fmt.Fprintln(os.Stderr, problem)
	}
	if len(found) > 0 {
		os.Exit(1)
	}
	fmt.Println("valid")
}

func problems(in io.Reader) (found []string, err error) {
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, err
	}
	if version := document.GetVersion(); len(version) < 3 || version[:3] != "3.1" {
		return nil, fmt.Errorf("the document is of version %q, not 3.1", version)
	}
	if _, err := document.BuildV3Model(); err != nil {
		return nil, err
	}
	check, errs := validator.NewValidator(document)
	for _, e := range errs {
		found = append(found, e.Error())
	}
	if len(found) > 0 {
		return found, nil
	}
	_, broken := check.ValidateDocument()
	for _, b := range broken {
		found = append(found, b.Error())
		for _, s := range b.SchemaValidationErrors {
			found = append(found, fmt.Sprintf("  %s: %s", s.KeywordLocation, s.Reason))
		}
	}
	return found, nil
}
