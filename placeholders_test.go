package stackauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// known is a provider that takes the caller from the placeholder.
func known(principal string, options ...string) string {
	return "provider placeholders {\nprincipal " + principal + "\n" + strings.Join(options, "\n") + "\n}\n"
}

func TestBasicAuthSaysWhoCalls(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	const (
		password = "not-a-secret"
		hash     = "$2a$04$fsBrCDNA7KBzw0dgEpb6Su9ASiStnl5HGhj4OE1EGwJ/7YzLZ2CMC" // of it, by bcrypt
	)
	g := startGateway(t, fmt.Sprintf("@basic header Authorization Basic*\nbasic_auth @basic {\nalice %s\n}\nstack_auth {\n%s%s}\n%s",
		hash, known("{http.auth.user.id}", "principal_prefix local:"), trust(issuer, ""), proxy(stack)))
	login := func(password string) answer {
		req, err := http.NewRequest(http.MethodGet, g.URL+"/v1/models", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("alice", password)
		return send(t, req)
	}
	login(password).is(t, 200, "")
	r := stack.last(t)
	r.identity(t, "local:alice")
	if got := r.Header["Authorization"]; got != nil {
		t.Error("the password reached the stack")
	}
	g.do(t, "GET", "/v1/models", bearer(issuer.Token("bob", nil))).is(t, 200, "")
	stack.last(t).identity(t, "bob")
	stack.isUntouched(t, func() {
		if a := login("wrong"); a.StatusCode != 401 { // basic_auth's own answer
			t.Errorf("a wrong password is %d", a.StatusCode)
		}
		g.do(t, "GET", "/v1/models").is(t, 401, "missing_credential")
	})
}

func TestForwardAuthSaysWhoCalls(t *testing.T) {
	stack := newStack(t)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") != "session=alice" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("Remote-User", "alice")
		w.Header().Set("Remote-Groups", "eng, ml team ,,")
		w.Header().Set("Remote-Org", "Acme")
	}))
	defer service.Close()
	g := startGateway(t, fmt.Sprintf("@in not path /out*\nforward_auth @in %s {\nuri /verify\n}\nstack_auth {\n%s}\n%s", service.URL,
		known("{rp.header.Remote-User}", "attribute teams {rp.header.Remote-Groups} ,", "attribute orgs {rp.header.Remote-Org}", "tenant {rp.header.Remote-Org}"), proxy(stack)))
	g.do(t, "GET", "/v1/models", "Cookie: session=alice").is(t, 200, "")
	r := stack.last(t)
	r.identity(t, "alice")
	if got := r.Header.Get("X-Auth-Attributes"); got != `{"orgs":["Acme"],"teams":["eng","ml team"]}` {
		t.Errorf("attributes are %s", got)
	}
	// Where forward_auth was not asked, it has said nothing, whatever the caller says.
	stack.isUntouched(t, func() {
		g.do(t, "GET", "/out", "Cookie: session=alice", "Remote-User: admin").is(t, 401, "missing_credential")
		if a := g.do(t, "GET", "/v1/models", "Remote-User: admin"); a.StatusCode != 403 { // the service's own answer
			t.Errorf("without a session it is %d", a.StatusCode)
		}
	})
}

// certificates are a CA with a server and clients, as files.
type certificates struct {
	dir    string
	ca     *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
}

func newCertificates(t testing.TB) *certificates {
	t.Helper()
	c := &certificates{dir: t.TempDir()}
	c.make(t, "ca", nil)
	c.make(t, "server", c.ca)
	return c
}

// make makes a certificate with the name, signed by the CA, or by itself.
func (c *certificates) make(t testing.TB, name string, parent *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(c.serial), Subject: pkix.Name{CommonName: name, Organization: []string{"Acme"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IsCA: name == "ca", BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	signer := c.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(filepath.Join(c.dir, name+file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if name == "ca" {
		if c.ca, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		c.key = key
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestAClientCertificateSaysWhoCalls(t *testing.T) {
	stack, certs := newStack(t), newCertificates(t)
	alice, mallory := certs.make(t, "alice", certs.ca), certs.make(t, "admin", nil)
	for mode, want := range map[string]struct{ signed, selfSigned, without int }{
		"verify_if_given": {200, 0, 401},
		// These let anybody in who has made a certificate of his own: it must not
		// say who he is.
		"request": {401, 401, 401},
		"require": {401, 401, 0},
	} {
		t.Run(mode, func(t *testing.T) {
			// By name: Caddy refuses requests without SNI where certificates count.
			address := strings.Replace(freeAddress(t), "127.0.0.1", "localhost", 1)
			logs.reset()
			pool := ""
			if mode == "verify_if_given" {
				pool = "trust_pool file " + filepath.Join(certs.dir, "ca.pem")
			}
			load(t, fmt.Sprintf("{\nadmin off\npersist_config off\nauto_https off\nskip_install_trust\n}\nhttps://%s {\ntls %s %s {\nclient_auth {\nmode %s\n%s\n}\n}\nstack_auth {\n%s}\n%s}\n",
				address, filepath.Join(certs.dir, "server.pem"), filepath.Join(certs.dir, "server.key"), mode, pool,
				known("{tls_client_subject}", "attribute serials {http.request.tls.client.serial}"), proxy(stack)))
			t.Cleanup(func() {
				if err := caddy.Stop(); err != nil {
					t.Error(err)
				}
			})
			for _, c := range []struct {
				with []tls.Certificate
				want int
			}{{[]tls.Certificate{alice}, want.signed}, {[]tls.Certificate{mallory}, want.selfSigned}, {nil, want.without}} {
				before := stack.count()
				status := certs.get(t, "https://"+address+"/v1/models", c.with)
				if status != c.want {
					t.Errorf("with %d certificates: %d, want %d", len(c.with), status, c.want)
				}
				if status == 200 {
					stack.last(t).identity(t, "CN=alice,O=Acme")
				} else if stack.count() != before {
					t.Error("the request reached the stack")
				}
			}
		})
	}
}

// get returns the status of a request with client certificates, 0 if the
// handshake fails.
func (c *certificates) get(t testing.TB, url string, with []tls.Certificate) int {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(c.ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: roots,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { // whatever CAs the server names
			if len(with) == 0 {
				return new(tls.Certificate), nil
			}
			return &with[0], nil
		},
	}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(url)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// The name is basic_auth's, and only an attribute the certificate's: who shows
// none has none, and one that nobody verified is no attribute either.
func TestACertificateMayBeAnAttributeOfWhoeverShowsOne(t *testing.T) {
	d := newDirect(t, "stack_auth {\n"+known("{http.auth.user.id}", "attribute serials {http.request.tls.client.serial}")+"}")
	certs := newCertificates(t)
	leaf, err := x509.ParseCertificate(certs.make(t, "alice", certs.ca).Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		state *tls.ConnectionState
		want  int
	}{
		"no TLS":         {nil, 200},
		"no certificate": {&tls.ConnectionState{HandshakeComplete: true}, 200},
		"a verified one": {&tls.ConnectionState{
			HandshakeComplete: true, PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf, certs.ca}},
		}, 200},
		"an unverified one": {&tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{leaf}}, 401},
	} {
		r := httptest.NewRequest(http.MethodGet, "/v1/models", nil)
		r.TLS = c.state
		w := httptest.NewRecorder()
		r = prepared(r, w)
		replacer, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		replacer.Set("http.auth.user.id", "alice")
		var attributes string
		err := d.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
			attributes = r.Header.Get("X-Auth-Attributes")
			return nil
		}))
		if err != nil || w.Code != c.want {
			t.Errorf("%s: got %d, %v", name, w.Code, err)
		}
		if has := strings.Contains(attributes, "serials"); has != (name == "a verified one") {
			t.Errorf("%s: attributes are %s", name, attributes)
		}
	}
}
