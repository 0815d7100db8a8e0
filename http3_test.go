package stackauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// tlsTableTest asks what the README's table promises, of the example behind a
// Caddy that speaks HTTP/2 and HTTP/3 over TLS.
type tlsTableTest struct {
	*tableTest
	*tlsGateway
	example string
	http3   *http3.Transport
}

func newTLSTableTest(t *testing.T) *tlsTableTest {
	t.Helper()
	issuer := testissuer.New(t)
	g := startTLSGateway(t, "respond 503")
	p := newTableTest(t, issuer)
	overHTTP3, client := new(http.Transport), g.overHTTP3(t)
	overHTTP3.RegisterProtocol("https", client)
	p.gateway, p.versions = g.gateway, map[int]*http.Transport{2: g.overHTTP2(t), 3: overHTTP3}
	example := policyExample(t, p.gateway, p.stack.URL, issuer.URL)
	example = strings.Replace(example, "servers {\nprotocols h1 h2c\n}\n", everyVersion, 1)
	example = strings.Replace(example, "\tbind {$GATEWAY_BIND:127.0.0.1}\n", g.lines, 1)
	if !strings.Contains(example, everyVersion) || !strings.Contains(example, g.lines) {
		t.Fatalf("the example has no place for TLS:\n%s", example)
	}
	g.reload(t, example)
	return &tlsTableTest{p, g, example, client}
}

// reload loads the example with the text in place of the other.
func (p *tlsTableTest) reload(t *testing.T, text, with string) {
	t.Helper()
	changed := strings.Replace(p.example, text, with, 1)
	if changed == p.example {
		t.Fatalf("the example has no %q", text)
	}
	p.tlsGateway.reload(t, changed)
	p.http3.CloseIdleConnections() // as hangUp does for the others
}

func TestThePolicyOfTheREADMEHoldsOverTLSInHTTP2AndHTTP3(t *testing.T) {
	p := newTLSTableTest(t)
	asWritten := func(row tableRow, user string) string { return row.status[user] }
	p.holds(t, asWritten)
	p.reload(t, "forbid /v1/admin*", "forbid\nforbid /v1/admin*")
	p.holds(t, func(tableRow, string) string { return "403" })
	p.reload(t, "forbid /v1/admin*", "permit /v1/providers {\nwhen user with user in roles\n}\nforbid /v1/admin*")
	p.holds(t, func(row tableRow, user string) string {
		if row.path == "/v1/providers" {
			return "200"
		}
		return row.status[user]
	})
}

func TestUmaFindsNoWayRoundTheREADMEsPolicyOverHTTP3(t *testing.T) {
	p := newTLSTableTest(t)
	conn, token := p.dialHTTP3(t), bearer(p.tokens["uma"])
	ask := func(lines []string) func() answer {
		return func() answer { return answered(t, conn.open(t, lines...)) }
	}
	for want, targets := range map[verdict][]string{
		passes: {"/v1/models", "/v1/models/", "/v1/models/llama?x=/v1/admin", "/v1/%6dodels", "/v1/models%2Fllama"},
		forbidden: {
			"/v1/providers", "/v1/Providers", "/V1/PROVIDERS/x", "/v1/%70roviders", "/v1%2Fproviders", "/v1%2fproviders", "/v1/providers/",
			"/v1/providers?/v1/models", "/v1alpha", "/V1ALPHA/admin/health", "/v1/chat/completions", "/v1/MODELS", "/", "/v1/openai/v1/models",
		},
		twoWays: {
			"/v1/models/../providers", "/v1/models/%2e%2e/providers", "/v1/models/..%2Fproviders", "/v1/models/.%2e/providers", "/v1/./models",
			"//v1/providers", "/v1//providers", "//localhost/v1/models", "/v1/models/%252e%252e/providers", "/v1/models;/../providers",
			"/v1/models%00", "/v1/models//", "/v1/models%5c..%5cproviders",
		},
	} {
		for _, target := range targets {
			t.Run("GET "+target+" "+string(want), func(t *testing.T) {
				p.stack.judged(t, want, ask(p.request("GET", target, token)))
			})
		}
	}
	t.Run("by a target that is no path", func(t *testing.T) {
		p.stack.isUntouched(t, func() {
			for _, target := range []string{"*", "v1/models", "https://localhost/v1/models", "http:/v1/models", "", "?x", "/v1/%zz"} {
				conn.open(t, p.request("GET", target, token)...).(*http3Stream).isReset(t)
			}
		})
	})
	t.Run("by a method", func(t *testing.T) {
		for method, want := range map[string]verdict{"HEAD": passes, "POST": forbidden, "DELETE": forbidden, "OPTIONS": forbidden} {
			p.stack.judged(t, want, ask(p.request(method, "/v1/models", token)))
		}
		p.stack.isUntouched(t, func() {
			for _, method := range []string{"get", "TRACE", "QUERY", "GET_0RTT"} {
				ask(p.request(method, "/v1/models", token))().is(t, 405, "method_not_allowed")
			}
		})
	})
	t.Run("by another name of the site", func(t *testing.T) {
		port := p.authority[len("localhost"):]
		for authority, want := range map[string]verdict{
			"localhost": forbidden, "LOCALHOST" + port: forbidden, "localhost:1": forbidden, "localhost:": forbidden,
		} {
			lines := p.request("GET", "/v1/providers", token)
			lines[2] = ":authority: " + authority
			p.stack.judged(t, want, ask(lines))
			lines[3] = ":path: /v1/models"
			p.stack.judged(t, passes, ask(lines))
		}
		pseudo := func(authority ...string) []string {
			return append(append([]string{":method: GET", ":scheme: https", ":path: /v1/providers"}, authority...), token)
		}
		p.stack.judged(t, forbidden, ask(pseudo("host: "+p.authority)))
		p.stack.judged(t, forbidden, ask(pseudo(":authority: "+p.authority, "host: "+p.authority)))
		p.stack.isUntouched(t, func() {
			for _, lines := range [][]string{
				pseudo(), pseudo(":authority: "), pseudo(":authority: "+p.authority, "host: localhost"),
				pseudo(":authority: uma@" + p.authority), pseudo("host: "+p.authority, "host: "+p.authority),
			} {
				conn.open(t, lines...).(*http3Stream).isReset(t)
			}
		})
	})
}

// Whom the stack is told of is who presented the token, whatever else is in the
// request, before its body or after it.
func TestNobodyForgesAnIdentityOverHTTP3(t *testing.T) {
	p := newTLSTableTest(t)
	conn, token := p.dialHTTP3(t), bearer(p.tokens["uma"])
	forged := []string{
		"x-auth-user-id: anna", `x-auth-attributes: {"roles":["admin"]}`, "x-tenant-id: victim",
		"x_auth_user_id: anna", "x.auth.user.id: anna", "x-auth_attributes: {}", "x_tenant_id: victim",
	}
	ask := func(method, path string, lines, trailers []string) func() answer {
		return func() answer {
			t.Helper()
			s := conn.open(t, p.request(method, path, append([]string{token}, lines...)...)...).(*http3Stream)
			if _, err := s.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			if trailers != nil {
				if err := s.headers(trailers...); err != nil {
					t.Fatal(err)
				}
			}
			return answered(t, s)
		}
	}
	for _, c := range []struct {
		name            string
		lines, trailers []string
		want            verdict
	}{
		{"in headers", forged, nil, passes},
		{"in trailers that nobody announced", nil, forged, passes},
		{"in both", forged, forged, passes},
		{"in trailers that are announced", []string{"trailer: x-auth-user-id"}, forged, twoWays},
		{"in trailers, with something harmless announced", []string{"trailer: x-other"}, forged, twoWays},
		{"with announced trailers that do not come", []string{"trailer: x-other"}, nil, twoWays},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.stack.judged(t, c.want, ask("POST", "/v1/chat/completions", c.lines, c.trailers))
			if c.want == passes {
				r := p.stack.last(t)
				r.identity(t, "uma")
				r.isWithout(t, p.tokens["uma"])
				if r.body != "hello" || len(r.Trailer) != 0 {
					t.Errorf("the stack got the body %q and the trailers %v", r.body, r.Trailer)
				}
				p.stack.judged(t, forbidden, ask("POST", "/v1/providers", c.lines, c.trailers))
			}
		})
	}
	t.Run("by a second credential", func(t *testing.T) {
		p.stack.isUntouched(t, func() {
			ask("POST", "/v1/chat/completions", []string{bearer(p.tokens["anna"])}, nil)().is(t, 400, "duplicate_credential")
		})
	})
	t.Run("by a header of the connection, which HTTP/3 has not", func(t *testing.T) {
		p.stack.isUntouched(t, func() {
			for _, malformed := range []string{"connection: authorization", "upgrade: websocket", "transfer-encoding: chunked", "te: gzip"} {
				conn.open(t, p.request("GET", "/v1/models", token, malformed)...).(*http3Stream).isReset(t)
			}
		})
	})
}
