package webhook

import (
	"fmt"
	"runtime"
)

// PanicText says what a recovered panic was: the text of an error of the
// runtime, and of any other value only its type, as it may hold what must not be logged.
func PanicText(value any) string {
	if err, ok := value.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", value)
}
