package providers

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"
)

// parseKind reads `<kind> <head> {\n<lines>\n}` as a Caddyfile has it, and
// returns the module.
func parseKind(kind, lines string) (caddy.Module, error) {
	info, err := caddy.GetModule(Namespace + "." + kind)
	if err != nil {
		return nil, err
	}
	m := info.New()
	return m, m.(caddyfile.Unmarshaler).UnmarshalCaddyfile(caddyfile.NewTestDispenser(kind + " {\n" + lines + "\n}"))
}

// loadKind takes the lines of a provider block the whole way: Caddyfile, JSON,
// and the module as Caddy loads it.
func loadKind(t testing.TB, ctx caddy.Context, kind, lines string) (Provider, error) {
	t.Helper()
	parsed, err := parseKind(kind, lines)
	if err != nil {
		t.Fatalf("reading Caddyfile: %v", err)
	}
	config, err := json.Marshal(parsed)
	if err != nil {
		t.Fatal(err)
	}
	v, err := ctx.LoadModuleByID(Namespace+"."+kind, config)
	if err != nil {
		return nil, err
	}
	return v.(Provider), nil
}

// newKind returns a provisioned provider.
func newKind[P Provider](t testing.TB, kind, lines string) P {
	t.Helper()
	p, err := loadKind(t, newContext(t, zap.NewNop()), kind, lines)
	if err != nil {
		t.Fatalf("provisioning: %v", err)
	}
	return p.(P)
}

// reaches lets the provider reach the handler, and nothing else: for synctest
// bubbles, in which there is no network.
func (n *Network) reaches(h http.Handler) { n.client.Transport = tripper{h} }

// askKind shows the token to the provider.
func askKind(t testing.TB, p Provider, token string) Answer {
	t.Helper()
	return p.Authenticate(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/models", nil), Credential{Token: token})
}

// judgeServer is a service on a real socket, whose answers can be changed and
// are counted.
type judgeServer struct {
	*httptest.Server
	calls  atomic.Int64
	answer atomic.Pointer[http.HandlerFunc]
}

func newJudgeServer(t testing.TB, answer http.HandlerFunc) *judgeServer {
	t.Helper()
	s := new(judgeServer)
	s.answer.Store(&answer)
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *judgeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.calls.Add(1)
	(*s.answer.Load())(w, r)
}

// says lets the server answer otherwise from now on.
func (s *judgeServer) says(answer http.HandlerFunc) { s.answer.Store(&answer) }

// saying answers with a status and a JSON text.
func saying(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}
}

// fewestAllocs returns how often f allocates: the fewest of several tries, for
// what others do meanwhile, such as servers that are just ending, counts too.
func fewestAllocs(f func()) float64 {
	fewest := testing.AllocsPerRun(100, f)
	for range 4 {
		fewest = min(fewest, testing.AllocsPerRun(100, f))
	}
	return fewest
}

// closedAddress returns an address on which nobody listens.
func closedAddress(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}
