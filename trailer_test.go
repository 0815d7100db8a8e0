package stackauth_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

const chunked = "Transfer-Encoding: chunked\n"

// A trailer comes after the decision, and some servers read it as a header.
func TestTrailersAreRefusedOrDropped(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, fmt.Sprintf(`
		@out not path /unmatched*
		stack_auth @out {
			%s
			public /public*
		}
		reverse_proxy %s`, trust(issuer, ""), stack.URL))
	token := issuer.Token("alice", nil)
	keepSecret("Authorization", token)
	body := "\n5\nhello\n0\n"
	forged := "X-Auth-User-Id: admin\nX-Tenant-Id: victim\nX-Other: 1\n\n"
	for _, c := range []struct {
		name, path, head, trailer string
		status                    int
		principal                 string
	}{
		{"announced", "/v1/x", "Trailer: X-Auth-User-Id\n", forged, 400, ""},
		{"announced, but something harmless", "/v1/x", "Trailer: X-Other\n", forged, 400, ""},
		{"announced on a public path", "/public/x", "Trailer: X-Auth-User-Id\n", forged, 400, ""},
		{"announced and named by Connection", "/v1/x", "Connection: Trailer\nTrailer: X-Auth-User-Id\n", forged, 400, ""},
		{"not announced", "/v1/x", "", forged, 200, "alice"},
		{"not announced on a public path", "/public/x", "", forged, 200, ""},
		{"not announced and unmatched", "/unmatched/x", "", forged, 200, ""},
		{"announced and unmatched", "/unmatched/x", "Trailer: X-Auth-User-Id\n", forged, 200, ""},
		{"another announced and unmatched", "/unmatched/x", "Trailer: X-Other\n", forged, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := stack.count()
			a := g.raw(t, "POST "+c.path+" HTTP/1.1\n"+bearer(token)+"\n"+chunked+c.head+body+c.trailer)
			if c.status != 200 {
				a.is(t, c.status, "ambiguous_request")
				if stack.count() != before {
					t.Error("the request reached the stack")
				}
				return
			}
			a.is(t, 200, "")
			r := stack.last(t)
			if r.body != "hello" {
				t.Errorf("body is %q", r.body)
			}
			r.identity(t, c.principal)
			if len(r.Trailer) != 0 {
				t.Errorf("trailers reached the stack: %v", r.Trailer)
			}
		})
	}
}

// An error route that proxies reads the body, and so the trailers, after the
// refusal: a request with announced ones is answered without it.
func TestTrailersDoNotComeInByTheErrorRoute(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "errors caddy", "public /public*")+
		"handle_errors {\nreverse_proxy "+stack.URL+"\n}\nhandle /public/broken {\nerror 500\n}\n"+proxy(stack))
	for _, c := range []struct{ name, path, announced string }{
		{"announced", "/v1/x", "Trailer: X-Auth-User-Id\n"},
		{"another announced", "/v1/x", "Trailer: X-Other\n"},
		{"announced, method refused first", "/v1/x", "Trailer: X-Other\n"},
		{"not announced", "/v1/x", ""},
		{"not announced, refused by somebody else", "/public/broken", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			method := "POST "
			if strings.Contains(c.name, "method") {
				method = "FOO "
			}
			before := stack.count()
			g.raw(t, method+c.path+" HTTP/1.1\n"+chunked+c.announced+"\n5\nhello\n0\nX-Auth-User-Id: admin\n\n")
			if stack.count() == before {
				return
			}
			if c.announced != "" {
				t.Error("the request reached the stack")
			}
			if got := stack.last(t).asCGI()["x-auth-user-id"]; got != "" {
				t.Errorf("the stack takes the caller for %s", got)
			}
		})
	}
}

// What the stack says under our names could be believed by a client or a cache
// in front of us.
func TestTheStackCannotAnswerWithIdentity(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	stack.answerWith(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Auth-User-Id", "admin")
		h.Set("X_Auth_Attributes", "{}")
		h.Set("X.Tenant.Id", "victim")
		h.Set("X-Kept", "1")
		if r.URL.Query().Has("hints") {
			w.WriteHeader(http.StatusEarlyHints)
		}
		if r.URL.Query().Has("announced") {
			h.Set("Trailer", "X-Auth-User-Id, X-Kept-Trailer")
			h.Del("X-Auth-User-Id")
		}
		if status := r.URL.Query().Get("status"); status == "500" {
			w.WriteHeader(500)
		}
		_, _ = io.WriteString(w, "data: 1\n\n")
		if r.URL.Query().Has("flush") {
			_ = http.NewResponseController(w).Flush()
		}
		h.Set(http.TrailerPrefix+"X-Auth-User-Id", "admin")
		h.Set(http.TrailerPrefix+"x_tenant_id", "victim")
		h.Set("X-Auth-User-Id", "admin")
		h.Set("X-Kept-Trailer", "1")
	})
	g := startGateway(t, fmt.Sprintf(`
		@out not path /unmatched*
		stack_auth @out {
			%s
			public /public*
		}
		reverse_proxy %s`, trust(issuer, ""), stack.URL))
	for _, path := range []string{"/v1/x", "/public/x", "/unmatched/x"} {
		for _, query := range []string{"", "?flush", "?status=500", "?hints", "?announced", "?announced&flush"} {
			t.Run(path+query, func(t *testing.T) {
				a := g.do(t, "GET", path+query, bearer(issuer.Token("alice", nil)))
				if a.body != "data: 1\n\n" || a.Header.Get("X-Kept") != "1" {
					t.Errorf("got %d %q %v", a.StatusCode, a.body, a.Header)
				}
				got := reached{&http.Request{Header: a.Header, Trailer: a.Trailer}, ""}.asCGI()
				for _, name := range []string{"x-auth-user-id", "x-auth-attributes", "x-tenant-id"} {
					if v := got[name]; v != "" {
						t.Errorf("%s is %s", name, v)
					}
				}
				if strings.Contains(query, "announced") && a.Trailer.Get("X-Kept-Trailer") != "1" {
					t.Errorf("trailers are %v", a.Trailer)
				}
			})
		}
	}
}

// security.md 171: two lengths are two requests to somebody.
func TestSmuggledRequestsAreOneOrNone(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public /public*")+proxy(stack))
	inner := "GET /v1/admin HTTP/1.1\r\nHost: x\r\nX-Auth-User-Id: admin\r\n\r\n"
	for _, c := range []struct {
		name, head, body string
		most             int // requests that may reach the stack
	}{
		{"length and chunked", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + inner, 1},
		{"chunked and length", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n" + inner, 1},
		{"two lengths", "Content-Length: 0\r\nContent-Length: " + itoa(len(inner)) + "\r\n", inner, 0},
		{"a list of lengths", "Content-Length: 0, " + itoa(len(inner)) + "\r\n", inner, 0},
		{"a length with a sign", "Content-Length: +5\r\n", "hello" + inner, 0},
		{"chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + inner, 0},
		{"chunked, identity", "Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n" + inner, 0},
		{"xchunked", "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n" + inner, 0},
		{"chunked with a vertical tab", "Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n" + inner, 0},
		{"a chunk size beyond 64 bits", "Transfer-Encoding: chunked\r\n", "10000000000000000\r\n" + inner, 1},
		{"a bare LF after the chunk size", "Transfer-Encoding: chunked\r\n", "0\n\n" + inner, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := stack.count()
			conn, err := net.DialTimeout("tcp", g.Address, timeout)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(timeout))
			_, _ = io.WriteString(conn, "POST /public/x HTTP/1.1\r\nHost: "+g.Address+"\r\n"+c.head+"\r\n"+c.body+
				"GET /public/end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			answers := bufio.NewReader(conn)
			for {
				resp, err := http.ReadResponse(answers, nil)
				if err != nil {
					break
				}
				if resp.StatusCode >= 500 && resp.StatusCode != 501 && resp.StatusCode != 502 {
					t.Errorf("got %d", resp.StatusCode)
				}
				read(t, resp)
			}
			n := 0
			for _, r := range stack.since(before) {
				switch r.URL.Path {
				case "/public/x":
					n++
				case "/public/end":
				default:
					t.Errorf("the stack saw %s", r.URL.Path)
				}
				r.identity(t, "")
			}
			if n > c.most {
				t.Errorf("%d requests reached the stack", n)
			}
		})
	}
}
