package providers

import (
	"bytes"
	"net"
	"net/http"
	"testing"

	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// R11: whatever is wrong with the issuer, nobody gets in, and nobody is told
// that a token is bad which may be good. Slow and hanging issuers are in
// TestTheTimeoutEndsAFetch, TLS in TestTheIssuersCertificateIsChecked.
func TestNoFaultOfTheIssuerLetsAnybodyIn(t *testing.T) {
	raw := func(answer func(net.Conn)) func(*testing.T) string {
		return func(t *testing.T) string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					answer(c)
					_ = c.Close()
				}
			}()
			return "http://" + l.Addr().String()
		}
	}
	web := func(answer http.HandlerFunc) func(*testing.T) string {
		return func(t *testing.T) string {
			issuer := testissuer.New(t)
			issuer.Break(answer)
			return issuer.URL
		}
	}
	body := func(b []byte) func(*testing.T) string {
		return web(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) })
	}
	stranger := testissuer.NewUnstarted("")
	for name, start := range map[string]func(*testing.T) string{
		"refuses":  func(*testing.T) string { return "http://127.0.0.1:1" },
		"hangs up": raw(func(net.Conn) {}),
		"resets": raw(func(c net.Conn) {
			_ = c.(*net.TCPConn).SetLinger(0)
		}),
		"speaks no HTTP":         raw(func(c net.Conn) { _, _ = c.Write([]byte("220 smtp\r\n")) }),
		"is cut off":             raw(func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")) }),
		"500":                    web(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }),
		"404":                    web(http.NotFound),
		"429":                    web(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }),
		"204":                    web(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }),
		"garbage":                body([]byte("<html>")),
		"an empty set":           body([]byte(`{"keys":[]}`)),
		"2 MiB":                  body(bytes.Repeat([]byte{' '}, 2<<20)),
		"a set cut off":          body(stranger.JWKS()[:50]),
		"a set with bytes after": body(append(stranger.JWKS(), '}')),
	} {
		t.Run(name, func(t *testing.T) {
			url := start(t)
			o, err := load(t, newContext(t, zap.NewNop()), "issuer "+url+"\naudience stack-test\njwks {\n uri "+url+"/jwks\n}")
			if err != nil {
				t.Fatal(err)
			}
			issuer := testissuer.NewUnstarted(url)
			wantCannotTell(t, o.ask(t, issuer.Token("alice", nil)))
			wantCannotTell(t, o.ask(t, issuer.Token("alice", nil)))
			wantNotMine(t, o.ask(t, "opaque")) // what it can tell, it tells
		})
	}
}
