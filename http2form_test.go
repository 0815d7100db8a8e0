package stackauth_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// cutOff is what becomes of a request that the server does not take for one.
const cutOff = "cut off"

// frames sends one request over an HTTP/2 connection of its own, frame by frame,
// and returns the body of the answer, or that there was none.
func (g *gateway) frames(t *testing.T, fields []field, body string, trailer []field) string {
	t.Helper()
	plain, err := net.DialTimeout("tcp", g.Address, timeout)
	if err != nil {
		t.Fatal(err)
	}
	conn := beginHTTP2(t, plain)
	defer conn.Close()
	s := conn.begin(t, fields, body == "")
	if body != "" {
		if err := conn.framer.WriteData(s.id, trailer == nil, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if trailer != nil {
		s.headers(t, trailer, true)
	}
	resp, err := s.answer()
	var said []byte
	if err == nil {
		said, err = io.ReadAll(resp.Body)
	}
	_, reset := errors.AsType[http2.StreamError](err)
	switch {
	case reset || errors.Is(err, errGoesAway):
		return cutOff
	case err != nil:
		t.Fatalf("reading the answer: %v", err)
	}
	return string(said)
}

// security.md, cases 183 and 196: over HTTP/2 a request is a list of fields, and
// could have what no request over HTTP/1.1 can. What net/http lets through is
// refused here, and what it does not has to stay so.
func TestAnHTTP2RequestThatCouldBeTwoIsNone(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGatewayWith(t, "servers {\nprotocols h1 h2c\n}", protect(issuer, "public /public*", "forbid /v1/admin*\npermit *")+proxy(stack))
	token := issuer.Token("alice", nil)
	keepSecret("Authorization", token)
	get := func(path string, more ...field) []field {
		return append([]field{
			{":method", "GET"}, {":scheme", "http"}, {":authority", g.Address}, {":path", path}, {"authorization", "Bearer " + token},
		}, more...)
	}
	first := func(name, value string, rest []field) []field { return append([]field{{name, value}}, rest...) }
	const twoWays = `"code":"ambiguous_request"`
	for name, c := range map[string]struct {
		fields []field
		want   string // to be in the body
	}{
		"as it should be":              {get("/v1/x"), "reached"},
		"path of a star":               {get("*"), twoWays},
		"path with a dot segment":      {get("/public/../v1/admin"), twoWays},
		"path that is an authority":    {get("//v1/admin"), twoWays},
		"path with a fragment":         {get("/v1/admin#"), twoWays},
		"path with a blank":            {get("/v1/x HTTP/1.1"), twoWays},
		"path that is no UTF-8":        {get("/v1/\xff"), twoWays},
		"path with a backslash":        {get(`/public\..\v1\admin`), twoWays},
		"path that is empty":           {get(""), cutOff},
		"path without a slash":         {get("v1/admin"), cutOff},
		"path of an absolute target":   {get("http://" + g.Address + "/v1/admin"), cutOff},
		"path with a line break":       {get("/v1/x HTTP/1.1\r\nX-Auth-User-Id: admin"), cutOff},
		"path with a NUL":              {get("/v1/x\x00"), cutOff},
		"path that is a query":         {get("?/v1/x"), cutOff},
		"path twice":                   {first(":path", "/public", get("/v1/admin")), cutOff},
		"path behind the other fields": {get("/v1/x", field{":path", "/v1/admin"}), cutOff},
		"method twice":                 {first(":method", "POST", get("/v1/x")), cutOff},
		"method of a line": {[]field{
			{":method", "GET /v1/admin HTTP/1.1\r\nX:"}, {":scheme", "http"}, {":authority", g.Address}, {":path", "/public"},
		}, cutOff},
		"method in lower case": {[]field{
			{":method", "get"}, {":scheme", "http"}, {":authority", g.Address}, {":path", "/v1/x"}, {"authorization", "Bearer " + token},
		}, `"code":"method_not_allowed"`},
		"CONNECT": {[]field{
			{":method", "CONNECT"}, {":authority", g.Address}, {"authorization", "Bearer " + token},
		}, `"code":"method_not_allowed"`},
		"CONNECT with a path": {[]field{
			{":method", "CONNECT"}, {":scheme", "http"}, {":authority", g.Address}, {":path", "/v1/x"}, {"authorization", "Bearer " + token},
		}, cutOff},
		"a GET with a protocol":            {first(":protocol", "websocket", get("/v1/x")), cutOff},
		"a pseudo-header that is none":     {first(":x-auth-user-id", "admin", get("/v1/x")), cutOff},
		"another host than the authority":  {get("/v1/x", field{"host", "other.example"}), cutOff},
		"an authority with a password":     {[]field{{":method", "GET"}, {":scheme", "http"}, {":authority", "admin:throw-away@" + g.Address}, {":path", "/public"}}, cutOff},
		"a name in upper case":             {get("/v1/x", field{"X-Auth-User-Id", "admin"}), cutOff},
		"a name that is a line":            {get("/v1/x", field{"x-auth-user-id: admin\r\nx", "y"}), cutOff},
		"a name with a blank":              {get("/v1/x", field{"x-auth-user-id ", "admin"}), cutOff},
		"a name that is empty":             {get("/v1/x", field{"", "admin"}), cutOff},
		"a value with a line break":        {get("/v1/x", field{"x-a", "b\r\nX-Auth-User-Id: admin"}), cutOff},
		"a value with a line feed":         {get("/v1/x", field{"x-a", "b\nX-Auth-User-Id: admin"}), cutOff},
		"a header of the connection":       {get("/v1/x", field{"connection", "x-auth-user-id"}), `"Connection" is not valid`},
		"an upgrade":                       {get("/v1/x", field{"upgrade", "websocket"}), `"Upgrade" is not valid`},
		"chunks":                           {get("/v1/x", field{"transfer-encoding", "chunked"}), `"Transfer-Encoding" is not valid`},
		"a length without a body":          {get("/v1/x", field{"content-length", "+5"}, field{"content-length", "6"}), "reached"},
		"a credential twice":               {get("/v1/x", field{"authorization", "Bearer x"}), `"code":"duplicate_credential"`},
		"a forged name in three spellings": {get("/v1/x", field{"x-auth-user-id", "admin"}, field{"x_auth_user_id", "admin"}, field{"x.auth.user.id", "admin"}), "reached"},
		"the forbidden path as a query":    {get("/v1/x?/v1/admin"), "reached"},
		"the forbidden path":               {get("/v1/admin"), `"code":"insufficient_permissions"`},
	} {
		t.Run(name, func(t *testing.T) {
			before := stack.count()
			said := g.frames(t, c.fields, "", nil)
			if !strings.Contains(said, c.want) {
				t.Fatalf("got %q, want %q", said, c.want)
			}
			got := stack.since(before)
			if c.want != "reached" {
				if len(got) != 0 {
					t.Errorf("%d requests reached the stack", len(got))
				}
				return
			}
			if len(got) != 1 || got[0].URL.Path != "/v1/x" || got[0].ContentLength != 0 {
				t.Fatalf("the stack got %v", got)
			}
			got[0].identity(t, "alice")
		})
	}
}

// Over HTTP/2 a trailer is a second list of fields, in which anything may be.
func TestAnHTTP2TrailerIsNoHeader(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGatewayWith(t, "servers {\nprotocols h1 h2c\n}", protect(issuer, "public /public*")+proxy(stack))
	token := issuer.Token("alice", nil)
	keepSecret("Authorization", token)
	forged := []field{{"x-auth-user-id", "admin"}, {"x-tenant-id", "victim"}}
	for _, c := range []struct {
		name, path string
		more       []field
		trailer    []field
		want       string
	}{
		{"not announced", "/v1/x", nil, forged, "reached"},
		{"not announced, on a public path", "/public", nil, forged, "reached"},
		{"announced", "/v1/x", []field{{"trailer", "x-auth-user-id"}}, forged, `"code":"ambiguous_request"`},
		{"announced, on a public path", "/public", []field{{"trailer", "x-auth-user-id"}}, forged, `"code":"ambiguous_request"`},
		{"announced by a name that is none", "/v1/x", []field{{"trailer", ""}}, forged, `"code":"ambiguous_request"`},
		{"not announced, with a credential", "/v1/x", nil, []field{{"authorization", "Bearer x"}, {"cookie", "session=x"}}, "reached"},
		{"announced, with a credential", "/v1/x", []field{{"trailer", "x-auth-user-id"}}, []field{{"authorization", "Bearer x"}}, ""},
		{"with a path of its own", "/public", nil, []field{{":path", "/v1/admin"}}, cutOff},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := stack.count()
			fields := append([]field{
				{":method", "POST"}, {":scheme", "http"}, {":authority", g.Address}, {":path", c.path}, {"authorization", "Bearer " + token},
			}, c.more...)
			if said := g.frames(t, fields, "hello", c.trailer); !strings.Contains(said, c.want) {
				t.Fatalf("got %q, want %q", said, c.want)
			}
			for _, r := range stack.since(before) {
				principal := "alice"
				if c.path == "/public" {
					principal = ""
				}
				r.identity(t, principal)
				if c.want != "reached" || len(r.Trailer) != 0 || r.URL.Path != c.path || r.body != "hello" {
					t.Errorf("the stack got %s with %q and %v", r.URL.Path, r.body, r.Trailer)
				}
			}
			if c.want == "reached" && stack.count() != before+1 {
				t.Error("not one request reached the stack")
			}
		})
	}
}
