package httpapi

import (
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// docsView is the OpenAPI document as the page shows it.
type docsView struct {
	Style        template.CSS
	Title, About string
	// Problem is an example of one.
	Problem  string
	Refusals []docsRow
	Groups   []docsGroup
	// Headers and Answers are those of every webhook.
	Headers, Answers []docsRow
	Webhooks         []docsWebhook
}

// docsRow is a row of any table: a field, a parameter, a header, or a status.
type docsRow struct {
	Name, Type, Text, Example string
	// Need says whether it may be absent, when that is not what one expects.
	Need string
	// Pattern is what a text matches; empty when it is free.
	Pattern string
}

// docsGroup are the operations of one noun.
type docsGroup struct {
	Name, Title, About string
	Operations         []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, Note string
	Parameters                      []docsRow
	Body                            *docsBody
	Curl                            string
	Answers                         []docsAnswer
	// Refusals are the statuses of problems that are explained once for all;
	// Conflict is what this operation means by a 409.
	Refusals []string
	Conflict string
}

type docsBody struct {
	Kinds    string
	Optional bool
	Fields   []docsRow
	Example  string
}

type docsAnswer struct {
	// Status is the number and its text; Text says more, if there is more to say.
	Status, Text string
	Fields       []docsRow
	Example      string
}

type docsWebhook struct {
	Type, Group, Text string
	Fields            []docsRow
	Example           string
}

func viewOf(document *node) docsView {
	view := docsView{Title: document.at("info", "title").text(), About: document.at("info", "description").text()}
	for _, tag := range document.at("tags").each() {
		view.Groups = append(view.Groups, groupOf(document, tag))
	}
	for _, response := range document.at("components", "responses").all() {
		if status := response.at("content", problemType, "example", "status").text(); status != "" {
			view.Refusals = append(view.Refusals, docsRow{Name: status, Text: response.at("description").text()})
		}
	}
	slices.SortFunc(view.Refusals, func(a, b docsRow) int { return strings.Compare(a.Name, b.Name) })
	view.Problem = document.at("components", "responses", "Invalid", "content", problemType, "example").indented()
	for _, hook := range document.at("webhooks").all() {
		op := hook.at("post")
		view.Webhooks = append(view.Webhooks, webhookViewOf(hook.name, op))
		if view.Headers == nil {
			view.Headers, view.Answers = parametersOf(op), statusesOf(op)
		}
	}
	return view
}

func groupOf(document, tag *node) docsGroup {
	name := tag.at("name").text()
	group := docsGroup{Name: name, Title: titled(name), About: tag.at("description").text()}
	for _, path := range document.at("paths").all() {
		for _, method := range []string{"post", "get", "patch", "delete"} {
			op := path.at(method)
			if slices.Contains(op.at("tags").texts(), name) {
				group.Operations = append(group.Operations, operationOf(document, path.name, method, op))
			}
		}
	}
	return group
}

// titled returns "dead-letters" as "Dead letters".
func titled(name string) string {
	name = strings.ReplaceAll(name, "-", " ")
	return strings.ToUpper(name[:1]) + name[1:]
}

func operationOf(document *node, path, method string, op *node) docsOperation {
	view := docsOperation{
		ID: op.at("operationId").text(), Method: strings.ToUpper(method), Path: path,
		Summary: op.at("summary").text(), Note: op.at("description").text(),
		Parameters: needing("required", parametersOf(op)), Body: bodyOf(document, op.at("requestBody")),
	}
	view.Curl = curlOf(view)
	for _, response := range op.at("responses").all() {
		switch status, r := response.name, response.node; {
		case status[0] == '2':
			view.Answers = append(view.Answers, answerOf(document, status, r))
		case r.at("$ref") != nil:
			view.Refusals = append(view.Refusals, status)
		case status == "409":
			view.Conflict = r.at("description").text()
		}
	}
	usualFirst(view.Answers)
	return view
}

// usualFirst puts a 201 before the 200 of an operation that has both.
func usualFirst(answers []docsAnswer) {
	slices.SortFunc(answers, func(a, b docsAnswer) int { return strings.Compare(b.Status, a.Status) })
}

func bodyOf(document, body *node) *docsBody {
	if body == nil {
		return nil
	}
	var kinds []string
	for _, kind := range body.at("content").all() {
		kinds = append(kinds, kind.name)
	}
	content := body.at("content", jsonType)
	return &docsBody{
		Kinds: strings.Join(kinds, " or "), Optional: !body.at("required").isTrue(),
		Fields: needing("required", fieldsOf(document, content.at("schema"))), Example: content.at("example").indented(),
	}
}

// needing keeps what rows say of need only where it is the one that is given.
func needing(said string, rows []docsRow) []docsRow {
	for i, row := range rows {
		if row.Need != said {
			rows[i].Need = ""
		}
	}
	return rows
}

func answerOf(document *node, status string, response *node) docsAnswer {
	content := response.at("content", jsonType)
	code, _ := strconv.Atoi(status) // no number has no text
	view := docsAnswer{
		Status: status + " " + http.StatusText(code), Text: response.at("description").text(),
		Fields:  needing("may be absent", fieldsOf(document, content.at("schema"))),
		Example: content.at("example").indented(),
	}
	if view.Text == http.StatusText(code) {
		view.Text = ""
	}
	return view
}

func webhookViewOf(name string, op *node) docsWebhook {
	content := op.at("requestBody", "content", jsonType)
	schema := content.at("schema")
	return docsWebhook{
		Type: name, Group: op.at("tags").each()[0].text(), Text: op.at("summary").text(),
		Fields: needing("may be absent", fieldsOf(schema, schema)), Example: content.at("example").indented(),
	}
}

func statusesOf(op *node) []docsRow {
	var rows []docsRow
	for _, response := range op.at("responses").all() {
		name := response.name
		if name == "default" {
			name = "any other, or none"
		}
		rows = append(rows, docsRow{Name: name, Text: response.at("description").text()})
	}
	return rows
}

// curlOf returns a command that a shell understands as it stands.
func curlOf(op docsOperation) string {
	path, mark := op.Path, "?"
	for _, p := range op.Parameters {
		if placeholder := "{" + p.Name + "}"; strings.Contains(path, placeholder) {
			path = strings.ReplaceAll(path, placeholder, p.Example)
		} else if p.Need != "" { // in the query; examples are ids, which need no escaping
			path, mark = path+mark+p.Name+"="+p.Example, "&"
		}
	}
	lines := []string{"curl"}
	if op.Method != "GET" {
		lines[0] += " -X " + op.Method
	}
	lines[0] += ` "$OUTHOOK_SERVER` + path + `"`
	lines = append(lines, `  -H "Authorization: Bearer $OUTHOOK_KEY"`)
	if op.Body != nil {
		quoted := strings.ReplaceAll(op.Body.Example, "'", `'\''`)
		lines = append(lines, `  -H "Content-Type: application/json"`, "  -d '"+quoted+"'")
	}
	return strings.Join(lines, " \\\n")
}
