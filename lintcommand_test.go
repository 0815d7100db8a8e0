package stackauth_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/policylint"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

var writeLint = flag.Bool("write-lint", false, "write testdata/lint anew")

// exitCode is that of Caddy for an error of a command: of its own type, or 1.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if v := reflect.Indirect(reflect.ValueOf(err)); v.Kind() == reflect.Struct {
		if code := v.FieldByName("ExitCode"); code.IsValid() {
			return int(code.Int())
		}
	}
	return 1
}

func TestWhatIsFoundReadsAsItIsWrittenHere(t *testing.T) {
	files, err := filepath.Glob("testdata/lint/*.Caddyfile")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			out := run(t, "", "lint", "--config", file)
			golden := strings.TrimSuffix(file, ".Caddyfile") + ".txt"
			if *writeLint {
				if err := os.WriteFile(golden, []byte(out.stdout), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || out.stdout != string(want) || out.stderr != "" {
				t.Errorf("%v, %v: got\n%s%s\nwant\n%s", err, out.err, out.stdout, out.stderr, want)
			}
			code := 1
			if strings.HasPrefix(string(want), "no findings") {
				code = 0
			}
			if got := exitCode(out.err); got != code {
				t.Errorf("exit code %d, want %d", got, code)
			}
			for line := range strings.Lines(out.stdout) {
				if strings.HasPrefix(line, " ") && len(strings.TrimSpace(line)) > 96 && strings.Contains(strings.TrimSpace(line), " ") {
					t.Errorf("a line of %d: %s", len(line), line)
				}
			}
		})
	}
}

func TestJSONOfLintSaysTheSame(t *testing.T) {
	out := run(t, "", "lint", "--json", "-c", "testdata/lint/findings.Caddyfile")
	var findings []map[string]any
	if err := json.Unmarshal([]byte(out.stdout), &findings); err != nil || exitCode(out.err) != 1 || len(findings) < 5 {
		t.Fatalf("%v, %v: %s", err, out.err, out.stdout)
	}
	text := strings.Join(strings.Fields(run(t, "", "lint", "-c", "testdata/lint/findings.Caddyfile").stdout), " ")
	for _, f := range findings {
		for _, member := range []string{"place", "list", "code", "severity", "message", "advice"} {
			if s, ok := f[member].(string); !ok || s == "" {
				t.Errorf("%s is %v in %v", member, f[member], f)
			}
		}
		if number, ok := f["block"].(float64); !ok || number < 1 || number > 2 {
			t.Errorf("block is %v", f["block"])
		}
		if message := strings.Join(strings.Fields(f["message"].(string)), " "); !strings.Contains(text, message) {
			t.Errorf("%s is not in\n%s", message, text)
		}
	}
	if out := run(t, "", "lint", "--json", "-c", "testdata/lint/clean.Caddyfile"); out.err != nil || out.stdout != "[]\n" {
		t.Errorf("%v: %s", out.err, out.stdout)
	}
}

func TestNotesCountWithStrictOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(site("")), 0o600); err != nil {
		t.Fatal(err)
	}
	for code, args := range map[int][]string{0: nil, 1: {"--strict"}} {
		out := run(t, "", append([]string{"lint", "--config", file}, args...)...)
		if got := exitCode(out.err); got != code || !strings.HasSuffix(out.stdout, "\n1 finding: 1 note\n") || out.stderr != "" {
			t.Errorf("%q: exit code %d: %s%s", args, got, out.stdout, out.stderr)
		}
	}
}

func TestWhatCannotBeLookedAtIsNoFinding(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	handler := func(members string) string {
		return `{"apps":{"http":{"servers":{"s":{"listen":[":1"],"routes":[{"handle":[{"handler":"stack_auth",` + members + `}]}]}}}}}`
	}
	for name, args := range map[string][]string{
		"no such file":             {"--config", filepath.Join(folder, "none")},
		"no such flag":             {"--bogus"},
		"an argument":              {"Caddyfile"},
		"an adapter without":       {"--adapter", "caddyfile"},
		"a mistake":                {"--config", write("a.Caddyfile", site("permit v1"))},
		"no stack_auth":            {"--config", write("b.Caddyfile", ":8080\nrespond ok\n")},
		"no JSON":                  {"--config", write("c.json", "{")},
		"an unknown member":        {"--config", write("d.json", handler(`"bogus":1`))},
		"a bad rule":               {"--config", write("e.json", handler(`"rules":[{"effect":"permit","paths":["v1"]}]`))},
		"a bad access policy":      {"--config", write("f.json", handler(`"access_policy":[{"effect":"permit"}]`))},
		"what needs a provider":    {"--config", write("g.json", handler(`"realm":"x"`))},
		"a provider that is none":  {"--config", write("h.json", handler(`"providers":[1]`))},
		"a provider's bad mapping": {"--config", write("i.json", handler(`"providers":[{"type":"api_key","keys":1}]`))},
	} {
		out := run(t, "", append([]string{"lint"}, args...)...)
		if exitCode(out.err) != 2 || out.stdout != "" {
			t.Errorf("%s: exit code %d, %v\n%s", name, exitCode(out.err), out.err, out.stdout)
		}
	}
	for name, providers := range map[string]string{
		"headers": `{"type":"upstream_header","attribute_headers":1}`, "placeholders": `{"type":"placeholders","attributes":1}`,
	} {
		out := run(t, "", "lint", "--config", write(name+".json", handler(`"providers":[`+providers+`]`)))
		if exitCode(out.err) != 2 || out.stdout != "" {
			t.Errorf("%s: %v\n%s", name, out.err, out.stdout)
		}
	}
}

func TestTheExamplesHaveNoErrorsAndNoWarnings(t *testing.T) {
	files, _ := filepath.Glob("examples/*.Caddyfile")
	if len(files) < 10 {
		t.Fatalf("%d examples", len(files))
	}
	for _, file := range append(files, "examples/Caddyfile") {
		if out := run(t, "", "lint", "--config", file); out.err != nil {
			t.Errorf("%s: %v\n%s", file, out.err, out.stdout)
		}
	}
}

// What lint believes that a provider gives is held against one that is given
// every claim.
func TestProvidersGiveTheAttributesThatLintBelievesIn(t *testing.T) {
	claims := make(map[string]any)
	for _, name := range []string{
		"sub", "username", "login", "principal", "roles", "groups", "team", "project", "tenant", "namespace", "organizations", "teams",
		"scope", "email", "preferred_username", "organization_ids", "projects", "namespaces",
	} {
		claims[name] = "x"
	}
	for kind, options := range map[string]string{
		"oauth2_token": `"issuer":"https://id.example.com","audience":["x"]`,
		"kubernetes":   `"api_server_url":"http://127.0.0.1:1","service_accounts":["any"]`,
		"github_token": `"organizations":["acme"]`,
	} {
		for _, compat := range []bool{false, true} {
			ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
			defer cancel()
			if compat {
				ctx = providers.WithCompatOGX(ctx)
			}
			m, err := ctx.LoadModuleByID("http.stack_auth.providers."+kind, json.RawMessage("{"+options+"}"))
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			user, err := m.(providers.Provider).Options().Identify(claims)
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			for attribute := range user.Attributes.All() {
				if believed(t, kind, options, compat, attribute.Name) {
					continue
				}
				t.Errorf("%s, compat %t: lint does not know of %s", kind, compat, attribute.Name)
			}
			for _, name := range []string{"roles", "teams", "projects", "namespaces", "scope", "sub"} {
				if user.Attributes.Values(name) == nil && believed(t, kind, options, compat, name) {
					t.Errorf("%s, compat %t: lint believes in %s", kind, compat, name)
				}
			}
		}
	}
}

// believed reports whether lint takes it that the provider gives the attribute.
func believed(t testing.TB, kind, options string, compat bool, attribute string) bool {
	t.Helper()
	config := map[string]any{
		"handler": "stack_auth", "providers": []any{json.RawMessage(`{"type":"` + kind + `",` + options + `}`)},
		"require": []abac.Requirement{{Attribute: attribute, Values: []string{"x"}}},
	}
	if compat {
		config["compat"] = "ogx"
	}
	raw, err := json.Marshal(map[string]any{"apps": map[string]any{"http": map[string]any{"servers": map[string]any{
		"s": map[string]any{"listen": []string{":1"}, "routes": []any{map[string]any{"handle": []any{config}}}},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "caddy.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	var findings []policylint.Finding
	out := run(t, "", "lint", "--json", "--config", file)
	if err := json.Unmarshal([]byte(out.stdout), &findings); err != nil {
		t.Fatalf("%v: %v\n%s", out.err, err, raw)
	}
	for _, f := range findings {
		if f.Code == policylint.UnknownAttribute {
			return false
		}
	}
	return true
}

func TestHelpOfLintNamesItsExitCodes(t *testing.T) {
	out := run(t, "", "lint", "--help")
	if out.err != nil || !strings.Contains(out.stdout, "Exits with 0") || !strings.Contains(out.stdout, "--strict") {
		t.Errorf("%v\n%s", out.err, out.stdout)
	}
}
