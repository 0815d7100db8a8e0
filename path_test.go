package stackauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// security.md, group K: a path that two servers could read differently is
// refused before any rule is looked at, with or without a good token.
func TestAPathThatCouldBeReadInTwoWaysIsRefused(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public /public* /v1/health")+proxy(stack))
	token := issuer.Token("alice", nil)
	keepSecret("Authorization", token)
	for _, target := range []string{
		"/v1/models/../admin", "/v1/./admin", "/..", "/.", "/v1/..", "/v1/.",
		"/v1/models/%2e%2e/admin", "/v1/%2e/admin", "/v1/.%2e/admin", "/v1/%2E%2E/admin",
		"/public/..%2fv1/admin", "/public/..%2Fv1/admin", "/public%2f..%2fv1", "/public/%2e%2e%2fv1",
		"/v1/%252e%252e/admin", "/v1/a%25b", "/public/%252e%252e/v1",
		"//v1/models", "/v1//models", "/v1/models//", "/v1/%2fmodels", "/v1%2f%2fmodels", "/public//x", "//",
		"/v1/admin%0a", "/v1/admin%0d%0aX:%20y", "/v1/admin%00", "/v1/admin%20", "/v1/admin%7f", "/v1/a%09b",
		"/v1/admin;x=1", "/v1/admin%3bx=1", "/public;/x", "/v1/health;a",
		"/v1/a\\b", "/v1/a%5cb", "/public/..\\v1", "/public/..%5cv1",
		"/v1/admin%3f", "/v1/admin%23", "/v1/admin#x",
		"/v1/%ff", "/v1/%c0%ae%c0%ae/admin", "/v1/%ed%a0%80", "/v1/%e2%80%a8", "/v1/%e2%80%a9", "/v1/%c2%85",
	} {
		for _, credential := range []string{"", bearer(token) + "\n"} {
			stack.isUntouched(t, func() {
				a := g.raw(t, "GET "+target+" HTTP/1.1\n"+credential+"\n")
				a.is(t, 400, "ambiguous_request")
				if a.Header.Get("WWW-Authenticate") != "" {
					t.Errorf("%s: a challenge for what is no question of credentials", target)
				}
			})
			if t.Failed() {
				t.Fatalf("target %q", target)
			}
		}
	}
}

func TestTargetsThatAreNoPathsAreRefused(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public *")+proxy(stack))
	for _, c := range []struct {
		line   string
		status int
	}{
		{"GET http:v1/admin HTTP/1.1", 400},
		{"GET * HTTP/1.1", 400},
		{"GET v1/admin HTTP/1.1", 400},
		{"GET /v1/%zz HTTP/1.1", 400},
		{"GET /v1/% HTTP/1.1", 400},
		{"GET /v1/a b HTTP/1.1", 400},
		{"CONNECT " + g.Address + " HTTP/1.1", 405},
		{"CONNECT /v1/x HTTP/1.1", 405},
	} {
		stack.isUntouched(t, func() {
			if a := g.raw(t, c.line+"\n\n"); a.StatusCode != c.status {
				t.Errorf("%s: got %d %s", c.line, a.StatusCode, a.body)
			}
		})
	}
}

func TestWhatPassesGoesOnByteForByte(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer)+proxy(stack))
	token := issuer.Token("alice", nil)
	for _, target := range []string{
		"/v1/models", "/v1/models/", "/", "/v1/models/vllm%2Fllama", "/v1/models/vllm%2fllama", "/v1/models/a:b@c",
		"/v1/%61dmin", "/v1/x?/v1/models", "/v1/x?a=..%2f..&b=%zz;c", "/v1/a...b/..c/d..", "/v1/%C3%BC", "/v1/a[1]", "/v1/x??a", "/v1/x?",
		"/v1/a+b", "/v1/a%2Bb", "/v1/a,b=c!$&'()*", "/V1/Models",
	} {
		a := g.raw(t, "GET "+target+" HTTP/1.1\n"+bearer(token)+"\n\n")
		a.is(t, 200, "")
		if got := stack.last(t).RequestURI; got != strings.TrimSuffix(target, "?") && got != target {
			t.Errorf("%s arrived as %s", target, got)
		}
	}
}

// What a path cannot have (RFC 3986, section 3.3) net/http encodes on the way, and
// then all of the path anew: an encoded slash becomes a slash.
func TestAPathWhoseEncodedSlashWouldBecomeOneIsRefused(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public /public*")+proxy(stack))
	anna := as(issuer, "anna")
	for _, path := range []string{
		`/v1/models/a%2Fb"`, "/v1/models/a%2Fb|c", "/v1/models/a%2Fb{c}", "/v1/models/a%2Fb<c>", "/v1/models/a%2Fb^", "/v1/models/a%2Fb`",
		"/v1/models/a%2F\xc3\xa9", "/public/a%2F\xc3\xa9",
	} {
		stack.judged(t, twoWays, func() answer { return g.raw(t, "GET "+path+" HTTP/1.1\n"+anna+"\n\n") })
	}
	// Without an encoded slash the path means the same either way.
	stack.judged(t, passes, func() answer { return g.raw(t, "GET /v1/models/a|\xc3\xa9 HTTP/1.1\n"+anna+"\n\n") })
	if got := stack.last(t).RequestURI; got != "/v1/models/a%7C%C3%A9" {
		t.Errorf("it arrived as %s", got)
	}
	for _, path := range []string{"/v1/models/a%2Fb%22", "/v1/models/a%2F%C3%A9", "/v1/models/a%2fb%7c", "/v1/models/a[1]"} {
		stack.judged(t, passes, func() answer { return g.raw(t, "GET "+path+" HTTP/1.1\n"+anna+"\n\n") })
		if got := stack.last(t).RequestURI; got != path {
			t.Errorf("%s arrived as %s", path, got)
		}
	}
}

func TestAVeryLongPathIsJudgedInNoTime(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer)+proxy(stack))
	started := time.Now()
	g.raw(t, "GET "+strings.Repeat("/ab", 5000)+" HTTP/1.1\n\n").is(t, 401, "missing_credential")
	g.raw(t, "GET "+strings.Repeat("/..", 5000)+" HTTP/1.1\n\n").is(t, 400, "ambiguous_request")
	if took := time.Since(started); took > timeout {
		t.Errorf("took %s", took)
	}
}

// Public paths are the way past everything else.
func TestPublicPathsAreExactlyWhatTheySay(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public /v1/health /v1/docs/* /v1/files*")+proxy(stack))
	for _, c := range []struct {
		target string
		public bool
	}{
		{"/v1/health", true},
		{"/v1/health/", true},
		{"/v1/health?x=/v1/admin", true},
		{"/v1%2Fhealth", true}, // a slash to the stack, too
		{"/v1/he%61lth", true},
		{"/v1/Health", false},
		{"/V1/health", false},
		{"/v1/healthz", false},
		{"/v1/health/x", false},
		{"/v1/health.json", false},
		{"/v1/admin?/v1/health", false},
		{"/v1/admin?x=%2Fv1%2Fhealth", false},
		{"/v1/docs", false},
		{"/v1/docs/", false}, // the slash of the request is taken off, the one of the pattern is not
		{"/v1/docs/a", true},
		{"/v1/docs/a/b", true},
		{"/v1/files", true},
		{"/v1/filesystem", true},
		{"/v1/files/x", true},
		{"/v1/FILES", false},
		{"/x/v1/health", false},
	} {
		a := g.raw(t, "GET "+c.target+" HTTP/1.1\n\n")
		if c.public {
			a.is(t, 200, "")
			stack.last(t).identity(t, "")
			continue
		}
		a.is(t, 401, "missing_credential")
	}
	t.Run("a bad token is nobody's business there", func(t *testing.T) {
		g.do(t, "GET", "/v1/health", "Authorization: Bearer x").is(t, 200, "")
		if _, there := stack.last(t).Header["Authorization"]; there {
			t.Error("it reached the stack")
		}
	})
	t.Run("every method", func(t *testing.T) {
		g.do(t, "DELETE", "/v1/health").is(t, 200, "")
	})
}

func TestPathsAreReadBelowTheBasePath(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	cases := []struct {
		target string
		status int
		code   string
	}{
		{"/llm/v1/health", 200, ""},
		{"/llm/v1/health/", 200, ""},
		{"/llm%2Fv1/health", 200, ""},
		{"/llm", 401, "missing_credential"},
		{"/llm/", 401, "missing_credential"},
		{"/llm/v1/x", 401, "missing_credential"},
		{"/v1/health", 404, "resource_not_found"},
		{"/llmx/v1/health", 404, "resource_not_found"},
		{"/LLM/v1/health", 404, "resource_not_found"},
		{"/x/llm/v1/health", 404, "resource_not_found"},
		{"/", 404, "resource_not_found"},
		{"/llm/../v1/health", 400, "ambiguous_request"},
	}
	t.Run("named", func(t *testing.T) {
		g := startGateway(t, protect(issuer, "base_path /llm", "public /v1/health")+proxy(stack))
		for _, c := range cases {
			a := g.raw(t, "GET "+c.target+" HTTP/1.1\n\n")
			a.is(t, c.status, c.code)
			if c.status == 200 && stack.last(t).RequestURI != c.target {
				t.Errorf("%s arrived as %s", c.target, stack.last(t).RequestURI)
			}
		}
	})
	t.Run("within handle_path the prefix is gone already", func(t *testing.T) {
		g := startGateway(t, "handle_path /llm/* {\n"+protect(issuer, "public /v1/health")+proxy(stack)+"\n}\nrespond 418")
		g.raw(t, "GET /llm/v1/health HTTP/1.1\n\n").is(t, 200, "")
		if got := stack.last(t).RequestURI; got != "/v1/health" {
			t.Errorf("arrived as %s", got)
		}
		g.raw(t, "GET /llm/v1/x HTTP/1.1\n\n").is(t, 401, "missing_credential")
		g.raw(t, "GET /llm/v1;/health HTTP/1.1\n\n").is(t, 400, "ambiguous_request")
	})
}
