package stackauth_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

// output is what a command wrote, and how it ended.
type output struct {
	stdout, stderr string
	err            error
}

// run runs `caddy stack-auth` with the arguments, as Caddy would.
func run(t testing.TB, stdin string, args ...string) output {
	t.Helper()
	registered, there := caddycmd.Commands()["stack-auth"]
	if !there {
		t.Fatal("the command is not registered")
	}
	root, cmd := &cobra.Command{Use: "caddy", SilenceUsage: true}, &cobra.Command{Use: "stack-auth"}
	registered.CobraFunc(cmd)
	root.AddCommand(cmd)
	var stdout, stderr bytes.Buffer
	root.SetArgs(append([]string{"stack-auth"}, args...))
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	err := root.Execute()
	return output{stdout.String(), stderr.String(), err}
}

// existing is a key that was made elsewhere.
const existing = "example-key-not-a-secret-0123456789"

var printed = regexp.MustCompile(`\A[^\n]+\n\n\t(\S+)\n\nIts hash:\n\n\t(\S+)\n\nFor the Caddyfile, in provider api_key:\n\n\t(key .+)\n\z`)

func TestAKeyIsLetInByTheLineThatIsPrintedWithIt(t *testing.T) {
	out := run(t, "", "hash-key", "--principal", "ci-runner")
	parts := printed.FindStringSubmatch(out.stdout)
	if out.err != nil || out.stderr != "" || parts == nil {
		t.Fatalf("%v\n%s%s", out.err, out.stdout, out.stderr)
	}
	key, hash, line := parts[1], parts[2], parts[3]
	if got, err := providers.HashKey(key); err != nil || got != hash || line != "key "+hash+" ci-runner" {
		t.Errorf("hash %s of the key is printed as %s, line %s", got, hash, line)
	}
	if strings.Count(out.stdout, key) != 1 {
		t.Error("the key is not shown once")
	}
	stack := newStack(t)
	g := startGateway(t, "stack_auth {\nprovider api_key {\n"+line+" {\nattribute roles runner\n}\n}\nrequire roles runner\n}\n"+proxy(stack))
	g.do(t, "GET", "/v1/models", bearer(key)).is(t, 200, "")
	stack.last(t).identity(t, "ci-runner")
	stack.last(t).isWithout(t, key)
	stack.isUntouched(t, func() {
		// The hash is no secret: Caddy logs the configuration that it is in.
		g.raw(t, "GET /v1/models HTTP/1.1\n"+bearer(hash)+"\n\n").is(t, 401, "invalid_token")
		g.do(t, "GET", "/v1/models", bearer(key+"x")).is(t, 401, "invalid_token")
		g.do(t, "GET", "/v1/models").is(t, 401, "missing_credential")
	})
}

func TestNewKeysAreRandomAndRecognizable(t *testing.T) {
	seen := make(map[string]bool)
	for _, c := range []struct {
		prefix string
		args   []string
	}{
		{"sak_", nil},
		{"sak_", nil},
		{"", []string{"--prefix", ""}},
		{"acme-1_", []string{"--prefix=acme-1_"}},
		{strings.Repeat("p", 32), []string{"--prefix", strings.Repeat("p", 32)}},
	} {
		out := run(t, "", append([]string{"hash-key"}, c.args...)...)
		parts := printed.FindStringSubmatch(out.stdout)
		if out.err != nil || parts == nil {
			t.Fatalf("%v\n%s", out.err, out.stdout)
		}
		random, found := strings.CutPrefix(parts[1], c.prefix)
		b, err := base64.RawURLEncoding.Strict().DecodeString(random)
		if !found || len(random) != 43 || err != nil || len(b) != 32 || seen[random] {
			t.Errorf("key behind %q has %d characters, %v", c.prefix, len(random), err)
		}
		seen[random] = true
		if !strings.HasSuffix(parts[3], " <principal>") {
			t.Errorf("line is %s", parts[3])
		}
	}
}

func TestJSONForPrograms(t *testing.T) {
	var made struct{ Key, Hash string }
	out := run(t, "", "hash-key", "--json")
	dec := json.NewDecoder(strings.NewReader(out.stdout))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&made); err != nil || out.err != nil || strings.Count(out.stdout, "\n") != 1 {
		t.Fatalf("%v, %v: %s", err, out.err, out.stdout)
	}
	if got, err := providers.HashKey(made.Key); err != nil || got != made.Hash || !strings.HasPrefix(made.Key, "sak_") {
		t.Errorf("hash is %s, %v; printed is %s", got, err, made.Hash)
	}
	hash, _ := providers.HashKey(existing)
	if out := run(t, existing, "hash-key", "--stdin", "--json"); out.err != nil || out.stdout != `{"hash":"`+hash+`"}`+"\n" {
		t.Errorf("%v: %s", out.err, out.stdout)
	}
}

func TestAnExistingKeyIsHashedAndNotEchoed(t *testing.T) {
	hash, err := providers.HashKey(existing)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{existing, existing + "\n", existing + "\r\n"} {
		if out := run(t, line, "hash-key", "--stdin"); out.err != nil || out.stdout != hash+"\n" || out.stderr != "" {
			t.Errorf("%q: %+v", line, out)
		}
	}
}

func TestAGuessableKeyIsWarnedAbout(t *testing.T) {
	for key, short := range map[string]bool{existing[:31]: true, existing[:32]: false, "hunter2": true} {
		hash, _ := providers.HashKey(key)
		out := run(t, key+"\n", "hash-key", "--stdin")
		if out.err != nil || out.stdout != hash+"\n" {
			t.Errorf("%d characters: %+v", len(key), out)
		}
		if warned := strings.HasPrefix(out.stderr, "warning: the key has fewer than 32 characters."); warned != short || strings.Contains(out.stderr, key) {
			t.Errorf("%d characters: stderr %q", len(key), out.stderr)
		}
	}
}

func TestKeysThatNoTokenCanBeAreRefusedWithoutShowingThem(t *testing.T) {
	for name, line := range map[string]string{
		"nothing":              "",
		"an empty line":        "\n",
		"a blank in front":     " " + existing,
		"a blank inside":       existing + " " + existing,
		"a comma":              existing + ",",
		"quotes":               `"` + existing + `"`,
		"a tab":                existing + "\t",
		"a carriage return":    existing + "\r",
		"two lines":            existing + "\n" + existing + "\n",
		"an empty second line": existing + "\n\n",
		"a letter with accent": existing + "é",
		"a byte order mark":    "\ufeff" + existing,
		"a NUL":                existing + "\x00",
		"too long":             strings.Repeat(existing, 1000),
		"far too long":         strings.Repeat(existing, 100_000),
	} {
		out := run(t, line, "hash-key", "--stdin")
		if out.err == nil || out.stdout != "" {
			t.Errorf("%s: %.200s", name, out.stdout)
			continue
		}
		if strings.Contains(out.stderr+out.err.Error(), existing) {
			t.Errorf("%s: the key is shown: %v", name, out.err)
		}
	}
}

func TestWrongUseIsAnErrorAndMakesNoKey(t *testing.T) {
	for _, c := range []struct {
		code int
		args []string
	}{
		{2, []string{"bogus"}},
		{2, []string{"--bogus"}},
		{2, []string{"hash-key", existing}}, // as an argument it would be in the shell's history
		{2, []string{"hash-key", "--bogus"}},
		{2, []string{"hash-key", "--stdin=" + existing}},
		{2, []string{"hash-key", "--stdin", "--prefix", "x"}},
		{2, []string{"hash-key", "--stdin", "--principal", "x"}},
		{2, []string{"hash-key", "--json", "--principal", "x"}},
		{1, []string{"hash-key", "--prefix", "a.b."}}, // a JWT has two dots
		{1, []string{"hash-key", "--prefix", "a b"}},
		{1, []string{"hash-key", "--prefix", strings.Repeat("p", 33)}},
		{1, []string{"hash-key", "--principal", " x"}},
		{1, []string{"hash-key", "--principal", "a\nb"}},
		{1, []string{"hash-key", "--principal", "{env.HOME}"}},
		{1, []string{"hash-key", "--principal", "}"}},
	} {
		out := run(t, existing, c.args...)
		if out.code() != c.code || out.stdout != "" || !strings.HasPrefix(out.stderr, "Error: ") {
			t.Errorf("%q: %s, want exit %d", c.args, out.all(), c.code)
		}
		if strings.Contains(out.stderr, existing) {
			t.Errorf("%q: the key is shown: %s", c.args, out.stderr)
		}
	}
}

// What is printed is pasted: a principal with blanks or quotes is one argument.
func TestThePrincipalIsOneArgumentOfTheLine(t *testing.T) {
	for principal, want := range map[string]string{
		"alice":       "alice",
		"CN=a, O=b":   "`CN=a, O=b`",
		`say "x"`:     "`say \"x\"`",
		"a `b`":       "\"a `b`\"",
		"#1":          "`#1`",
		"jürgen@x.de": "jürgen@x.de",
		`back\`:       "`back\\`",
		"<<EOT":       "`<<EOT`",
	} {
		parts := printed.FindStringSubmatch(run(t, "", "hash-key", "--principal", principal).stdout)
		if parts == nil || !strings.HasSuffix(parts[3], " "+want) {
			t.Errorf("%s: line is %q", principal, parts)
			continue
		}
		raw, err := adapt(":8080 {\nstack_auth {\nprovider api_key {\n" + parts[3] + "\n}\n}\n}\n")
		quoted, _ := json.Marshal(principal)
		if err != nil || !strings.Contains(string(raw), `"principal":`+string(quoted)) {
			t.Errorf("%s: %v\n%s", principal, err, raw)
		}
	}
}

func TestHelpExplains(t *testing.T) {
	for want, args := range map[string][]string{
		"hash-key":  nil,
		"256":       {"hash-key", "--help"},
		"--stdin":   {"hash-key", "-h"},
		"Available": {"--help"},
	} {
		if out := run(t, "", args...); out.err != nil || !strings.Contains(out.stdout, want) {
			t.Errorf("%q: %v\n%s", args, out.err, out.stdout)
		}
	}
}
