package stackauth_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

const importable = `server:
  auth:
    provider_config: {type: custom, endpoint: "https://auth.example.com/validate"}
    route_policy:
      - permit: {paths: 'regex:^/v1/\w+$'}
        when: user with developer in roles
`

const notImportable = importable + "      - forbid: {paths: 'regex:^/v1/(?!models)'}\n"

func TestImportExitsByWhatBecomesOfTheFile(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	writeRunFile(t, good, importable)
	writeRunFile(t, bad, notImportable)
	env := filepath.Join(dir, "env")
	writeRunFile(t, env, "not a line\n")
	for _, c := range []struct {
		name, stdin string
		args        []string
		code        int
		out, err    string // what each has; empty: nothing
	}{
		{"a file", "", []string{good}, 0, "stack_auth {\n\tcompat ogx\n", ": note: "},
		{"standard input", importable, []string{"-"}, 0, "provider custom", ": note: "},
		{"something refused", "", []string{bad}, 1, "", bad + ":7: not carried over: server.auth.route_policy[1].forbid.paths: "},
		{"a part", "", []string{"--partial", bad}, 0, "# not carried over: line 7: ", bad + ":7: not carried over: "},
		{"broken YAML", "a: [", []string{"-"}, 2, "", "Error: -: reading YAML"},
		{"two documents", "a: b\n---\nc: d\n", []string{"-"}, 2, "", "more than one document"},
		{"no file", "", nil, 2, "", "expected one run file"},
		{"two files", "", []string{good, good}, 2, "", "expected one run file"},
		{"a file that is not there", "", []string{good + "x"}, 2, "", "no such file"},
		{"an unknown flag", "", []string{"--all", good}, 2, "", "unknown flag: --all"},
		{"a broken file of variables", "", []string{"--envfile", env, good}, 2, "", "line 1: expected NAME=value"},
		{"no file of variables", "", []string{"--envfile", env + "x", good}, 2, "", "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := run(t, c.stdin, append([]string{"import"}, c.args...)...)
			if out.code() != c.code {
				t.Errorf("got %d, want %d: %v", out.code(), c.code, out.err)
			}
			if !strings.Contains(out.stdout, c.out) || c.out == "" && out.stdout != "" || !strings.Contains(out.stderr, c.err) {
				t.Errorf("%s%s", out.stdout, out.stderr)
			}
		})
	}
}

func TestImportPrintsJSONForPrograms(t *testing.T) {
	type remark struct {
		Line int    `json:"line"`
		Key  string `json:"key"`
		Text string `json:"text"`
	}
	var got struct {
		Caddyfile string   `json:"caddyfile"`
		Notes     []remark `json:"notes"`
		Refusals  []remark `json:"refusals"`
	}
	out := run(t, notImportable, "import", "--json", "-")
	if err := json.Unmarshal([]byte(out.stdout), &got); err != nil || out.code() != 1 || out.stderr != "" {
		t.Fatalf("%v %d\n%s%s", err, out.code(), out.stdout, out.stderr)
	}
	if got.Caddyfile != "" || len(got.Refusals) != 1 || got.Refusals[0].Line != 7 ||
		got.Refusals[0].Key != "server.auth.route_policy[1].forbid.paths" || !strings.Contains(got.Refusals[0].Text, "look-ahead") {
		t.Errorf("%+v", got)
	}
	out = run(t, importable, "import", "--json", "-")
	if err := json.Unmarshal([]byte(out.stdout), &got); err != nil || out.code() != 0 || !strings.Contains(out.stdout, `"refusals":[]`) {
		t.Fatalf("%v %d\n%s", err, out.code(), out.stdout)
	}
	if got.Caddyfile == "" || len(got.Refusals) != 0 || len(got.Notes) == 0 {
		t.Errorf("%+v", got)
	}
}

func TestImportSaysWhatItDoesAndHowItEnds(t *testing.T) {
	out := run(t, "", "import", "--help")
	for _, want := range []string{"--partial", "--envfile", "--json", "Exits with 0", "with 1 when", "with 2 when"} {
		if !strings.Contains(out.stdout, want) {
			t.Errorf("the help has no %q", want)
		}
	}
}

// Whatever text stands in a rule, Caddy reads it from the block as it is, or it
// is refused.
func FuzzAnImportedTextIsReadAsItIsWritten(f *testing.F) {
	for _, seed := range []string{"a", "a b", "a\"b", "a`b", "`\"", "a\\", `\"`, "{a}", "{$HOME}", "#", "<<EOF", "import", "é\u2028", "a\nb", "\ufeff", "@x", "*", "(a)", "a\\\\", "~", "%s", "..."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quoted, err := json.Marshal(text)
		if err != nil || strings.ContainsRune(text, '\uFFFD') || strings.Contains(text, "${") {
			return
		}
		out := run(t, `{"server": {"auth": {"provider_config": {"type": "custom", "endpoint": "https://a.example"},
			"access_policy": [{"permit": {"actions": "read", "principal": `+string(quoted)+`}, "when": "user with x in y"}]}}}`, "import", "-")
		if out.stdout == "" {
			if out.code() == 0 || !strings.Contains(out.stderr, "not carried over: ") && !strings.Contains(out.stderr, "Error: ") {
				t.Fatalf("%q: %d %s", text, out.code(), out.stderr)
			}
			return
		}
		raw, err := adapt("http://127.0.0.1:0 {\n" + out.stdout + "}\n")
		if err != nil {
			t.Fatalf("%q: %v\n%s", text, err, out.stdout)
		}
		rules := importedHandler(t, raw).AccessPolicy
		got := abac.Given("")
		if len(rules) == 1 {
			got = rules[0].Principal
		}
		nobody := len(rules) == 1 && rules[0].Effect == abac.Forbid // it was for somebody who cannot be
		if len(rules) != 1 || string(got) != text && !nobody {
			t.Errorf("%q is read as %q\n%s", text, got, out.stdout)
		}
	})
}
