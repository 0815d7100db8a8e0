package stackauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// behindProxy is a provider that believes the peers.
func behindProxy(peers string, options ...string) string {
	return "provider upstream_header {\nprincipal_header X-Remote-User\nattributes_header X-Remote-Attributes\n" +
		"attribute_header X-Remote-Roles roles\ntrusted_proxies " + peers + "\n" + strings.Join(options, "\n") + "\n}\n"
}

func TestATrustedProxysHeadersBecomeTheIdentity(t *testing.T) {
	stack := newStack(t)
	g := startGateway(t, "stack_auth {\n"+behindProxy("127.0.0.1", "tenant_header X-Tenant-Id")+
		"identity_headers {\ntenant X-Tenant-Id\n}\n}\n"+proxy(stack))
	g.do(t, "GET", "/v1/models", "X-Remote-User: alice", `X-Remote-Attributes: {"teams":["a"]}`, `X-Remote-Roles: ["r1","r2"]`,
		"X-Tenant-Id: Acme").is(t, 200, "")
	r := stack.last(t)
	for name, want := range map[string]string{
		"X-Auth-User-Id": "alice", "X-Auth-Attributes": `{"roles":["r1","r2"],"teams":["a"]}`, "X-Tenant-Id": "acme",
		"X-Remote-User": "", "X-Remote-Attributes": "", "X-Remote-Roles": "",
	} {
		if got := strings.Join(r.Header[name], "|"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// The chain of two gateways: what the first sets under the usual names is what
// the second takes, and sets anew.
func TestTheUsualIdentityHeadersMayBeTheSource(t *testing.T) {
	stack := newStack(t)
	g := startGateway(t, "stack_auth {\nprovider upstream_header {\nprincipal_header X-Auth-User-Id\nattributes_header X-Auth-Attributes\n"+
		"trusted_proxies 127.0.0.0/8\nprincipal_prefix edge:\n}\n}\n"+proxy(stack))
	g.do(t, "GET", "/v1/models", "X-Auth-User-Id: alice", `X-Auth-Attributes: {"roles":["admin"]}`).is(t, 200, "")
	r := stack.last(t)
	r.identity(t, "edge:alice")
	if got := r.Header.Get("X-Auth-Attributes"); got != `{"roles":["admin"]}` {
		t.Errorf("attributes are %s", got)
	}
}

// Cases 155 to 157: mallory is no proxy. She sends what the proxy would send,
// under every spelling, and names a trusted address in X-Forwarded-For.
func TestHeadersOfAnUntrustedPeerSayNothing(t *testing.T) {
	stack := newStack(t)
	forged := []string{
		"X-Remote-User: admin", "x-remote-user: admin", "X_Remote_User: admin", "X.Remote.User: admin", "X-REMOTE-USER: admin\nX-Remote-User: admin",
	}
	head := "X-Remote-Attributes: {\"roles\":[\"admin\"]}\nX-Remote-Roles: [\"admin\"]\nX-Forwarded-For: 10.0.0.1\nX-Real-Ip: 10.0.0.1\nForwarded: for=10.0.0.1\n"
	servers := "servers {\ntrusted_proxies static 127.0.0.1\n}" // Caddy's own: it says who X-Forwarded-For is, not who calls
	g := startGatewayWith(t, servers, fmt.Sprintf("stack_auth {\n%s\npublic /public*\nallow_preflight\n}\n%s", behindProxy("10.0.0.0/8"), proxy(stack)))
	for _, lines := range forged {
		stack.isUntouched(t, func() {
			a := g.raw(t, "GET /v1/models HTTP/1.1\n"+lines+"\n"+head+"\n")
			a.is(t, 401, "missing_credential")
			if got := a.Header.Get("Www-Authenticate"); got != `Bearer realm="stack"` {
				t.Errorf("challenge is %s", got)
			}
		})
		for _, line := range []string{"GET /public/x", "OPTIONS /v1/models"} {
			g.raw(t, line+" HTTP/1.1\nOrigin: https://a.example\nAccess-Control-Request-Method: GET\n"+lines+"\n"+head+"\n").is(t, 200, "")
			for name := range stack.last(t).asCGI() {
				if strings.HasPrefix(name, "x-remote-") || strings.HasPrefix(name, "x-auth-") {
					t.Errorf("%s, %s: %s reached the stack", line, lines, name)
				}
			}
		}
	}
	for _, line := range refusals(t) {
		if got := line.text("reason"); got != "no credential; upstream_header: no caller in the headers of a trusted proxy" {
			t.Errorf("reason is %q", got)
		}
	}
}

// Two lines of one header could be read in two ways.
func TestASourceHeaderThatIsThereTwiceIsRefused(t *testing.T) {
	stack := newStack(t)
	g := startGateway(t, "stack_auth {\n"+behindProxy("127.0.0.1")+"public /public\n}\n"+proxy(stack))
	for _, lines := range []string{
		"X-Remote-User: alice\nX-Remote-User: admin\n",
		"X-Remote-User: alice\nx-remote-user: alice\n",
		"X-Remote-User: alice\nX-Remote-Roles: a\nX-Remote-Roles: b\n",
		"X-Remote-User: alice\nX-Remote-Attributes: {}\nX-Remote-Attributes: {}\n",
	} {
		stack.isUntouched(t, func() {
			g.raw(t, "GET /v1/models HTTP/1.1\n"+lines+"\n").is(t, 400, "duplicate_credential")
		})
		g.raw(t, "GET /public HTTP/1.1\n"+lines+"\n").is(t, 200, "")
	}
}

// Caddy drops one of two spellings before we see them; should it not, they are
// two lines of one header. Alone, the other spelling is not the header.
func TestASourceHeaderInTwoSpellingsIsRefused(t *testing.T) {
	d := newDirect(t, "stack_auth {\n"+behindProxy("127.0.0.1")+"}")
	for lines, want := range map[string]int{
		"X-Remote-User: alice":                                           200,
		"X-Remote-User: alice\nX_Remote_User: admin":                     400,
		"X-Remote-User: alice\nx.remote-roles: admin":                    200,
		"X-Remote-User: alice\nX-Remote-Roles: a\nx.remote-roles: admin": 400,
		"X_Remote_User: admin":                                           401,
	} {
		r := httptest.NewRequest(http.MethodGet, "/v1/models", nil)
		r.RemoteAddr = "127.0.0.1:1234"
		for line := range strings.SplitSeq(lines, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			r.Header[name] = []string{value}
		}
		w, passed, err := d.serve(r)
		if err != nil || w.Code != want || (passed != nil) != (want == 200) {
			t.Errorf("%q: got %d, want %d, %v", lines, w.Code, want, err)
		}
		if passed != nil && len(passed.Header) != 2 {
			t.Errorf("%q: headers are %v", lines, passed.Header)
		}
	}
}

// A proxy that says nonsense has not said who calls: 401, and not anonymous.
func TestMalformedSourceHeadersAreRefused(t *testing.T) {
	stack := newStack(t)
	g := startGateway(t, "stack_auth {\n"+behindProxy("127.0.0.1")+"allow_anonymous\n}\n"+proxy(stack))
	for _, lines := range [][]string{
		{"X-Remote-User: alice", `X-Remote-Attributes: ["admin"]`},
		{"X-Remote-User: alice", `X-Remote-Attributes: {"roles":["a"],"roles":["admin"]}`},
		{"X-Remote-User: alice", `X-Remote-Roles: [1]`},
		{"X-Remote-User: " + strings.Repeat("a", 257)},
	} {
		stack.isUntouched(t, func() { g.do(t, "GET", "/v1/models", lines...).is(t, 401, "invalid_token") })
	}
	g.do(t, "GET", "/v1/models", `X-Remote-Attributes: {"roles":["admin"]}`).is(t, 200, "")
	stack.last(t).identity(t, "")
}

// Beside tokens: whoever comes through the proxy is known by it, everyone else
// by a token; a token does not make a header count.
func TestAProxyAndTokensInOneBlock(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	for peers, want := range map[string]string{"127.0.0.1": "proxy:bob", "10.0.0.1": "alice"} {
		g := startGateway(t, "stack_auth {\n"+behindProxy(peers, "principal_prefix proxy:")+trust(issuer, "")+"}\n"+proxy(stack))
		g.do(t, "GET", "/v1/models", bearer(issuer.Token("alice", nil)), "X-Remote-User: bob").is(t, 200, "")
		r := stack.last(t)
		r.identity(t, want)
		r.isWithout(t, issuer.Token("alice", nil))
		g.do(t, "GET", "/v1/models", bearer(issuer.Token("alice", nil))).is(t, 200, "")
		stack.last(t).identity(t, "alice")
	}
}

// A further block that takes its caller from a proxy gets what that sent,
// although blocks before it have taken the same headers off; what those set
// themselves is not what a proxy sent.
func TestAFurtherBlockStillGetsWhatTheProxySent(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	edge := "stack_auth {\nprovider upstream_header {\nprincipal_header X-Auth-User-Id\ntrusted_proxies 127.0.0.1\n}\n}\n"
	g := startGateway(t, "stack_auth /tokens* {\n"+trust(issuer, "")+"}\nroute {\n"+edge+proxy(stack)+"}\n")
	g.do(t, "GET", "/v1/models", "X-Auth-User-Id: bob").is(t, 200, "")
	stack.last(t).identity(t, "bob")
	g.do(t, "GET", "/tokens", bearer(issuer.Token("alice", nil)), "X-Auth-User-Id: bob").is(t, 200, "")
	stack.last(t).identity(t, "bob")
	stack.isUntouched(t, func() {
		g.do(t, "GET", "/tokens", bearer(issuer.Token("alice", nil))).is(t, 401, "invalid_token")
	})
}

func TestTenancyMultiTakesTheProxysTenant(t *testing.T) {
	stack := newStack(t)
	g := startGateway(t, "stack_auth {\ntenancy multi\n"+behindProxy("127.0.0.1", "tenant_header X-Remote-Tenant")+"}\n"+proxy(stack))
	g.do(t, "GET", "/", "X-Remote-User: alice", "X-Remote-Tenant: red").is(t, 200, "")
	stack.isUntouched(t, func() {
		g.do(t, "GET", "/", "X-Remote-User: alice").is(t, 403, "tenant_required")
		g.do(t, "GET", "/", "X-Remote-User: alice", "X-Remote-Tenant: r/d").is(t, 401, "invalid_token")
	})
	if err := tryLoad(t, g.config("", "stack_auth {\ntenancy multi\n"+behindProxy("127.0.0.1")+"}\n")); err == nil || !strings.Contains(err.Error(), "tenancy multi") {
		t.Errorf("error is %v", err)
	}
}
