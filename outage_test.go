package stackauth_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// R11: whatever the key endpoint does, nobody gets in who should not, callers
// are told to come back, and when it is well again they do get in.
func TestWhateverTheKeyEndpointDoesNobodySlipsIn(t *testing.T) {
	released := make(chan struct{})
	defer close(released)
	canary := new(atomic.Int64)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { canary.Add(1) }))
	defer elsewhere.Close()
	write := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, c := range []struct {
		name  string
		fault http.HandlerFunc
	}{
		{"RST", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			_ = conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}},
		{"hang", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-released:
			}
		}},
		{"hang half-way", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"keys":[`)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-released:
			}
		}},
		{"500", write(500, "{}")},
		{"401", write(401, "{}")},
		{"204", write(204, "")},
		{"garbage", write(200, "<html>Please log in</html>")},
		{"nothing", write(200, "")},
		{"no keys", write(200, `{"keys":[]}`)},
		{"half of it", write(200, `{"keys":[{"kty":"RSA"`)},
		{"huge", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"keys":[],"x":"`)
			chunk := strings.Repeat("x", 64<<10)
			for range 64 {
				if _, err := io.WriteString(w, chunk); err != nil {
					return
				}
			}
			_, _ = io.WriteString(w, `"}`)
		}},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			issuer, stack := testissuer.New(t), newStack(t)
			issuer.Break(c.fault)
			g := startGateway(t, "stack_auth {\n"+trust(issuer, "", "timeout 300ms\njwks {\nuri "+issuer.URL+"/jwks\n}")+"}\n"+proxy(stack))
			token := bearer(issuer.Token("alice", nil))
			started := time.Now()
			stack.isUntouched(t, func() {
				a := g.do(t, "GET", "/", token)
				a.is(t, 503, "auth_service_unavailable")
				if a.Header.Get("Retry-After") == "" || a.Header.Get("WWW-Authenticate") != "" {
					t.Errorf("Retry-After %q, WWW-Authenticate %q", a.Header.Get("Retry-After"), a.Header.Get("WWW-Authenticate"))
				}
				if strings.Contains(a.body, "127.0.0.1") || strings.Contains(a.body, "jwks") {
					t.Errorf("the answer tells where keys come from: %s", a.body)
				}
			})
			// It does not hang; the times to the second are keyset's tests'.
			if took := time.Since(started); took > timeout {
				t.Errorf("took %s", took)
			}
			issuer.Break(nil)
			eventually(t, timeout, "a good token is let in", func() bool { return g.do(t, "GET", "/", token).StatusCode == 200 })
		})
	}
	t.Run("bad TLS", func(t *testing.T) {
		issuer, stack := testissuer.NewUnstarted(""), newStack(t)
		server := httptest.NewTLSServer(issuer)
		defer server.Close()
		issuer.URL = server.URL
		g := startGateway(t, protect(issuer)+proxy(stack))
		stack.isUntouched(t, func() {
			g.do(t, "GET", "/", bearer(issuer.Token("alice", nil))).is(t, 503, "auth_service_unavailable")
		})
		if issuer.Fetches() != 0 {
			t.Error("keys were fetched from whoever that was")
		}
	})
	if canary.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// R2: the issuer may come up after us. That it is found within two seconds, a
// test of keyset shows with a clock of its own.
func TestAnIssuerThatComesUpLaterIsFound(t *testing.T) {
	stack := newStack(t)
	address := freeAddress(t)
	issuer := testissuer.NewUnstarted("http://" + address)
	token := bearer(issuer.Token("alice", nil))
	g := startGateway(t, protect(issuer, "public /public")+proxy(stack))
	stack.isUntouched(t, func() {
		for range 3 {
			a := g.do(t, "GET", "/", token)
			a.is(t, 503, "auth_service_unavailable")
			if a.Header.Get("Retry-After") != "1" {
				t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
			}
		}
	})
	g.do(t, "GET", "/public").is(t, 200, "")
	g.do(t, "GET", "/").is(t, 401, "missing_credential")
	g.do(t, "GET", "/", bearer("sk-opaque")).is(t, 401, "invalid_token")
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: issuer}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	eventually(t, timeout, "a good token is let in", func() bool { return g.do(t, "GET", "/", token).StatusCode == 200 })
}

// `caddy validate`, and a load that fails, must not need a network, nor touch it.
func TestValidatingTouchesNoNetwork(t *testing.T) {
	var connections atomic.Int64
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			conn.Close()
		}
	}()
	issuer := testissuer.NewUnstarted("http://" + l.Addr().String())
	g := &gateway{Address: "127.0.0.1:0"}
	for _, options := range []string{"", "jwks {\nuri " + issuer.URL + "/jwks\n}"} {
		raw, err := adapt(g.config("", "stack_auth {\n"+trust(issuer, "", options)+"}\nrespond ok\n"))
		if err != nil {
			t.Fatal(err)
		}
		var cfg caddy.Config
		if err := json.Unmarshal(raw, &cfg); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&cfg); err != nil {
			t.Error(err)
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// R13: not a single request passes when a token is over, cached or not.
func TestATokenEndsOnTheSecond(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer)+proxy(stack))
	g.do(t, "GET", "/", bearer(issuer.Token("alice", nil))).is(t, 200, "") // the keys are there
	exp := time.Now().Truncate(time.Second).Add(3 * time.Second)
	token := bearer(issuer.Token("alice", map[string]any{"exp": exp.Unix()}))
	passed, refused := 0, 0
	for refused < 20 {
		sent := time.Now()
		a := g.do(t, "GET", "/", token)
		answered := time.Now()
		switch {
		case a.StatusCode == 200 && !sent.Before(exp):
			t.Fatalf("passed %s after its end", sent.Sub(exp))
		case a.StatusCode != 200 && answered.Before(exp):
			t.Fatalf("refused with %d %s before its end", a.StatusCode, exp.Sub(answered))
		case a.StatusCode == 200:
			passed++
		default:
			a.is(t, 401, "expired_token")
			refused++
		}
	}
	if passed == 0 {
		t.Error("it never passed")
	}
}

func TestTheKeysAreFetchedBeforeTheFirstRequest(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	startGateway(t, protect(issuer)+proxy(stack))
	eventually(t, timeout, "the keys are fetched", func() bool { return issuer.Fetches() == 1 })
}

// A burst of first requests waits for one fetch together.
func TestManyFirstRequestsAreOneFetch(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	var asked atomic.Int64
	release := make(chan struct{})
	issuer.Break(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = w.Write(issuer.JWKS())
	})
	g := startGateway(t, protect(issuer)+proxy(stack))
	results := make(chan int, 50)
	tokens := make([]string, cap(results)) // all of them signed, before the first waits
	for i := range tokens {
		tokens[i] = issuer.Token(fmt.Sprintf("user-%d", i), nil)
	}
	for _, token := range tokens {
		go func() {
			req, _ := http.NewRequest("GET", g.URL, nil)
			req.Header.Set("Authorization", "Bearer "+token)
			asked.Add(1)
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				results <- 0
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			results <- resp.StatusCode
		}()
	}
	eventually(t, timeout, "all of them ask", func() bool { return asked.Load() == int64(cap(results)) })
	close(release)
	for range cap(results) {
		if status := <-results; status != 200 {
			t.Errorf("got %d", status)
		}
	}
	if n := issuer.Fetches(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}
