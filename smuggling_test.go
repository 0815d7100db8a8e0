package stackauth_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// converse sends all of the text over one connection, of which the last request
// asks for its end, and returns the answers.
func (g *gateway) converse(t *testing.T, text string) []answer {
	t.Helper()
	conn, err := net.DialTimeout("tcp", g.Address, timeout)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(timeout))
	if _, err := io.WriteString(conn, g.onTheWire(text)); err != nil {
		t.Fatal(err)
	}
	var answers []answer
	for reader := bufio.NewReader(conn); ; {
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			return answers
		}
		answers = append(answers, read(t, resp))
	}
}

// onTheWire is the text as converse sends it: HOST stands for a header.
func (g *gateway) onTheWire(text string) string {
	return strings.NewReplacer("HOST", "Host: "+g.Address, "\n", "\r\n").Replace(text)
}

// inHex writes the size of a chunk.
func inHex(n int) string { return strconv.FormatInt(int64(n), 16) }

// What Connection names is taken off before the request goes on. Mallory names
// what says where her request ends, and writes a second one into its body.
func TestConnectionCannotTakeOffWhereARequestEnds(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public /public*")+proxy(stack))
	const inner = "GET /v1/admin HTTP/1.1\nHOST\nX-Auth-User-Id: admin\n\n"
	body := g.onTheWire(inner)
	length := "Content-Length: " + itoa(len(body)) + "\n\n" + inner
	chunks := "Transfer-Encoding: chunked\n\n" + inHex(len(body)) + "\n" + inner + "\n0\n\n"
	for name, rest := range map[string]string{
		"its length":                   "Connection: Content-Length\n" + length,
		"its length, in another case":  "connection: keep-alive, CONTENT-length\n" + length,
		"its chunks":                   "Connection: Transfer-Encoding\n" + chunks,
		"its chunks, in a second line": "Connection: keep-alive\nConnection: transfer-encoding\n" + chunks,
		"its host":                     "Connection: Host\n" + length,
		"nothing that matters":         "Connection: X-Nothing, TE, Trailers\nTE: trailers\n" + chunks,
		"in headers of no standard":    "Proxy-Connection: Content-Length, X-Auth-User-Id\nKeep-Alive: X-Auth-User-Id\n" + length,
		"its length, in quotes":        "Connection: \"Content-Length\"\n" + length,
	} {
		t.Run(name, func(t *testing.T) {
			before := stack.count()
			answers := g.converse(t, "POST /public/x HTTP/1.1\nHOST\n"+rest+"GET /public/end HTTP/1.1\nHOST\nConnection: close\n\n")
			got := stack.since(before)
			if len(answers) != 2 || len(got) != 2 {
				t.Fatalf("%d answers; %d requests reached the stack", len(answers), len(got))
			}
			if got[0].URL.Path != "/public/x" || got[0].body != body || got[1].URL.Path != "/public/end" || got[0].Host != g.Address {
				t.Errorf("the stack got %s for %s with %q, then %s", got[0].URL.Path, got[0].Host, got[0].body, got[1].URL.Path)
			}
			got[0].identity(t, "")
		})
	}
}

// A preflight goes on without its body. What was the body must not be the next
// request, for us or for the stack.
func TestTheBodyOfAPreflightIsNoRequest(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "allow_preflight", "public /public*")+proxy(stack))
	const inner = "GET /public/smuggled HTTP/1.1\nHost: x\n\n"
	length := len(g.onTheWire(inner))
	for name, rest := range map[string]string{
		"with a length":             "Content-Length: " + itoa(length) + "\n\n" + inner,
		"in chunks":                 "Transfer-Encoding: chunked\n\n" + inHex(length) + "\n" + inner + "\n0\n\n",
		"in chunks with a trailer":  "Transfer-Encoding: chunked\n\n" + inHex(length) + "\n" + inner + "\n0\nX-Auth-User-Id: admin\n\n",
		"whose length is taken off": "Connection: Content-Length\nContent-Length: " + itoa(length) + "\n\n" + inner,
	} {
		t.Run(name, func(t *testing.T) {
			before := stack.count()
			answers := g.converse(t, "OPTIONS /v1/x HTTP/1.1\nHOST\nOrigin: https://app.example\nAccess-Control-Request-Method: POST\n"+rest+
				"GET /public/end HTTP/1.1\nHOST\nConnection: close\n\n")
			got := stack.since(before)
			if len(answers) != 2 || len(got) != 2 {
				t.Fatalf("%d answers; %d requests reached the stack", len(answers), len(got))
			}
			if got[0].Method != "OPTIONS" || got[0].body != "" || len(got[0].Trailer) != 0 || got[1].URL.Path != "/public/end" {
				t.Errorf("the stack got %s with %q and %v, then %s", got[0].Method, got[0].body, got[0].Trailer, got[1].URL.Path)
			}
			got[0].identity(t, "")
		})
	}
}

// A connection is nobody's: who asked before on it says nothing of who asks now.
func TestEachRequestOfAConnectionIsDecidedByItself(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public /public", "forbid /v1/admin\npermit *")+proxy(stack))
	token := issuer.Token("alice", nil)
	keepSecret("Authorization", token)
	before := stack.count()
	var text strings.Builder
	want := []struct {
		line, credential string
		status           int
		principal        string
	}{
		{"GET /v1/x", token, 200, "alice"},
		{"GET /v1/x", "", 401, ""},
		{"GET /public", "", 200, ""},
		{"GET /v1/admin", token, 403, ""},
		{"GET /v1/../x", token, 400, ""},
		{"GET /v1/x", "x" + token, 401, ""},
		{"GET /v1/x", issuer.Token("bob", nil), 200, "bob"},
		{"GET /public", "", 200, ""},
	}
	for i, c := range want {
		text.WriteString(c.line + " HTTP/1.1\nHOST\n")
		if c.credential != "" {
			text.WriteString(bearer(c.credential) + "\n")
		}
		if i == len(want)-1 {
			text.WriteString("Connection: close\n")
		}
		text.WriteString("\n")
	}
	answers := g.converse(t, text.String())
	if len(answers) != len(want) {
		t.Fatalf("%d answers to %d requests", len(answers), len(want))
	}
	got := stack.since(before)
	for i, c := range want {
		if answers[i].StatusCode != c.status {
			t.Errorf("request %d, %s: got %d %s", i+1, c.line, answers[i].StatusCode, answers[i].body)
		}
		if c.status != 200 {
			continue
		}
		if len(got) == 0 {
			t.Fatalf("request %d did not reach the stack", i+1)
		}
		got[0].identity(t, c.principal)
		got = got[1:]
	}
	if len(got) != 0 {
		t.Errorf("%d requests too many reached the stack", len(got))
	}
}

// A name and password in the target of a request are no credential, and nobody
// further on may take them for one.
func TestACredentialInTheTargetOfARequestIsNone(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public /public")+proxy(stack))
	target := func(path string) string {
		return "GET http://admin:throw-away@" + g.Address + path + " HTTP/1.1\n\n"
	}
	stack.isUntouched(t, func() {
		a := g.raw(t, target("/v1/x"))
		a.is(t, 401, "missing_credential")
	})
	g.raw(t, target("/public")).is(t, 200, "")
	r := stack.last(t)
	if r.RequestURI != "/public" || r.Header.Get("Authorization") != "" {
		t.Errorf("the stack got %s with %v", r.RequestURI, r.Header)
	}
	r.isWithout(t, "throw-away")
}
