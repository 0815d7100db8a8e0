// Package docs holds the documentation, and a test that it is true.
package docs

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-stack-auth/caddy-stack-auth"
)

var update = flag.Bool("update", false, "write the JSON into the pages")

// example is a Caddyfile of a page, with the JSON of its first stack_auth
// handler where the page shows it.
var example = regexp.MustCompile("(?s)```caddyfile\n(.*?)```(?:\n\n```json\n(.*?)```)?")

func TestExamplesOfThePagesAreTrue(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../README.md") {
		t.Run(filepath.Base(page), func(t *testing.T) {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			corrected := example.ReplaceAllStringFunc(string(text), func(s string) string {
				return checkExample(t, s)
			})
			if *update && corrected != string(text) {
				if err := os.WriteFile(page, []byte(corrected), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// checkExample adapts and validates one example, with nothing else running,
// and returns it with the JSON that it adapts to.
func checkExample(t *testing.T, s string) string {
	t.Helper()
	parts := example.FindStringSubmatch(s)
	adapter := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}
	config, warnings, err := adapter.Adapt([]byte(parts[1]), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Errorf("adapting: %v\n%s", err, parts[1])
		return s
	}
	for _, w := range warnings {
		t.Errorf("adapting warns: %s\n%s", w, parts[1])
	}
	if formatted := caddyfile.Format([]byte(parts[1])); string(formatted) != parts[1] {
		t.Errorf("caddy fmt would change it to\n%s", formatted)
	}
	validate(t, config)
	if !strings.Contains(s, "```json") {
		return s
	}
	handler := indented(t, firstHandler(t, config))
	if parts[2] != handler && !*update {
		t.Errorf("the page says\n%s\nit adapts to\n%s", parts[2], handler)
	}
	return strings.Replace(s, "```json\n"+parts[2], "```json\n"+handler, 1)
}

func validate(t *testing.T, config []byte) {
	t.Helper()
	if needsCluster.Match(config) {
		return // its CA is a file that only a pod has
	}
	var parsed caddy.Config
	if err := json.Unmarshal(config, &parsed); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&parsed); err != nil {
		t.Errorf("validating: %v", err)
	}
}

var needsCluster = regexp.MustCompile(`/var/run/secrets/`)

// firstHandler returns the first stack_auth handler anywhere in the JSON.
func firstHandler(t *testing.T, config []byte) map[string]any {
	t.Helper()
	var v any
	if err := json.Unmarshal(config, &v); err != nil {
		t.Fatal(err)
	}
	if h := find(v); h != nil {
		return h
	}
	t.Fatal("no stack_auth in the configuration")
	return nil
}

func find(v any) map[string]any {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			if h := find(element); h != nil {
				return h
			}
		}
	case map[string]any:
		if v["handler"] == "stack_auth" {
			return v
		}
		for _, member := range v {
			if h := find(member); h != nil {
				return h
			}
		}
	}
	return nil
}

func indented(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
