package stackauth_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// The status table of the contract, with what every refusal has in common.
func TestRefusalsLookAsTheContractSays(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, "stack_auth {\n"+trust(issuer, "", "tenant_claim org")+
		"tenancy multi\nbase_path /llm\nrequire roles user\nidentity_headers {\nattribute teams X-Teams csv\nmax_size 2KiB\n}\n"+
		"token_source header Authorization Bearer\ntoken_source cookie session\n}\n"+proxy(stack))
	claims := func(more map[string]any) string {
		all := map[string]any{"org": "acme", "roles": "user"}
		maps.Copy(all, more)
		return issuer.Token("alice", all)
	}
	good := claims(nil)
	insufficient := `Bearer realm="stack", error="insufficient_scope", error_description="The caller is not allowed to do this."`
	expired := `Bearer realm="stack", error="invalid_token", error_description="The token has expired."`
	for _, c := range []struct {
		name, method, path string
		headers            []string
		status             int
		kind, code         string
		challenge          string
	}{
		{"ambiguous path", "GET", "/llm//x", []string{bearer(good)}, 400, "invalid_request_error", "ambiguous_request", ""},
		{"malformed credential", "GET", "/llm/x", []string{"Authorization: Bearer"}, 400, "invalid_request_error", "ambiguous_request", formChallenge},
		{"credential twice", "GET", "/llm/x", []string{bearer(good), "Cookie: session=x"}, 400, "invalid_request_error", "duplicate_credential", twiceChallenge},
		{"no credential", "GET", "/llm/x", nil, 401, "authentication_error", "missing_credential", bareChallenge},
		{"bad token", "GET", "/llm/x", []string{bearer("a.b.c")}, 401, "authentication_error", "invalid_token", invalidChallenge},
		{"expired token", "GET", "/llm/x", []string{bearer(claims(map[string]any{"exp": 1000}))}, 401, "authentication_error", "expired_token", expired},
		{"no tenant", "GET", "/llm/x", []string{bearer(claims(map[string]any{"org": nil}))}, 403, "permission_error", "tenant_required", ""},
		{"role missing", "GET", "/llm/x", []string{bearer(claims(map[string]any{"roles": "guest"}))}, 403, "permission_error", "insufficient_permissions", insufficient},
		{"too many groups", "GET", "/llm/x", []string{bearer(claims(map[string]any{"groups": []string{strings.Repeat("x", 2000)}}))}, 403, "permission_error", "identity_too_large", ""},
		{"a group with a comma", "GET", "/llm/x", []string{bearer(claims(map[string]any{"groups": []string{"a,b"}}))}, 403, "permission_error", "identity_unencodable", ""},
		{"cookie of another site", "POST", "/llm/x", []string{"Cookie: session=" + good}, 403, "permission_error", "origin_mismatch", ""},
		{"outside base_path", "GET", "/x", []string{bearer(good)}, 404, "not_found_error", "resource_not_found", ""},
		{"method", "TRACE", "/llm/x", []string{bearer(good)}, 405, "invalid_request_error", "method_not_allowed", ""},
		{"early data", "POST", "/llm/x", []string{bearer(good), "Early-Data: 1"}, 425, "invalid_request_error", "too_early", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			stack.isUntouched(t, func() {
				a := g.do(t, c.method, c.path, c.headers...)
				a.is(t, c.status, c.code)
				if want := `"type":"` + c.kind + `","code":"` + c.code + `"}}`; !strings.HasSuffix(a.body, want) || !strings.HasPrefix(a.body, `{"error":{"message":"`) {
					t.Errorf("body is %s", a.body)
				}
				if got := a.Header.Get("WWW-Authenticate"); got != c.challenge {
					t.Errorf("WWW-Authenticate is %s, want %s", got, c.challenge)
				}
				if got := a.Header.Get("Content-Length"); got != itoa(len(a.body)) {
					t.Errorf("Content-Length is %s of %d", got, len(a.body))
				}
				if (a.Header.Get("Allow") != "") != (c.status == 405) || a.Header.Get("Retry-After") != "" {
					t.Errorf("Allow %q, Retry-After %q", a.Header.Get("Allow"), a.Header.Get("Retry-After"))
				}
			})
		})
	}
}

// Form before authentication before tenancy before rules.
func TestTheFirstThingWrongIsTheAnswer(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, "stack_auth {\n"+trust(issuer, "", "tenant_claim org")+
		"tenancy multi\nrequire roles admin\nidentity_headers {\nmax_size 1KiB\n}\n}\n"+proxy(stack))
	huge := []string{strings.Repeat("x", 1100)}
	wrong := []struct {
		status  int
		code    string
		method  string
		path    string
		headers []string
		claims  map[string]any
	}{
		{405, "method_not_allowed", "FOO", "", nil, nil},
		{400, "ambiguous_request", "", "/v1//x", nil, nil},
		{425, "too_early", "", "", []string{"Early-Data: 1"}, nil},
		{401, "expired_token", "", "", nil, map[string]any{"exp": 1000}},
		{403, "tenant_required", "", "", nil, map[string]any{"org": nil}},
		{403, "insufficient_permissions", "", "", nil, map[string]any{"roles": "user"}},
		{403, "identity_too_large", "", "", nil, map[string]any{"groups": huge}},
	}
	for first := range wrong {
		method, path, headers := "POST", "/v1/x", []string(nil)
		claims := map[string]any{"org": "acme", "roles": "admin"}
		for _, w := range wrong[first:] {
			if w.method != "" {
				method = w.method
			}
			if w.path != "" {
				path = w.path
			}
			headers = append(headers, w.headers...)
			maps.Copy(claims, w.claims)
		}
		t.Run(wrong[first].code, func(t *testing.T) {
			stack.isUntouched(t, func() {
				g.do(t, method, path, append(headers, bearer(issuer.Token("alice", claims)))...).is(t, wrong[first].status, wrong[first].code)
			})
		})
	}
}

func TestARealmWithQuotesIsOneRealm(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, `realm "my \"stack\", error=\\"`)+proxy(stack))
	got := g.do(t, "GET", "/").Header.Get("WWW-Authenticate")
	if want := `Bearer realm="my \"stack\", error=\\\\"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestErrorsCaddyHandsTheRefusalToErrorRoutes(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	site := protect(issuer, "errors caddy", "require roles admin") + proxy(stack)
	t.Run("with an error route", func(t *testing.T) {
		g := startGateway(t, site+`
			handle_errors 401 403 {
				respond "{err.status_code}|{err.message}|{http.stack_auth.error.code}|{http.stack_auth.error.type}|{http.stack_auth.error.message}|{http.auth.user.id}|{http.stack_auth.decision}|{http.stack_auth.rule}"
			}`)
		stack.isUntouched(t, func() {
			a := g.do(t, "GET", "/", bearer(issuer.Token("bob", nil)))
			message := "The caller is not allowed to do this."
			if want := "403|" + message + "|insufficient_permissions|permission_error|" + message + "|bob|deny|require 1"; a.body != want || a.StatusCode != 403 {
				t.Errorf("got %d %s", a.StatusCode, a.body)
			}
			if a.Header.Get("Cache-Control") != "no-store" || !strings.Contains(a.Header.Get("WWW-Authenticate"), "insufficient_scope") {
				t.Errorf("headers are %v", a.Header)
			}
			a = g.do(t, "GET", "/")
			message = "No credential was presented."
			if want := "401|" + message + "|missing_credential|authentication_error|" + message + "||deny|"; a.body != want {
				t.Errorf("got %d %s", a.StatusCode, a.body)
			}
		})
	})
	t.Run("without one the answer is empty, its headers are not", func(t *testing.T) {
		g := startGateway(t, site)
		a := g.do(t, "TRACE", "/")
		if a.StatusCode != 405 || a.body != "" || a.Header.Get("Allow") == "" {
			t.Errorf("got %d %q %v", a.StatusCode, a.body, a.Header)
		}
	})
}

// A credential in the query is given back to error routes by Caddy, which
// restores the request as it came.
func TestACredentialDoesNotReachTheStackByTheErrorRoute(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	// Caddy's own log of errors shows requests as they came, as its access log
	// does, and wants the same filter.
	g := startGatewayWith(t, `log {
			output stack_auth_test
			level DEBUG
			format filter {
				wrap json
				request>uri query {
					replace key REDACTED
				}
				request>headers>X-Api-Key delete
				request>headers>Sec-Websocket-Protocol delete
			}
		}`, protect(issuer, "errors caddy", allSources, "public /public*")+`
		handle /public/broken {
			error 500
		}
		handle /v1/broken {
			error 500
		}
		handle_errors {
			reverse_proxy `+stack.URL+`
		}
		`+proxy(stack))
	good := issuer.Token("alice", nil)
	for _, token := range []string{good, good + "x"} {
		for _, path := range []string{"/v1/x", "/v1//x", "/public/broken", "/v1/broken"} {
			for name, request := range map[string][2]string{
				"query":         {"?a=1&key=" + token + "&b=2", "A: b"},
				"Authorization": {"", bearer(token)},
				"x-api-key":     {"", "X-Api-Key: " + token},
				"cookie":        {"", "Cookie: session=" + token},
				"subprotocol":   {"", "Sec-Websocket-Protocol: openai-insecure-api-key." + token},
			} {
				before := stack.count()
				g.do(t, "GET", path+request[0], request[1])
				if stack.count() != before+1 {
					t.Fatalf("%s %s: %d requests reached the stack", name, path, stack.count()-before)
				}
				r := stack.last(t)
				r.isWithout(t, good)
				if name == "query" && r.URL.RawQuery != "a=1&b=2" {
					t.Errorf("%s: query is %q", path, r.URL.RawQuery)
				}
			}
		}
	}
}

// What a refusal says is fixed. Nothing of the token, of the key set, or of a
// library's words is in it, in its headers, or in any log line.
func TestRefusalsTellNothing(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, "log {\noutput stack_auth_test\n}\n"+protect(issuer, "errors caddy")+
		"handle_errors {\nrespond \"{err.message} {http.stack_auth.error.message} {http.stack_auth.attributes} {http.stack_auth.provider}\"\n}\n"+proxy(stack))
	key := testissuer.NewKey("key-1", "RS256")
	secretKid := "kid-that-is-nobodys-business"
	good := issuer.Token("alice", nil)
	for name, token := range map[string]string{
		"an unknown kid":      key.Sign(issuer.Claims("alice", nil), map[string]any{"kid": secretKid}),
		"a bad signature":     good[:len(good)-4] + "AAAA",
		"alg none":            key.SignRaw([]byte(`{"alg":"none","kid":"`+secretKid+`"}`), []byte(`{}`)),
		"crit":                key.Sign(issuer.Claims("alice", nil), map[string]any{"crit": []string{secretKid}}),
		"another audience":    issuer.Token("alice", map[string]any{"aud": secretKid}),
		"another issuer":      issuer.Token("alice", map[string]any{"iss": "https://" + secretKid}),
		"a broken payload":    key.SignRaw([]byte(`{"alg":"RS256","kid":"key-1"}`), []byte(`{"sub":"`+secretKid+``)),
		"a principal with CR": issuer.Token("alice\r"+secretKid, nil),
		"a header of garbage": key.SignRaw([]byte(`{"alg":"RS256","`+secretKid), []byte(`{}`)),
	} {
		t.Run(name, func(t *testing.T) {
			stack.isUntouched(t, func() {
				a := g.do(t, "GET", "/v1/x", bearer(token))
				if a.StatusCode != 401 {
					t.Fatalf("got %d %s", a.StatusCode, a.body)
				}
				whole := a.body + "\n"
				for name, values := range a.Header {
					whole += name + ": " + strings.Join(values, ",") + "\n"
				}
				for _, told := range []string{secretKid, "alice", "jwt", "jws", "crypto", "rsa", "base64", "key-1", "json", "127.0.0.1", "oauth2"} {
					if strings.Contains(strings.ToLower(whole), told) {
						t.Errorf("the answer has %q:\n%s", told, whole)
					}
				}
			})
		})
	}
	if strings.Contains(logs.text(), secretKid) {
		t.Error("a part of a token is in the logs")
	}
	if n := len(refusals(t)); n == 0 {
		t.Error("nothing was logged")
	}
}
