package stackauth_test

import (
	"encoding/json"
	"strings"
	"testing"
)

const twoSites = `http://a.example {
	stack_auth {
		provider custom {
			endpoint https://judge.example
		}
		permit /v1/models {
			when user with dev in roles
		}
	}
	reverse_proxy 127.0.0.1:1
}
http://b.example {
	reverse_proxy 127.0.0.1:1
}
`

// A test that passes because of what is misspelt in it says for ever that all is
// well.
func TestAMisspeltCaseDoesNotPass(t *testing.T) {
	config := writeFile(t, "Caddyfile", twoSites)
	for _, c := range []struct {
		name, fields string
		code         int
		want         string
	}{
		{"the host", "user: dev, host: a.exampel, expect: allow", 1, "no handler answers"},
		{"the host, for whom nobody lets in", "user: nobody, host: a.exampel, expect: allow", 1, "no handler answers"},
		{"the host, of a refusal", "user: nobody, host: a.exampel, expect: deny", 1, "no handler answers"},
		{"a method in small letters", "user: nobody, host: a.example, method: get, expect: deny", 2, `method "get" is refused whoever asks`},
		{"a method", "user: nobody, host: a.example, method: GTE, expect: deny", 2, `method "GTE" is refused whoever asks`},
		{"a method and its status", "user: dev, host: a.example, method: GTE, status: 405, expect: deny", 0, ""},
		{"a status that is none", "user: dev, host: a.example, expect: allow, status: 0", 2, "status 0: expected one from 200 to 599"},
		{"a negative status", "user: dev, host: a.example, expect: allow, status: -403", 2, "status -403: expected"},
		{"anonymous, and not", "user: anonymous, anonymous: false, host: a.example, expect: deny", 2, "anonymous: false"},
		{"not anonymous", "user: dev, anonymous: false, host: a.example, expect: allow", 0, ""},
		{"a site without stack_auth", "user: nobody, host: b.example, expect: allow", 0, ""},
		{"no host, of two", "user: dev, expect: allow", 0, ""}, // all blocks are for one
	} {
		t.Run(c.name, func(t *testing.T) {
			file := writeFile(t, "cases.yaml", "users:\n  dev: {attributes: {roles: dev}}\n  nobody: {}\ncases:\n- {path: /v1/models, "+c.fields+"}\n")
			out := run(t, "", "test", "--config", config, file)
			if out.code() != c.code || !strings.Contains(out.stdout+out.stderr, c.want) {
				t.Errorf("got %s, want exit %d with %q", out.all(), c.code, c.want)
			}
		})
	}
}

func TestARowOfRoutesHasAMethodThatThereIs(t *testing.T) {
	file := writeFile(t, "cases.yaml", "users: {nobody: {}}\nroutes:\n- {path: /v1/models, method: delete, deny: nobody}\n")
	out := run(t, "", "test", "--config", writeFile(t, "Caddyfile", twoSites), file)
	if out.code() != 2 || !strings.Contains(out.stderr, `cases.yaml:3: method "delete" is refused whoever asks`) {
		t.Errorf("got %s", out.all())
	}
}

// A name of a file, a rule or a site may come from somebody else's repository.
// What a terminal obeys must not reach it.
func TestNothingThatATerminalObeysIsPrinted(t *testing.T) {
	const evil = "\x1b[2J\x1b[31m"
	config := writeFile(t, "Caddyfile", twoSites)
	cases := "users: {dev: {attributes: {roles: dev}}}\ncases:\n" +
		`- {user: dev, path: /v1/models, rule: "x\e[2J\n--- PASS: y", status: 403}` + "\n"
	obeys := func(text string) bool {
		return strings.ContainsAny(text, "\x1b\x07\r") || strings.Contains(text, "\n--- PASS: y")
	}
	for _, name := range []string{"cases.yaml", evil + "\n--- PASS: y\n.yaml"} {
		file := writeFile(t, name, cases)
		for _, args := range [][]string{{file}, {"-v", file}, {"--json", file}, {"-v", file + "x"}} {
			if out := run(t, "", append([]string{"test", "--config", config}, args...)...); out.code() == 0 || obeys(out.stdout+out.stderr) {
				t.Errorf("%q: %q %q", args, out.stdout, out.stderr)
			}
		}
	}
	raw, err := json.Marshal(map[string]any{"apps": map[string]any{"http": map[string]any{"servers": map[string]any{"a": map[string]any{"routes": []any{map[string]any{
		"match": []any{map[string]any{"host": []any{"h" + evil}, "path": []any{"/" + evil}}},
		"handle": []any{map[string]any{
			"handler": "stack_auth", "providers": []any{map[string]any{"type": "placeholders", "principal": "{http.x}"}},
			"rules": []any{map[string]any{"effect": "permit", "paths": []any{"regex:^/a\x1b7$", "regex:^/a\x1b7"}}},
		}},
	}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	file := writeFile(t, "config.json", string(raw))
	for _, args := range [][]string{{}, {"--json"}} {
		if out := run(t, "", append([]string{"lint", "--config", file}, args...)...); out.code() != 1 || obeys(out.stdout+out.stderr) {
			t.Errorf("%q: %d %q %q", args, out.code(), out.stdout, out.stderr)
		}
	}
}
