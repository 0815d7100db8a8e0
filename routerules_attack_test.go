package stackauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// security.md, group K, with rules: Mallory may do everything but administrate,
// and writes the path to it in every way that some server reads as the same.
func TestMalloryWritesTheForbiddenPathInOtherWays(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, `
		forbid /v1/admin* regex:^/v1alpha/(tasks|inspect)(/|$) {
			unless user with admin in roles
		}
		permit *`)+proxy(stack))
	mallory := as(issuer, "mallory", "user")
	long := strings.Repeat("a/", 5000) + "b"
	for want, targets := range map[verdict][]string{
		forbidden: {
			"/v1/admin", "/v1/admin/", "/v1/admin/users", "/v1/administrators",
			"/v1/admin?/v1/models", "/v1/admin?",
			"/V1/ADMIN", "/v1/Admin/",
			"/v1/%61dmin", "/v1/%41DMIN", "/v1%2fadmin", "/v1%2Fadmin%2Fusers", "/v1/admin%2f",
			"/v1alpha/tasks", "/v1alpha/TASKS", "/v1alpha/tasks/", "/v1alpha/tasks%2fx",
			// The Kelvin sign is a k, the long s an s, and of the two i of Turkish both
			// are an i to somebody.
			"/v1/adm%C4%B1n", "/v1/ADM%C4%B0N",
			"/v1alpha/tas%E2%84%AAs", "/v1alpha/ta%C5%BFks", "/v1alpha/in%C5%BFPECT/x",
			"/v1/admin/" + long,
		},
		twoWays: {
			// One slash at the end is no difference; empty segments are.
			"/v1/admin//", "//v1/admin", "/v1//admin", "/v1%2f%2fadmin",
			"/v1/models/../admin", "/v1/models/%2e%2e/admin", "/v1/models/..%2fadmin", "/v1/models%2f..%2fadmin", "/v1/./admin",
			// Decoded again by somebody.
			"/v1/models/%252e%252e/admin", "/v1/%2561dmin",
			// A parameter of the path to some.
			"/v1/admin;x=1", "/v1/admin%3bx=1", "/v1;x/admin",
			// Cut off or trimmed by some; and Python's $ matches before a line feed.
			"/v1/admin%23", "/v1/admin#", "/v1/admin?x#y", "/v1/models?x#", "/v1/admin%3f", "/v1/admin%20", "/v1/admin%09", "/v1/admin%00",
			"/v1alpha/tasks%0a", "/v1alpha/tasks%0d", "/v1alpha/tasks%e2%80%a8",
			// A slash to some.
			"/v1/models/%5c..%5cadmin", `/v1\admin`,
			// Overlong, and no UTF-8 at all.
			"/v1/%c0%afadmin", "/v1/%ffadmin",
		},
		passes: {
			// What is asked of another path, with the forbidden one in a query or as
			// an id, and what only looks like it.
			"/v1/models?path=/v1/admin", "/v1/models?x=/../admin;y", "/v1/models%2Fv1%2Fadmin", "/v1/models/...",
			"/v1alpha/taskset", "/v1alpha/x/tasks", "/v1/models/a%2Bb+c,d:e@f&g", "/v1/models/" + long,
		},
	} {
		for _, target := range targets {
			t.Run(string(want)+" "+target[:min(len(target), 40)], func(t *testing.T) {
				stack.judged(t, want, func() answer { return g.raw(t, "GET "+target+" HTTP/1.1\n"+mallory+"\n\n") })
				if want == passes && stack.last(t).RequestURI != target {
					t.Errorf("the stack got %s", stack.last(t).RequestURI)
				}
			})
		}
	}
}

// Mallory may not GET the secrets, and asks for them with another word. Methods
// in `methods` and in Caddy's own matcher must not be two things.
func TestMalloryAsksWithAnotherMethod(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	mallory := as(issuer, "mallory", "user")
	for _, c := range []struct {
		name, rules string
		want        map[string]verdict
	}{
		{"forbid methods GET", "forbid /x {\nmethods GET\n}\npermit", map[string]verdict{
			"GET": forbidden, "HEAD": forbidden, "POST": passes, "OPTIONS": passes,
		}},
		{"forbid match method GET", "forbid /x {\nmatch {\nmethod GET\n}\n}\npermit", map[string]verdict{
			"GET": forbidden, "HEAD": forbidden, "POST": passes, "OPTIONS": passes,
		}},
		{"forbid match method HEAD", "forbid /x {\nmatch {\nmethod HEAD\n}\n}\npermit", map[string]verdict{
			"GET": passes, "HEAD": forbidden, "POST": passes,
		}},
		{"forbid match an expression about the method", "forbid /x {\nmatch {\nexpression `{method} == \"GET\"`\n}\n}\npermit", map[string]verdict{
			"GET": forbidden, "HEAD": forbidden, "POST": passes,
		}},
		{"forbid match not method GET", "forbid /x {\nmatch {\nnot method GET\n}\n}\npermit", map[string]verdict{
			"GET": passes, "HEAD": forbidden, "POST": forbidden,
		}},
		{"permit methods GET", "permit /x {\nmethods GET\n}", map[string]verdict{
			"GET": passes, "HEAD": passes, "POST": forbidden, "PUT": forbidden, "PATCH": forbidden, "DELETE": forbidden, "OPTIONS": forbidden,
		}},
		{"permit match method GET", "permit /x {\nmatch {\nmethod GET\n}\n}", map[string]verdict{
			"GET": passes, "HEAD": passes, "POST": forbidden, "OPTIONS": forbidden,
		}},
		{"permit match method HEAD, which nothing is", "permit /x {\nmatch {\nmethod HEAD\n}\n}", map[string]verdict{
			"GET": forbidden, "HEAD": forbidden,
		}},
		{"permit match not method GET", "permit /x {\nmatch {\nnot method GET\n}\n}", map[string]verdict{
			"GET": forbidden, "HEAD": forbidden, "POST": passes,
		}},
		{"permit methods POST DELETE", "permit /x {\nmethods POST DELETE\n}", map[string]verdict{
			"GET": forbidden, "HEAD": forbidden, "POST": passes, "DELETE": passes,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := startGateway(t, protect(issuer, c.rules)+proxy(stack))
			for method, want := range c.want {
				stack.judged(t, want, func() answer { return g.do(t, method, "/x", mallory) })
				if want == passes && stack.last(t).Method != method {
					t.Errorf("%s became %s", method, stack.last(t).Method)
				}
			}
			for _, method := range []string{"get", "Get", "TRACE", "PROPFIND", "CONNECT"} {
				stack.isUntouched(t, func() {
					a := g.raw(t, method+" /x HTTP/1.1\n"+mallory+"\n\n")
					a.is(t, 405, "method_not_allowed")
					if a.Header.Get("Allow") != "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" {
						t.Errorf("Allow is %s", a.Header.Get("Allow"))
					}
				})
			}
		})
	}
}

// The method that counts is that of the request line, for us and for the stack.
func TestMalloryNamesAnotherMethodInAHeader(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, `
		forbid /v1/files* {
			methods DELETE
		}
		permit {
			methods GET POST
		}`)+proxy(stack))
	mallory := as(issuer, "mallory")
	for _, name := range []string{
		"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "x-http-method-override", "X_HTTP_Method_Override", "X.Method-Override",
	} {
		t.Run(name, func(t *testing.T) {
			stack.judged(t, passes, func() answer { return g.do(t, "POST", "/v1/files/1?_method=DELETE", mallory, name+": DELETE") })
			r := stack.last(t)
			if r.Method != "POST" || r.asCGI()["x-http-method-override"]+r.asCGI()["x-http-method"]+r.asCGI()["x-method-override"] != "" {
				t.Errorf("the stack got %s %v", r.Method, r.Header)
			}
			stack.judged(t, forbidden, func() answer { return g.do(t, "DELETE", "/v1/files/1", mallory, name+": GET") })
		})
	}
}

func TestMalloryOpensAWebSocketInsteadOfAGET(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	stack.answerWith(echoSocket)
	mallory := issuer.Token("mallory", nil)
	for name, c := range map[string]struct {
		rules string
		opens bool
	}{
		"forbid methods GET":         {"forbid /v1/realtime {\nmethods GET\n}\npermit", false},
		"forbid match method GET":    {"forbid /v1/realtime {\nmatch {\nmethod GET\n}\n}\npermit", false},
		"permit methods POST":        {"permit {\nmethods POST\n}", false},
		"permit methods GET":         {"permit {\nmethods GET\n}", true},
		"permit match method GET":    {"permit {\nmatch {\nmethod GET\n}\n}", true},
		"permit match not upgrade":   {"permit {\nmatch {\nnot header Upgrade *\n}\n}", false},
		"forbid match what upgrades": {"forbid {\nmatch {\nheader Upgrade *\n}\n}\npermit", false},
	} {
		t.Run(name+" over HTTP/1.1", func(t *testing.T) {
			g := startGateway(t, protect(issuer, c.rules)+proxy(stack))
			keepSecret("Authorization", mallory)
			before := stack.count()
			_, _, resp := g.dialSocket(t, "/v1/realtime", bearer(mallory)+"\n")
			if c.opens {
				if resp.StatusCode != http.StatusSwitchingProtocols {
					t.Fatalf("got %d", resp.StatusCode)
				}
				return
			}
			read(t, resp).is(t, 403, "insufficient_permissions")
			if stack.count() != before {
				t.Error("the stack was reached")
			}
		})
		if strings.Contains(c.rules, "Upgrade") {
			continue // over HTTP/2 there is no such header
		}
		t.Run(name+" over HTTP/2", func(t *testing.T) {
			d := newDirect(t, protect(issuer, c.rules))
			for _, path := range []string{"/v1/realtime", "/V1/realtime/"} {
				r := httptest.NewRequest("CONNECT", path, nil)
				r.URL.Path, r.RequestURI, r.ProtoMajor, r.Proto = path, path, 2, "HTTP/2.0"
				r.Header[":protocol"] = []string{"websocket"}
				r.Header.Set("Authorization", "Bearer "+mallory)
				w, passed, err := d.serve(r)
				if err != nil || (passed != nil) != c.opens || !c.opens && w.Code != 403 {
					t.Fatalf("%s: got %d %s, %v", path, w.Code, w.Body, err)
				}
				if passed != nil && passed.Method != "CONNECT" {
					t.Errorf("%s became %s", path, passed.Method)
				}
			}
		})
	}
}
