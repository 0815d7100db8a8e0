package stackauth_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	stackauth "github.com/caddy-stack-auth/caddy-stack-auth"
	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// runFile is a fixture: a run file, behind comments that say what becomes of it.
type runFile struct {
	path string   // of the file, with what it refers to
	env  string   // of a file with variables; empty for none
	exit string   // 0 or 1
	says []string // what is expected, a line each
}

// Every server.auth of upstream's documentation, unit tests, workflows and
// distributions, of all ages, is imported as a block that Caddy loads and that
// decides as upstream does, or is refused for the reason that is expected. With
// --partial a refused one loads too, and lets in nobody else.
func TestAnImportedRunFileDecidesAsItDidUpstream(t *testing.T) {
	files, err := filepath.Glob("testdata/import/*.yaml")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d run files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			f := readRunFile(t, file)
			args := []string{"import", f.path}
			if f.env != "" {
				args = append(args, "--envfile", f.env)
			}
			out := run(t, "", args...)
			if (out.err == nil) != (f.exit == "0") || (out.stdout == "") != (f.exit == "1") {
				t.Fatalf("want %s: %v\n%s%s", f.exit, out.err, out.stdout, out.stderr)
			}
			if f.exit == "1" {
				if out = run(t, "", append(args, "--partial")...); out.err != nil || !strings.Contains(out.stdout, "# not carried over: ") {
					t.Fatalf("%v\n%s%s", out.err, out.stdout, out.stderr)
				}
			}
			if formatted := string(caddyfile.Format([]byte(out.stdout))); formatted != out.stdout {
				t.Errorf("caddy fmt makes of\n%s\nthis\n%s", out.stdout, formatted)
			}
			if !strings.Contains(out.stdout, "\n\tcompat ogx\n") {
				t.Error("compat ogx is missing")
			}
			block := loadImported(t, out.stdout)
			for _, line := range f.says {
				f.check(t, line, out, block)
			}
		})
	}
}

func readRunFile(t *testing.T, file string) *runFile {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.crt")
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	f := &runFile{path: filepath.Join(dir, "run.yaml")}
	text := strings.ReplaceAll(string(raw), "CAFILE", ca)
	var env []string
	for line := range strings.Lines(text) {
		says, is := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "# ")
		if !is {
			break
		}
		switch kind, rest, _ := strings.Cut(says, " "); kind {
		case "exit":
			f.exit = rest
		case "env":
			env = append(env, rest)
		case "note", "refused", "block", "absent", "allow", "deny", "can", "cannot", "empty":
			f.says = append(f.says, says)
		}
	}
	if env != nil {
		f.env = filepath.Join(dir, "env")
		writeRunFile(t, f.env, strings.Join(env, "\n")+"\n")
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	writeRunFile(t, ca, string(certificate))
	writeRunFile(t, f.path, text)
	return f
}

func writeRunFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// imported is a block that Caddy has loaded, and its policies.
type importedBlock struct {
	handler *stackauth.Handler
	routes  *abac.RoutePolicy
	access  *abac.Policy
}

var envPlaceholder = regexp.MustCompile(`\{env\.([A-Z0-9_]+)\}|\{\$([A-Z0-9_]+)\}`)

// loadImported adapts and provisions a block, with a value for each variable.
func loadImported(t *testing.T, block string) *importedBlock {
	t.Helper()
	for _, m := range envPlaceholder.FindAllStringSubmatch(block, -1) {
		name := m[1] + m[2]
		value := "value"
		if strings.Contains(name, "UR") || strings.Contains(name, "ISSUER") {
			value = "https://id.example.com"
		}
		t.Setenv(name, value)
	}
	raw, err := adapt("{\nadmin off\n}\nhttp://127.0.0.1:0 {\n" + block + "}\n")
	if err != nil {
		t.Fatalf("%v\n%s", err, block)
	}
	config := new(caddy.Config)
	if err := json.Unmarshal(raw, config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(config); err != nil {
		t.Fatalf("%v\n%s", err, block)
	}
	b := &importedBlock{handler: importedHandler(t, raw)}
	if b.handler.Compat != abac.CompatOGX {
		t.Errorf("compat is %q", b.handler.Compat)
	}
	rules := make([]abac.RouteRule, 0, len(b.handler.Rules))
	for _, r := range b.handler.Rules {
		rules = append(rules, r.RouteRule)
	}
	if len(rules) > 0 {
		if b.routes, err = abac.NewRoutePolicy(rules, b.handler.Compat); err != nil {
			t.Fatal(err)
		}
	}
	if b.access, err = abac.NewPolicy(b.handler.AccessPolicy, abac.Options{Compat: b.handler.Compat}); err != nil {
		t.Fatal(err)
	}
	return b
}

// importedHandler returns the only handler of the configuration.
func importedHandler(t *testing.T, raw []byte) *stackauth.Handler {
	t.Helper()
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	object := findObject(tree)
	if object == nil {
		t.Fatal("there is no handler")
	}
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	handler := new(stackauth.Handler)
	if err := json.Unmarshal(raw, handler); err != nil {
		t.Fatal(err)
	}
	return handler
}

func findObject(node any) map[string]any {
	switch v := node.(type) {
	case map[string]any:
		if v["handler"] == "stack_auth" {
			return v
		}
		for _, child := range v {
			if found := findObject(child); found != nil {
				return found
			}
		}
	case []any:
		for _, child := range v {
			if found := findObject(child); found != nil {
				return found
			}
		}
	}
	return nil
}

// check checks one line of what is expected.
func (f *runFile) check(t *testing.T, line string, out output, b *importedBlock) {
	t.Helper()
	kind, rest, _ := strings.Cut(line, " ")
	switch kind {
	case "note":
		if !strings.Contains(out.stderr, rest) || !strings.Contains(out.stderr, ": note: ") {
			t.Errorf("no note has %q:\n%s", rest, out.stderr)
		}
	case "refused":
		if !slices.ContainsFunc(strings.Split(out.stderr, "\n"), func(said string) bool {
			return strings.Contains(said, ": not carried over: ") && strings.Contains(said, rest)
		}) {
			t.Errorf("no refusal has %q:\n%s", rest, out.stderr)
		}
	case "block":
		if !strings.Contains(out.stdout, rest) {
			t.Errorf("the block has no %q:\n%s", rest, out.stdout)
		}
	case "absent":
		if strings.Contains(out.stdout+out.stderr, rest) {
			t.Errorf("%q shows:\n%s%s", rest, out.stdout, out.stderr)
		}
	case "empty":
		if len(b.handler.ProvidersRaw) > 0 || b.routes != nil {
			t.Errorf("something is carried over:\n%s", out.stdout)
		}
	case "allow", "deny":
		who, paths, _ := strings.Cut(rest, ": ")
		for path := range strings.FieldsSeq(paths) {
			if got := b.routeAllowed(t, userOf(t, who), path); got != (kind == "allow") {
				t.Errorf("%s on %s: got %t\n%s", who, path, got, out.stdout)
			}
		}
	case "can", "cannot":
		who, what, _ := strings.Cut(rest, ": ")
		what, owner, owned := strings.Cut(what, " by ")
		action, name, _ := strings.Cut(what, " ")
		resourceKind, id, _ := strings.Cut(name, "::")
		var by *abac.User
		if owned {
			by = userOf(t, owner)
		}
		d := b.access.Decide(userOf(t, who), abac.Action(action), abac.NewResource(resourceKind, id, by))
		if d.Allowed != (kind == "can") {
			t.Errorf("%s: got %t\n%s", line, d.Allowed, out.stdout)
		}
	}
}

// routeAllowed decides as the handler does: nobody gets in without a provider,
// and everybody on public paths.
func (b *importedBlock) routeAllowed(t *testing.T, u *abac.User, path string) bool {
	t.Helper()
	canonical, err := abac.CanonicalPath(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range b.handler.Public {
		p, err := abac.ParsePathPattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if p.Matches(canonical) {
			return true
		}
	}
	if b.routes == nil {
		return len(b.handler.ProvidersRaw) > 0
	}
	return b.routes.Decide(abac.RouteQuestion{User: u, Method: "GET", Path: canonical}).Allowed
}

// userOf returns the user whom words such as principal=a roles=x,y describe.
func userOf(t *testing.T, words string) *abac.User {
	t.Helper()
	principal, tenant := "somebody", ""
	var list []abac.Attribute
	for word := range strings.FieldsSeq(words) {
		name, values, found := strings.Cut(word, "=")
		switch {
		case !found:
			t.Fatalf("%q: expected name=value", word)
		case name == "principal":
			principal = values
		case name == "tenant":
			tenant = values
		default:
			list = append(list, abac.Attribute{Name: name, Values: strings.Split(values, ",")})
		}
	}
	u, err := abac.NewUser(principal, tenant, abac.NewAttributes(list...))
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", words, err))
	}
	return u
}
