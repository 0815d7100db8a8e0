package stackauth_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// code returns the code with which Caddy exits.
func (o output) code() int {
	if o.err == nil {
		return 0
	}
	// Caddy's own type for other codes than 1 is not exported.
	if digits, found := strings.CutPrefix(o.err.Error(), "exiting with status "); found {
		if n, err := strconv.Atoi(digits); err == nil {
			return n
		}
	}
	return 1
}

// took is what differs from run to run.
var (
	took       = regexp.MustCompile(`(\t|\()\d+\.\d{2,3}s`)
	tookInJSON = regexp.MustCompile(`,"Elapsed":[0-9.e-]+`)
)

// all is what a command has to say for itself.
func (o output) all() string {
	text := tookInJSON.ReplaceAllString(took.ReplaceAllString(o.stdout, "${1}0.00s"), "")
	if o.stderr != "" {
		text += "stderr:\n" + o.stderr
	}
	return text + "exit " + itoa(o.code())
}

// Each file in testdata/commands that ends in .commandtest has the arguments of
// a command, one in a line, a line of ten dashes, and what comes out.
func TestCommandsSayWhatTheirFixturesHave(t *testing.T) {
	files, err := filepath.Glob("testdata/commands/*.commandtest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".commandtest"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			args, want, found := strings.Cut(string(content), fixtureLine)
			if !found {
				t.Fatal("no line of ten dashes")
			}
			args = strings.TrimSuffix(args, "\n")
			got := run(t, "", strings.Split(args, "\n")...).all()
			if *update {
				if err := os.WriteFile(file, []byte(args+"\n"+fixtureLine+got+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != strings.TrimSuffix(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// Somebody who could not call must not be explained: the answer would be about
// nobody.
func TestMadeUpCallersThatCannotBeAreErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"a principal with a blank", []string{"--principal", " anna"}, "blank"},
		{"a principal with a line break", []string{"--principal", "anna\n"}, "principal"},
		{"a principal of 257 bytes", []string{"--principal", strings.Repeat("a", 257)}, "257 bytes"},
		{"a tenant with a slash", []string{"--principal", "anna", "--tenant", "a/b"}, "tenant"},
		{"an attribute without values", []string{"--principal", "anna", "--attribute", "roles"}, "expected <name>=<value>"},
		{"an attribute with an empty value", []string{"--principal", "anna", "--attribute", "roles=a,"}, "a value is empty"},
		{"an attribute called id", []string{"--principal", "anna", "--attribute", "id=1"}, "id"},
		{"an attribute with a bad name", []string{"--principal", "anna", "--attribute", "a b=1"}, "a b"},
		{"an owner that cannot be", []string{"--principal", "anna", "--resource", "model::a", "--owner", "\t"}, "owner"},
		{"an owner without a name", []string{"--principal", "anna", "--resource", "model::a", "--owner-tenant", "a"}, "owner: principal is empty"},
		{"a header of two lines", []string{"--principal", "anna", "--header", "X-A: b\r\nX-B: c"}, "in one line"},
		{"a credential", []string{"--principal", "anna", "--header", "authorization: Bearer abc"}, "a token in a file"},
		{"a cookie", []string{"--principal", "anna", "--header", "Cookie: a=b"}, "a token in a file"},
		{"a host as a header", []string{"--principal", "anna", "--header", "host: a"}, "say it as the host"},
		{"a client without an address", []string{"--principal", "anna", "--client-ip", "office"}, "expected an IP address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"explain", "--config", "testdata/commands/policy.Caddyfile"}, c.args...)
			out := run(t, "", append(args, "GET", "/v1/models")...)
			if out.code() != 2 || out.stdout != "" || !strings.Contains(out.stderr, c.want) {
				t.Errorf("got %s, want exit 2 with %q", out.all(), c.want)
			}
		})
	}
}

// A request in two lines would be two requests.
func TestRequestsThatNoClientCouldSendAreErrors(t *testing.T) {
	for _, args := range [][]string{
		{"GET / HTTP/1.1\r\nX: y\r\n", "/"},
		{"GET ", "/"},
		{"", "/"},
		{"GET", "/ HTTP/1.1\r\nHost: other\r\n\r\n"},
		{"GET", "v1"},
		{"GET", "http://other/v1"},
		{"GET", "/v1", "--host", "a\r\nX: y"},
	} {
		out := run(t, "", append([]string{"explain", "--config", "testdata/commands/policy.Caddyfile", "--principal", "anna"}, args...)...)
		if out.code() != 2 || out.stdout != "" {
			t.Errorf("%q: got %s, want exit 2", args, out.all())
		}
	}
}

// What a caller or a configuration brings must not reach the terminal as
// commands for it.
func TestOutputHasNoControlCharacters(t *testing.T) {
	out := run(t, "", "explain", "--config", "testdata/commands/policy.Caddyfile", "--principal", "anna",
		"--attribute", "roles=\x1b[2Jx\u202e\u009b", "GET", "/v1/models")
	if out.code() != 0 || strings.ContainsAny(strings.ReplaceAll(out.stdout, "\n", ""), "\x1b\u202e\u009b\r") {
		t.Errorf("got %q", out.all())
	}
}
