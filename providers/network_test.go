package providers

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// secure starts the issuer with TLS on loopback.
func secure(t *testing.T, config *tls.Config) (issuer *testissuer.Issuer, ca string) {
	t.Helper()
	issuer = testissuer.NewUnstarted("")
	server := httptest.NewUnstartedServer(issuer)
	server.TLS = config
	server.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
	server.StartTLS()
	t.Cleanup(server.Close)
	issuer.URL = server.URL
	return issuer, base64.StdEncoding.EncodeToString(server.Certificate().Raw)
}

func trust(ca string) string {
	return "transport http {\n tls_trust_pool inline {\n  trust_der " + ca + "\n }\n}"
}

// Case 114: whoever can answer for the issuer can make tokens.
func TestTheIssuersCertificateIsChecked(t *testing.T) {
	issuer, ca := secure(t, nil)
	old, oldCA := secure(t, &tls.Config{MaxVersion: tls.VersionTLS11})
	_, otherCA := secure(t, &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}})
	lines := func(url, more string) string { return "issuer " + url + "\naudience stack-test\n" + more }
	for _, tc := range []struct {
		name   string
		issuer *testissuer.Issuer
		url    string
		more   string
		yes    bool
	}{
		{"a CA of our own", issuer, issuer.URL, trust(ca), true},
		{"self-signed", issuer, issuer.URL, "", false},
		{"another CA", issuer, issuer.URL, trust(otherCA), false},
		{"another name", issuer, strings.Replace(issuer.URL, "127.0.0.1", "localhost", 1), trust(ca), false},
		{"TLS 1.1", old, old.URL, trust(oldCA), false},
		{"unchecked, by the operator's word", issuer, issuer.URL, "transport http {\n tls_insecure_skip_verify\n}", true},
		// That word is not this provider's: the keys that the last one fetched
		// without looking are not its keys.
		{"self-signed, again", issuer, issuer.URL, "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o, err := load(t, newContext(t, zap.NewNop()), lines(tc.url, tc.more))
			if err != nil {
				t.Fatal(err)
			}
			tc.issuer.URL = tc.url
			token := tc.issuer.Token("alice", nil)
			if !tc.yes {
				wantCannotTell(t, o.ask(t, token))
				return
			}
			wantYes(t, o.ask(t, token), "alice")
		})
	}
}

// The same with both loaded at one time: the lease of a provider that checks
// certificates must not be that of one that does not. Caddy takes the
// transport's configuration away when it loads it, so that it was once left
// out of what tells two key sets apart.
func TestAProviderThatChecksCertificatesTakesNoKeysOfOneThatDoesNot(t *testing.T) {
	issuer, _ := secure(t, nil)
	lines := "issuer " + issuer.URL + "\naudience stack-test\n"
	careless, err := load(t, newContext(t, zap.NewNop()), lines+"transport http {\n tls_insecure_skip_verify\n}")
	if err != nil {
		t.Fatal(err)
	}
	careful, err := load(t, newContext(t, zap.NewNop()), lines)
	if err != nil {
		t.Fatal(err)
	}
	token := issuer.Token("alice", nil)
	wantCannotTell(t, careful.ask(t, token))
	wantYes(t, careless.ask(t, token), "alice")
	wantCannotTell(t, careful.ask(t, token))
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	cert, err := generateCertificate()
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// Case 106, with the client that providers really have.
func TestTheClientFollowsNoRedirect(t *testing.T) {
	var hits atomic.Int32
	canary := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer canary.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		issuer := testissuer.New(t)
		issuer.Break(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, canary.URL, status) })
		o, err := load(t, newContext(t, zap.NewNop()), "issuer "+issuer.URL+"\naudience stack-test\njwks {\n uri "+issuer.URL+"/jwks\n token secret\n}")
		if err != nil {
			t.Fatal(err)
		}
		wantCannotTell(t, o.ask(t, issuer.Token("alice", nil)))
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the canary was asked %d times", n)
	}
}

// The option counts for the fetch; a caller waits a second at most (case 101).
func TestTheTimeoutEndsAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		o := newProvider(t, issuer, usual+"timeout 3s")
		hung := hanging{ended: make(chan time.Duration, 100)}
		o.client.Transport = hung
		began := time.Now()
		wantCannotTell(t, o.ask(t, issuer.Token("alice", nil)))
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("the caller waited %s", waited)
		}
		if after := <-hung.ended; after != 3*time.Second {
			t.Errorf("the fetch ended after %s", after)
		}
	})
}

// hanging accepts a request and never answers.
type hanging struct{ ended chan time.Duration }

func (h hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	<-r.Context().Done()
	select {
	case h.ended <- time.Since(began):
	default:
	}
	return nil, r.Context().Err()
}

// reverse_proxy's transport looks for a replacer in the context of a request,
// and panics without one; ours may be there or not.
func TestTransportsGetAReplacer(t *testing.T) {
	own := caddy.NewReplacer()
	for _, ctx := range []context.Context{t.Context(), context.WithValue(t.Context(), caddy.ReplacerCtxKey, own)} {
		var got *caddy.Replacer
		transport := outside{roundTripper(func(r *http.Request) (*http.Response, error) {
			got, _ = r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
			return nil, fmt.Errorf("not sent")
		})}
		_, _ = transport.RoundTrip(httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
		if given := ctx.Value(caddy.ReplacerCtxKey); got == nil || given != nil && got != own {
			t.Errorf("replacer is %v", got)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// noTransport is a module in the namespace of transports that is none.
type noTransport struct{}

func (noTransport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.reverse_proxy.transport.none", New: func() caddy.Module { return new(noTransport) }}
}

func (*noTransport) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

func init() { caddy.RegisterModule(noTransport{}) }

func TestAModuleThatIsNoTransportIsAnError(t *testing.T) {
	const want = "module *providers.noTransport is not a transport"
	if _, err := parse("transport none"); err == nil || err.Error() != want+", at Testfile:2" {
		t.Errorf("error is %v", err)
	}
	_, err := loadJSON(newContext(t, zap.NewNop()), `{"issuer":"https://a","audience":["b"],"transport":{"protocol":"none"}}`)
	if err == nil || !strings.Contains(err.Error(), "loading transport: "+want) {
		t.Errorf("error is %v", err)
	}
}

// Case 115.
func TestAddressesMustBeHTTPSOrOfThisMachine(t *testing.T) {
	const notOne = `a %q: expected an absolute https URL`
	for address, want := range map[string]string{
		"https://idp.example": "", "https://idp.example:8443/a?b=c": "", "HTTPS://idp.example": "",
		"http://localhost": "", "http://LOCALHOST:1": "", "http://127.0.0.1": "", "http://127.9.9.9:1": "",
		"http://[::1]:8080": "", "http://[::ffff:127.0.0.1]": "",
		"http://idp.example":        `a "http://idp.example": expected https (plain http needs allow_http)`,
		"http://10.0.0.1":           `a "http://10.0.0.1": expected https (plain http needs allow_http)`,
		"http://localhost.evil":     `a "http://localhost.evil": expected https (plain http needs allow_http)`,
		"http://127.0.0.1.evil":     `a "http://127.0.0.1.evil": expected https (plain http needs allow_http)`,
		"http://169.254.169.254":    `a "http://169.254.169.254": expected https (plain http needs allow_http)`,
		"https://user:pw@a":         `a: expected a URL without credentials and fragment`,
		"https://user@a":            `a: expected a URL without credentials and fragment`,
		"https://a#b":               `a: expected a URL without credentials and fragment`,
		"idp.example":               notOne,
		"//idp.example":             notOne,
		"/path":                     notOne,
		"https://":                  notOne,
		"https://:443":              notOne,
		"https:idp.example":         notOne,
		"ftp://idp.example":         notOne,
		"file:///etc/passwd":        notOne,
		"https://idp.example:port":  notOne,
		"https://[::1":              notOne,
		"https://a b":               notOne,
		"":                          notOne,
		"https://a\nb":              notOne,
		"unix//run/idp.sock":        notOne,
		"https://%zz":               notOne,
		"javascript://idp.example/": notOne,
	} {
		if want == notOne {
			want = fmt.Sprintf(notOne, address)
		}
		err := checkAddress("a", address, false)
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%q: %v, want %s", address, err, want)
		}
		if u, parseErr := url.Parse(address); parseErr == nil && u.Scheme == "http" {
			if err := checkAddress("a", address, true); err != nil {
				t.Errorf("%q with allow_http: %v", address, err)
			}
		}
	}
}

func TestTokenForms(t *testing.T) {
	for _, tc := range []struct {
		form  *TokenForm
		token string
		want  bool
	}{
		{nil, "anything", true},
		{&TokenForm{Form: "jwt"}, "a.b.c", true},
		{&TokenForm{Form: "jwt"}, "a.b", false},
		{&TokenForm{Form: "jwt"}, "a.b.c.d", false},
		{&TokenForm{Form: "opaque"}, "a.b.c", false},
		{&TokenForm{Form: "opaque"}, "a.b", true},
		{&TokenForm{Form: "prefix", Prefixes: []string{"x", "ghp_"}}, "ghp_1", true},
		{&TokenForm{Form: "prefix", Prefixes: []string{"x", "ghp_"}}, "GHP_1", false},
		{&TokenForm{Form: "prefix", Prefixes: []string{"x", "ghp_"}}, "ghp", false},
	} {
		if got := tc.form.claims(tc.token); got != tc.want {
			t.Errorf("%+v claims %q: %t", tc.form, tc.token, got)
		}
	}
}

// Of Caddy's own transport it has to be known, too, why there is no connection.
func TestAConnectionThatCannotBeMadeIsNamed(t *testing.T) {
	p := newKind[*Custom](t, "custom", "endpoint "+closedAddress(t)+"/check?code=hidden")
	answer := askKind(t, p, "key-0123456789")
	cannot, ok := answer.(*CannotTell)
	if !ok {
		t.Fatalf("answer is %s", describe(answer))
	}
	if text := cannot.Err.Error(); !strings.Contains(text, "connection refused") || strings.Contains(text, "hidden") {
		t.Errorf("error is %s", text)
	}
}
