package gitlab_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "example.com/caddy-stack-auth-gitlab"
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile" // the Caddyfile adapter
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/standard"
	_ "github.com/caddyserver/caddy/v2/modules/logging"

	_ "github.com/caddy-stack-auth/caddy-stack-auth"
)

// server is an HTTP server that remembers what it was asked, and answers as it
// is told to.
type server struct {
	URL string

	mu     sync.Mutex
	seen   []*http.Request
	answer http.HandlerFunc
}

func newServer(t *testing.T, answer http.HandlerFunc) *server {
	t.Helper()
	s := &server{answer: answer}
	listening := httptest.NewServer(s)
	t.Cleanup(listening.Close)
	s.URL = listening.URL
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, r)
	answer := s.answer
	s.mu.Unlock()
	answer(w, r)
}

// now lets the server answer otherwise from now on.
func (s *server) now(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// asked returns what the server was asked since the last time.
func (s *server) asked() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	s.seen = nil
	return seen
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// gateway is a Caddy in this process that runs the example's Caddyfile.
type gateway struct {
	url    string
	log    string
	gitlab *server
	stack  *server
}

// startGateway runs it in front of a stand-in stack, with a stand-in GitLab that
// knows nobody until it is told.
func startGateway(t *testing.T) *gateway {
	t.Helper()
	gitlab := newServer(t, says(401, `{"message":"401 Unauthorized"}`))
	g := startGatewayAt(t, gitlab.URL)
	g.gitlab = gitlab
	return g
}

// startGatewayAt runs it with a GitLab at the address.
func startGatewayAt(t *testing.T, gitlab string) *gateway {
	t.Helper()
	g := &gateway{log: filepath.Join(t.TempDir(), "log"), stack: newServer(t, says(200, "reached"))}
	address := freeAddress(t)
	g.url = "http://" + address
	t.Setenv("GATEWAY_ADDRESS", g.url)
	t.Setenv("GITLAB_URL", gitlab)
	t.Setenv("STACK_URL", g.stack.URL)
	if err := caddy.Load(g.config(t), true); err != nil {
		t.Fatalf("loading: %v", err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	return g
}

// config is the Caddyfile as JSON. All that is logged goes to a file.
func (g *gateway) config(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	raw, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": "Caddyfile"})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("adapting: %v %v", err, warnings)
	}
	var config map[string]any
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	config["admin"] = map[string]any{"disabled": true, "config": map[string]any{"persist": false}}
	config["logging"] = map[string]any{"logs": map[string]any{"default": map[string]any{
		"level": "DEBUG", "writer": map[string]any{"output": "file", "filename": g.log},
	}}}
	config["apps"].(map[string]any)["http"].(map[string]any)["grace_period"] = 1
	if raw, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	return raw
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// answer is what a caller gets.
type answer struct {
	status int
	header http.Header
	code   string // of the error
}

// call sends a request with the token; without one for "".
func (g *gateway) call(t *testing.T, token string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/v1/models", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header}
	if a.status != http.StatusOK {
		var refusal struct {
			Error struct{ Code string }
		}
		if err := json.Unmarshal(body, &refusal); err != nil {
			t.Fatalf("body of %d is not JSON: %s", a.status, body)
		}
		a.code = refusal.Error.Code
	}
	return a
}

// isRefused fails the test unless the caller is turned away so, and nothing
// reaches the stack.
func (g *gateway) isRefused(t *testing.T, token string, status int, code string) answer {
	t.Helper()
	a := g.call(t, token)
	if a.status != status || a.code != code {
		t.Errorf("got %d %s, want %d %s", a.status, a.code, status, code)
	}
	if n := len(g.stack.asked()); n != 0 {
		t.Errorf("%d requests reached the stack", n)
	}
	return a
}

// isLetIn fails the test unless the stack is told of this caller, and of no
// token.
func (g *gateway) isLetIn(t *testing.T, token, principal, attributes string) {
	t.Helper()
	if a := g.call(t, token); a.status != http.StatusOK {
		t.Fatalf("got %d %s", a.status, a.code)
	}
	reached := g.stack.asked()
	if len(reached) != 1 {
		t.Fatalf("%d requests reached the stack", len(reached))
	}
	h := reached[0].Header
	if got := h.Get("X-Auth-User-Id"); got != principal {
		t.Errorf("principal is %q, want %q", got, principal)
	}
	if got := h.Get("X-Auth-Attributes"); got != attributes {
		t.Errorf("attributes are %s, want %s", got, attributes)
	}
	if h.Get("Authorization") != "" {
		t.Error("the token reached the stack")
	}
}

// logged returns all that was logged, which must never have a part of a token.
func (g *gateway) logged(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(g.log)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "glpat-") {
		t.Error("a token is in the log")
	}
	return string(text)
}
