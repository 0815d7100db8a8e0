package stackauth_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeFile writes a file of the test and returns its name.
func writeFile(t testing.TB, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTheCasesThatHelpShowsPass(t *testing.T) {
	help := run(t, "", "test", "--help").stdout
	_, rest, _ := strings.Cut(help, "A file is YAML or JSON:\n\n")
	shown, _, found := strings.Cut(rest, "\n\nusers\n")
	if !found {
		t.Fatalf("no file of cases in\n%s", help)
	}
	file := writeFile(t, "shown.yaml", shown)
	out := run(t, "", "test", "-v", "--config", "testdata/commands/policy.Caddyfile", file)
	if out.code() != 0 || strings.Count(out.stdout, "--- PASS: ") != 9 {
		t.Errorf("got %s", out.all())
	}
}

// Whoever turns a deny into an allow must see the test fail, and the other way
// round: a test that passes either way says nothing.
func TestEveryExpectationCanFail(t *testing.T) {
	opposite := map[string]string{"allow": "deny", "deny": "allow"}
	for _, c := range []struct{ user, method, path, expect string }{
		{"anna", "GET", "/v1/models", "allow"},
		{"anna", "DELETE", "/v1/models", "deny"},
		{"anonymous", "GET", "/v1/models", "deny"},
		{"anonymous", "GET", "/v1/health", "allow"},
		{"anna", "GET", "/elsewhere", "deny"},
		{"anna", "GET", "/v1//models", "deny"},
		{"anna", "GET", "/lab/1", "allow"}, // in shadow
	} {
		for _, expect := range []string{c.expect, opposite[c.expect]} {
			file := writeFile(t, "cases.yaml", "users: {anna: {}}\ncases:\n- {user: "+c.user+", method: "+c.method+", path: "+c.path+", expect: "+expect+"}\n")
			out := run(t, "", "test", "--config", "testdata/commands/policy.Caddyfile", file)
			if want := map[bool]int{true: 0, false: 1}[expect == c.expect]; out.code() != want {
				t.Errorf("%v expecting %s: got %s, want exit %d", c, expect, out.all(), want)
			}
		}
	}
}

// A file whose configuration is not what it was must not pass as one that was
// not asked.
func TestFilesAndConfigurationsThatAreBrokenAreNoSuccess(t *testing.T) {
	const cases = "users: {anna: {}}\ncases:\n- {user: anna, path: /v1, status: 403}\n"
	for _, c := range []struct{ name, config, cases, want string }{
		{"no cases", "http://:8080 {\nstack_auth {\nprovider api_key {\nfile /k\n}\n}\n}", "users: {anna: {}}\n", "no cases"},
		{"a configuration that cannot be read", "http://:8080 {\nstack_auth {\nnosuch\n}\n}", cases, "nosuch"},
		{"a configuration without stack_auth", "http://:8080 {\nrespond ok\n}", cases, "no stack_auth block"},
		{"a configuration that does not load", "http://:8080 {\nstack_auth {\nrequire roles a\npublic /x\nrealm x\n}\n}", cases, "public needs a provider"},
		{"a provider that is not there", `{"apps":{"http":{"servers":{"a":{"listen":[":1"],"routes":[{"handle":[{"handler":"stack_auth","providers":[{"type":"nosuch"}]}]}]}}}}}`, cases, "nosuch"},
		{"an unknown option of a provider", `{"apps":{"http":{"servers":{"a":{"listen":[":1"],"routes":[{"handle":[{"handler":"stack_auth","providers":[{"type":"api_key","nosuch":1}]}]}]}}}}}`, cases, "nosuch"},
		{"a provider without a type", `{"apps":{"http":{"servers":{"a":{"listen":[":1"],"routes":[{"handle":[{"handler":"stack_auth","providers":[{}]}]}]}}}}}`, cases, "no type"},
		{"a matcher that does not load", "http://:8080 {\nstack_auth {\nprovider api_key {\nfile /k\n}\npermit {\nmatch {\nexpression nosuch(\n}\n}\n}\n}", cases, "expression"},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := "Caddyfile"
			if strings.HasPrefix(c.config, "{\"") {
				name = "config.json"
			}
			out := run(t, "", "test", "--config", writeFile(t, name, c.config), writeFile(t, "cases.yaml", c.cases))
			if out.code() != 2 || !strings.Contains(out.stderr, c.want) || strings.Contains(out.stdout, "ok  ") {
				t.Errorf("got %s, want exit 2 with %q", out.all(), c.want)
			}
		})
	}
}

// What a program reads in each line is one event, and the last of a file says
// how it ended.
func TestEventsAreOneObjectInALine(t *testing.T) {
	out := run(t, "", "test", "--json", "testdata/commands/policy-test.yaml", "testdata/commands/wrong-test.yaml")
	ended := make(map[string]string)
	ran, passed, failed := 0, 0, 0
	for line := range strings.Lines(out.stdout) {
		var e struct {
			Action, File, Test, Output string
			Elapsed                    float64
			Line                       int
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		switch {
		case e.Action == "run":
			ran++
		case e.Test == "":
			ended[e.File] = e.Action
		case e.Action == "pass":
			passed++
		case e.Action == "fail":
			failed++
		case e.Action != "output" || e.Output == "":
			t.Errorf("unexpected %s", line)
		}
	}
	if ran != 33 || passed != 29 || failed != 4 || out.code() != 1 {
		t.Errorf("ran %d, passed %d, failed %d, exit %d", ran, passed, failed, out.code())
	}
	if ended["testdata/commands/policy-test.yaml"] != "pass" || ended["testdata/commands/wrong-test.yaml"] != "fail" {
		t.Errorf("files ended as %v", ended)
	}
}
