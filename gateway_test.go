package stackauth_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-stack-auth/caddy-stack-auth"
)

// stack is the server behind the gateway. It remembers what reached it.
type stack struct {
	URL string

	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
	answer   http.HandlerFunc
}

func newStack(t testing.TB) *stack {
	t.Helper()
	s := new(stack)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *stack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.requests = append(s.requests, r)
	s.bodies = append(s.bodies, string(body))
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	_, _ = io.WriteString(w, "reached")
}

// count returns how many requests reached the stack.
func (s *stack) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

// last returns the last request that reached the stack.
func (s *stack) last(t testing.TB) *http.Request {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == 0 {
		t.Fatal("nothing reached the stack")
	}
	return s.requests[len(s.requests)-1]
}

// gateway is a real Caddy in this process, listening on loopback.
type gateway struct {
	URL     string
	Address string
}

// startGateway runs Caddy with one site that has the given Caddyfile lines.
// There is one Caddy in a process: tests that start one do not run beside each
// other.
func startGateway(t testing.TB, site string) *gateway {
	t.Helper()
	return startCaddyfile(t, func(address string) string {
		return fmt.Sprintf("http://%s {\n%s\n}\n", address, site)
	})
}

func startCaddyfile(t testing.TB, write func(address string) string) *gateway {
	t.Helper()
	address := freeAddress(t)
	load(t, write(address))
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	return &gateway{URL: "http://" + address, Address: address}
}

func load(t testing.TB, config string) {
	t.Helper()
	if err := tryLoad(t, config); err != nil {
		t.Fatalf("loading configuration: %v", err)
	}
}

func tryLoad(t testing.TB, config string) error {
	t.Helper()
	raw, err := adapt("{\n\tadmin off\n\tpersist_config off\n\tgrace_period 1ns\n}\n" + config)
	if err != nil {
		t.Fatalf("adapting Caddyfile: %v\n%s", err, config)
	}
	return caddy.Load(raw, true)
}

func adapt(config string) ([]byte, error) {
	adapter := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}
	raw, _, err := adapter.Adapt([]byte(config), map[string]any{"filename": "Caddyfile"})
	return raw, err
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// answer is a response that has been read.
type answer struct {
	*http.Response
	body string
}

// errorCode returns error.code of an OpenAI-shaped body.
func (a answer) errorCode(t testing.TB) string {
	t.Helper()
	var parsed struct {
		Error struct{ Message, Type, Code string }
	}
	if err := json.Unmarshal([]byte(a.body), &parsed); err != nil {
		t.Fatalf("body is not JSON: %v\n%s", err, a.body)
	}
	if parsed.Error.Message == "" || parsed.Error.Type == "" {
		t.Errorf("error without message or type: %s", a.body)
	}
	return parsed.Error.Code
}

// do sends a request. Headers are `Name: value` lines, sent as they are.
func (g *gateway) do(t testing.TB, method, path string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequest(method, g.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header[name] = append(req.Header[name], value)
	}
	return send(t, req)
}

func send(t testing.TB, req *http.Request) answer {
	t.Helper()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(body)}
}

func bearer(token string) string { return "Authorization: Bearer " + token }
