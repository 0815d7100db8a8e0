package stackauth_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// forgeries are what an attacker tries in order to be admin, as header lines.
var forgeries = []struct{ name, lines string }{
	{"as it is", "X-Auth-User-Id: admin\n"},
	{"lower case", "x-auth-user-id: admin\nx-auth-attributes: {\"roles\":[\"admin\"]}\n"},
	{"upper case", "X-AUTH-USER-ID: admin\n"},
	{"underscores", "X_Auth_User_Id: admin\n"},
	{"dots", "X.Auth.User.Id: admin\n"},
	{"a mixture", "X-Auth_User.Id: admin\nx_auth-attributes: {\"roles\":[\"admin\"]}\n"},
	{"three times", "X-Auth-User-Id: admin\nX-Auth-User-Id: root\nx-auth-user-id: system\n"},
	{"tenant", "X-Tenant-Id: victim\n"},
	{"tenant with underscores", "X_TENANT_ID: victim\n"},
	{"attributes", "X-Auth-Attributes: {\"roles\":[\"admin\"]}\n"},
	{"named by Connection", "Connection: close, X-Auth-User-Id\nX-Auth-User-Id: admin\n"},
	{"named by Connection alone", "Connection: X-Auth-User-Id, X-Auth-Attributes\n"},
	{"named by a second line of Connection", "Connection: keep-alive\nConnection: x-auth-user-id\n"},
	{"named by Connection in another case", "connection: CLOSE,X-AUTH-USER-ID,x-auth-ATTRIBUTES\nX-Auth-User-Id: admin\n"},
	{"named by Connection with an underscore", "Connection: close, X_Auth_User_Id\nX_Auth_User_Id: admin\n"},
	{"folded over two lines", "X-Auth-User-Id:\n admin\n"},
	{"empty", "X-Auth-User-Id:\nX-Auth-Attributes:\n"},
}

// security.md, group J: nobody but us says who calls, on whatever way.
func TestForgedIdentityNeverReachesTheStack(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	ways := fmt.Sprintf(`
	@out not path /unmatched*
	stack_auth @out {
		%s
		public /public*
		allow_anonymous
		allow_preflight
		errors caddy
	}
	handle_errors {
		reverse_proxy %s
	}
	handle /broken* {
		error 500
	}
	handle {
		reverse_proxy %[2]s
	}`, trust(issuer, ""), stack.URL)
	for _, allowlist := range []string{"", `servers {
		expected_underscore_headers X_Auth_User_Id X_Tenant_Id
		expected_dot_headers X.Auth.User.Id
	}`} {
		name := "by default"
		if allowlist != "" {
			name = "where Caddy lets them pass"
		}
		t.Run(name, func(t *testing.T) {
			g := startGatewayWith(t, allowlist, ways)
			token := issuer.Token("alice", nil)
			keepSecret("Authorization", token)
			for _, way := range []struct {
				name, request, credential, principal string
				status                               int
			}{
				{"authenticated", "GET /v1/models", token, "alice", 200},
				{"public", "GET /public/x", "", "", 200},
				{"public with a token", "GET /public/x", token, "", 200},
				{"preflight", "OPTIONS /v1/models", "", "", 200},
				{"anonymous", "GET /v1/models", "", "", 200},
				{"unmatched", "GET /unmatched/x", "", "", 200},
				{"refused for its form, then error-handled", "GET /v1/../x", token, "", 400},
				{"refused for its method, then error-handled", "FOO /v1/x", token, "", 405},
				{"refused for its token, then error-handled", "GET /v1/x", token + "x", "", 401},
				{"broken behind us, then error-handled", "GET /broken/x", token, "alice", 500},
				{"broken on the way of nobody, then error-handled", "GET /broken/x", "", "", 500},
			} {
				t.Run(way.name, func(t *testing.T) {
					for _, forged := range forgeries {
						t.Run(forged.name, func(t *testing.T) {
							head := way.request + " HTTP/1.1\nOrigin: https://app.example\nAccess-Control-Request-Method: POST\n"
							if way.credential != "" {
								head += bearer(way.credential) + "\n"
							}
							before := stack.count()
							g.raw(t, head+forged.lines+"\n")
							if stack.count() != before+1 {
								t.Fatalf("%d requests reached the stack", stack.count()-before)
							}
							r := stack.last(t)
							r.identity(t, way.principal)
							// What does not match is none of our business, but for its identity.
							if way.name != "unmatched" {
								r.isWithout(t, token)
							}
						})
					}
				})
			}
		})
	}
}

func TestHeadersThatChangeTheRequestBehindUsAreRemoved(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	site := protect(issuer, "public /public*", "strip_headers X-Internal-User X-Amzn-*") + proxy(stack)
	overrides := []string{"X-Http-Method-Override", "x-http-method", "X-METHOD-OVERRIDE", "X-Internal-User", "X-Amzn-Oidc-Data", "x-amzn-anything"}
	forwarded := []string{
		"Forwarded", "X-Real-Ip", "X-Original-Url", "X-Rewrite-Url", "X-Forwarded-Uri", "X-Forwarded-Method",
		"X-Forwarded-Prefix", "X-Original-Uri", "X-Original-Method",
	}
	headers := []string{bearer(issuer.Token("alice", nil)), "X-Kept: 1", "X-Amz: 1"}
	for _, name := range append(overrides, forwarded...) {
		headers = append(headers, name+": forged")
	}
	for _, c := range []struct {
		name, globals string
		trusted       bool
	}{
		{"from anybody", "", false},
		{"from a trusted proxy", "servers {\ntrusted_proxies static 127.0.0.1/32\n}", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := startGatewayWith(t, c.globals, site)
			for _, path := range []string{"/v1/x", "/public/x"} {
				g.do(t, "GET", path, headers...).is(t, 200, "")
				r := stack.last(t)
				for _, name := range overrides {
					if got := r.Header.Get(name); got != "" {
						t.Errorf("%s reached the stack", name)
					}
				}
				for _, name := range forwarded {
					if got := r.Header.Get(name); (got != "") != c.trusted {
						t.Errorf("%s is %q", name, got)
					}
				}
				if r.Header.Get("X-Kept") != "1" || r.Header.Get("X-Amz") != "1" {
					t.Error("a header that is nobody's business is gone")
				}
			}
		})
	}
}

// X-OGX-Provider-Data is JSON that older stacks believe a user in.
func TestProviderDataIsAnObjectWithoutReservedMembers(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public /public")+proxy(stack))
	for _, c := range []struct {
		line string
		ok   bool
	}{
		{`X-OGX-Provider-Data: {"openai_api_key":"x"}`, true},
		{`X-LlamaStack-Provider-Data: {}`, true},
		{`X-LlamaStack-Provider-Data: {"a":{"__b":1}}`, true},
		{`X-OGX-Provider-Data: {"__authenticated_user":{"principal":"admin"}}`, false},
		{`x-ogx-provider-data: {"__x":1}`, false},
		{`X-OGX-Provider-Data: {"\u005f_authenticated_user":{}}`, false},
		{`X-OGX-Provider-Data: {"a":1,"a":2}`, false},
		{`X-OGX-Provider-Data: ["__authenticated_user"]`, false},
		{`X-OGX-Provider-Data: "x"`, false},
		{`X-OGX-Provider-Data: {"a":1} x`, false},
		{`X-OGX-Provider-Data: {`, false},
		{`X-OGX-Provider-Data:`, false},
		{"X-OGX-Provider-Data: {}\nX-OGX-Provider-Data: {\"__x\":1}", false},
		{"X-Anything-Provider-Data: {\"__x\":1}", false},
		{"X-Provider-Data: not ours", true},
	} {
		for _, path := range []string{"/v1/x", "/public"} {
			before := stack.count()
			a := g.raw(t, "GET "+path+" HTTP/1.1\n"+bearer(issuer.Token("alice", nil))+"\n"+c.line+"\n\n")
			if c.ok {
				a.is(t, 200, "")
				name, value, _ := strings.Cut(c.line, ": ")
				if got := stack.last(t).Header[http.CanonicalHeaderKey(name)]; len(got) != 1 || got[0] != value {
					t.Errorf("%s: arrived as %q", c.line, got)
				}
				continue
			}
			a.is(t, 400, "ambiguous_request")
			if stack.count() != before {
				t.Errorf("%s reached the stack", c.line)
			}
		}
	}
}

func TestConnectionKeepsOnlyWhatIsAboutTheConnection(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer)+proxy(stack))
	a := g.raw(t, "GET / HTTP/1.1\n"+bearer(issuer.Token("alice", nil))+
		"\nConnection: X-One, close\nConnection: X-Two\nX-One: 1\nX-Two: 2\nX-Three: 3\n\n")
	a.is(t, 200, "")
	h := stack.last(t).Header
	if h.Get("X-One") != "" || h.Get("X-Two") != "" || h.Get("X-Three") != "3" {
		t.Errorf("headers are %v", h)
	}
}

func TestIdentityHeadersUnderOtherNames(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, `identity_headers {
		principal X-User
		attributes X-Attributes
		attribute roles X-Roles
		attribute teams X-Teams csv
		attribute projects X-Projects
		attribute namespaces X-Namespaces csv
		tenant X-Tenant-Id
	}`, "tenancy single Acme")+proxy(stack))
	token := issuer.Token("alice", map[string]any{"roles": []string{"user", "ünï"}, "groups": []string{"red", "blue"}})
	keepSecret("Authorization", token)
	a := g.raw(t, "GET / HTTP/1.1\n"+bearer(token)+
		"\nX-User: admin\nx_user: admin\nX-Attributes: {}\nX-Roles: [\"admin\"]\nX-Teams: root\nX-Projects: [\"x\"]\nX-Namespaces: kube-system\nX-Tenant-Id: victim\nX-Auth-User-Id: admin\nX-Auth-Attributes: {}\nConnection: X-Teams\n\n")
	a.is(t, 200, "")
	h := stack.last(t).Header
	for name, want := range map[string]string{
		"X-User": "alice", "X-Attributes": `{"roles":["user","\u00fcn\u00ef"],"teams":["red","blue"]}`,
		"X-Roles": `["user","\u00fcn\u00ef"]`, "X-Teams": "red,blue", "X-Projects": "[]", "X-Namespaces": "",
		"X-Tenant-Id": "acme", "X-Auth-User-Id": "", "X-Auth-Attributes": "",
	} {
		if got := h.Get(name); got != want || len(h[name]) > 1 {
			t.Errorf("%s is %q, want %q", name, h[name], want)
		}
	}
	if _, there := h["X-Namespaces"]; there {
		t.Error("an empty csv list was sent")
	}
}

// A name may be longer than any buffer that it is compared in.
func TestIdentityHeadersWithVeryLongNames(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	long := "X-" + strings.Repeat("Very-", 40) + "Long"
	g := startGatewayWith(t, "servers {\nexpected_underscore_headers X_*\n}",
		protect(issuer, "public /public", "identity_headers {\nprincipal "+long+"\n}")+proxy(stack))
	for path, want := range map[string]string{"/v1/x": "alice", "/public": ""} {
		g.do(t, "GET", path, bearer(issuer.Token("alice", nil)), long+": admin", strings.ToLower(long)+": admin",
			strings.ReplaceAll(long, "-", "_")+": admin").is(t, 200, "")
		if got := stack.last(t).asCGI()[strings.ToLower(long)]; got != want {
			t.Errorf("%s: the stack takes the caller for %q", path, got)
		}
	}
}

func TestIdentityHeadersOffStillRemovesForgedOnes(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "identity_headers off")+proxy(stack))
	for _, forged := range forgeries {
		a := g.raw(t, "GET / HTTP/1.1\n"+bearer(issuer.Token("alice", nil))+"\n"+forged.lines+"\n")
		a.is(t, 200, "")
		stack.last(t).identity(t, "")
	}
}

func TestAnIdentityThatDoesNotFitIsRefusedAndNotCutOff(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "identity_headers {\nattribute teams X-Teams csv\nmax_size 1KiB\n}", "forward_token", "errors caddy")+
		"handle_errors {\nrespond \"{err.message} {http.stack_auth.error.code} {http.auth.user.id} [{http.request.header.X-Auth-User-Id}{http.request.header.Authorization}]\"\n}\n"+proxy(stack))
	many := make([]string, 200)
	for i := range many {
		many[i] = "group-" + itoa(i)
	}
	for _, c := range []struct {
		name   string
		groups any
		code   string
	}{
		{"too many groups", many, "identity_too_large"},
		{"a comma", []string{"a,b"}, "identity_unencodable"},
		{"a quote", []string{`a"b`}, "identity_unencodable"},
		{"a bracket", []string{"a]b"}, "identity_unencodable"},
		{"a line break", []string{"a\nb"}, "identity_unencodable"},
		{"an edge blank", []string{" a"}, "identity_unencodable"},
		{"an empty value", []string{"a", ""}, "identity_unencodable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stack.isUntouched(t, func() {
				a := g.do(t, "GET", "/", bearer(issuer.Token("alice", map[string]any{"groups": c.groups})))
				if !strings.HasSuffix(a.body, " "+c.code+" alice []") || a.StatusCode != 403 {
					t.Errorf("got %d %s", a.StatusCode, a.body)
				}
			})
		})
	}
	t.Run("the log has the sizes", func(t *testing.T) {
		found := false
		for _, line := range refusals(t) {
			found = found || line.text("code") == "identity_too_large" && strings.Contains(line.text("reason"), "more than 1024")
		}
		if !found {
			t.Error("no line with sizes")
		}
	})
}
