package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// webhooksOf are the event types that a document describes.
func webhooksOf(t *testing.T, document string) map[string]json.RawMessage {
	t.Helper()
	var d struct {
		OpenAPI  string
		Paths    map[string]json.RawMessage
		Webhooks map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.1.") || len(d.Paths["/v1/brands/{brand}/events"]) == 0 {
		t.Errorf("version %q, %d paths", d.OpenAPI, len(d.Paths))
	}
	return d.Webhooks
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	got := command(t, nil, "openapi")
	if got.code != exitDone || got.errOut != "" || !strings.HasSuffix(got.out, "}\n") || strings.HasSuffix(got.out, "\n\n") {
		t.Fatalf("exit code %d, stderr %q", got.code, got.errOut)
	}
	builtin := webhooksOf(t, got.out)
	for _, name := range []string{"message.delivered", "workflow.rcs.matched_text", "endpoint.disabled"} {
		if len(builtin[name]) == 0 {
			t.Errorf("%s is missing", name)
		}
	}
	file := filepath.Join(t.TempDir(), "outhook.yaml")
	text := "catalog: {types: [{name: order.paid, description: it was paid, schema: {type: object, required: [order]}}]}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	byFlag, byVariable := command(t, nil, "openapi", "--config", file), command(t, []string{"OUTHOOK_CONFIG=" + file}, "openapi")
	more := webhooksOf(t, byFlag.out)
	if len(more) != len(builtin)+1 || !strings.Contains(string(more["order.paid"]), `"required":["order"]`) {
		t.Errorf("%d types, of order.paid: %s", len(more), more["order.paid"])
	}
	if byVariable != byFlag {
		t.Error("OUTHOOK_CONFIG gives another document than --config")
	}
}

func TestOpenAPIUsage(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		config, line string
	}{
		"schema":      {"catalog: {types: [{name: order.paid, description: paid, schema: {type: 7}}]}", "outhook: openapi: catalog.types[0].schema: "},
		"unknown key": {"catalogue: {}", "outhook: openapi: "},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "outhook.yaml")
			if err := os.WriteFile(file, []byte(tc.config), 0o600); err != nil {
				t.Fatal(err)
			}
			got := command(t, nil, "openapi", "--config", file)
			if got.code != exitUsage || !strings.HasPrefix(got.errOut, tc.line) || strings.Count(got.errOut, "\n") != 1 || got.out != "" {
				t.Errorf("%+v", got)
			}
		})
	}
	command(t, nil, "openapi", "x").fails(t, exitUsage, `openapi: unexpected argument "x": see outhook openapi --help`)
}
