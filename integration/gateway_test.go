//go:build integration

package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// gateway is a Caddy process with the module.
type gateway struct {
	url     string // no path
	logFile string
}

// caddyBinary is built once, unless the environment names one.
var caddyBinary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("STACK_AUTH_CADDY"); path != "" {
		return path, nil
	}
	path := filepath.Join(partsDir, "caddy")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", path, "../cmd/caddy")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building cmd/caddy: %w\n%s", err, out)
	}
	return path, nil
})

// startGateway runs Caddy with a Caddyfile of testdata until the test ends.
// Then it looks whether a token got into its log. What the file wants besides
// the issuer and the stack is in env.
func startGateway(t *testing.T, caddyfile, issuer, stackURL string, env ...string) *gateway {
	t.Helper()
	binary, err := caddyBinary()
	if err != nil {
		t.Fatal(err)
	}
	port, err := freePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	g := &gateway{
		url:     fmt.Sprintf("http://127.0.0.1:%d", port),
		logFile: filepath.Join(home, "log"),
	}
	logFile, err := os.Create(g.logFile)
	if err != nil {
		t.Fatal(err)
	}
	defer logFile.Close()
	cmd := exec.CommandContext(context.Background(), binary, "run", "--config", filepath.Join("testdata", caddyfile), "--adapter", "caddyfile")
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.Env = append(append(os.Environ(),
		"GATEWAY_PORT="+strconv.Itoa(port), "OIDC_ISSUER="+issuer, "STACK_URL="+stackURL,
		"XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home,
	), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		// an error means that it has ended by itself, which is seen below
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the gateway ended badly: %v", err)
			}
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			t.Error("the gateway did not end within 20 s")
		}
		g.checkLog(t)
	})

	address := strings.TrimPrefix(g.url, "http://")
	within(t, 20*time.Second, "the gateway listens", func() bool {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the gateway ended at once: %v", err)
		default:
		}
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return g
}

// within polls until a condition holds, and gives how long that took.
func within(t *testing.T, limit time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !holds() {
		if time.Since(begin) > limit {
			t.Fatalf("%s: not within %v", what, limit)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(begin)
}

func (g *gateway) log(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(g.logFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(raw)
}

// wantLog waits for what the operator is told, which may be written after the
// caller has the answer.
func (g *gateway) wantLog(t *testing.T, text string) {
	t.Helper()
	within(t, 5*time.Second, "the log says: "+text, func() bool { return strings.Contains(g.log(t), text) })
}

// checkLog fails the test if a token that a test ever got, or another secret of
// the tests, is in the log, and shows what the gateway said if the test failed.
func (g *gateway) checkLog(t *testing.T) {
	t.Helper()
	log := g.log(t)
	issued.Lock()
	defer issued.Unlock()
	for _, token := range issued.tokens {
		// the signature is enough to know it by, and what a redacted one lacks
		signature := token[strings.LastIndexByte(token, '.')+1:]
		if strings.Contains(log, signature) {
			t.Error("a token is in the gateway's log")
			log = strings.ReplaceAll(log, token, "<token>")
		}
	}
	if t.Failed() {
		var lines []string
		for line := range strings.Lines(log) {
			if !strings.Contains(line, `"level":"debug"`) {
				lines = append(lines, line)
			}
		}
		t.Logf("end of the gateway's log:\n%s", strings.Join(lines[max(0, len(lines)-15):], ""))
	}
}

// witness is a stack that remembers what it was sent. It answers with nothing.
type witness struct {
	url string

	mu    sync.Mutex
	calls []call
}

type call struct {
	header http.Header
	whole  string // head and body
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	w := new(witness)
	srv := httptest.NewServer(w)
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

func (w *witness) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	// what cannot be read any more has not arrived
	whole, _ := httputil.DumpRequest(r, true)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call{r.Header, string(whole)})
}

// since returns what arrived after the first n.
func (w *witness) since(n int) []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls[n:])
}

func (w *witness) count() int { return len(w.since(0)) }

// check finds out whether one of them is what the gateway owes the stack: whose
// it is, and nothing of the credential.
func (c call) check(t *testing.T, token, principal string) map[string][]string {
	t.Helper()
	if got := c.header.Values("X-Auth-User-Id"); !slices.Equal(got, []string{principal}) {
		t.Errorf("the stack was told %q, want %q", got, principal)
	}
	if len(c.header.Values("Authorization")) != 0 || strings.Contains(c.whole, token) {
		t.Error("the credential went on to the stack")
	}
	var attributes map[string][]string
	if err := json.Unmarshal([]byte(c.header.Get("X-Auth-Attributes")), &attributes); err != nil {
		t.Errorf("the attributes: %v", err)
	}
	for name := range attributes {
		slices.Sort(attributes[name])
	}
	return attributes
}

// guarded is a gateway in front of a witness. Its methods are for one caller
// at a time.
type guarded struct {
	*gateway
	stack *witness
}

func guard(t *testing.T, caddyfile, issuer string, env ...string) *guarded {
	t.Helper()
	stack := newWitness(t)
	return &guarded{startGateway(t, caddyfile, issuer, stack.url, env...), stack}
}

// tries is one request with this token: what is answered 200 was sent on once,
// and nothing else was.
func (g *guarded) tries(t *testing.T, token string) (answer, []call) {
	t.Helper()
	before := g.stack.count()
	a := g.do(t, request{path: "/v1/models", token: token})
	calls := g.stack.since(before)
	want := 0
	if a.status == http.StatusOK {
		want = 1
	}
	if len(calls) != want {
		t.Errorf("the answer was %d, and %d requests reached the stack", a.status, len(calls))
	}
	return a, calls
}

// serves is for a token that is good, and gives the caller's attributes.
func (g *guarded) serves(t *testing.T, token, principal string) map[string][]string {
	t.Helper()
	a, calls := g.tries(t, token)
	if a.status != http.StatusOK || len(calls) != 1 {
		t.Fatalf("got %d %s, want 200 as %s", a.status, a.body, principal)
	}
	return calls[0].check(t, token, principal)
}

// refuses is for a token that is not.
func (g *guarded) refuses(t *testing.T, token string, status int, code string) {
	t.Helper()
	a, _ := g.tries(t, token)
	wantRefusal(t, a, status, code, token)
}

// turnsAway polls with a token that was good until it is refused for good, and
// gives how long that took.
func (g *guarded) turnsAway(t *testing.T, limit time.Duration, token string) time.Duration {
	t.Helper()
	took := within(t, limit, "the token is refused", func() bool {
		a, _ := g.tries(t, token)
		if a.status != http.StatusOK {
			wantRefusal(t, a, http.StatusUnauthorized, "invalid_token", token)
		}
		return a.status != http.StatusOK
	})
	for range 3 {
		g.refuses(t, token, http.StatusUnauthorized, "invalid_token")
	}
	return took
}

// recovers polls with a token that is good until it is served again; until
// then the gateway says that it cannot tell.
func (g *guarded) recovers(t *testing.T, limit time.Duration, token, principal string) time.Duration {
	t.Helper()
	took := within(t, limit, "the gateway serves again", func() bool {
		a, _ := g.tries(t, token)
		if a.status != http.StatusOK {
			wantRefusal(t, a, http.StatusServiceUnavailable, "auth_service_unavailable", token)
		}
		return a.status == http.StatusOK
	})
	g.serves(t, token, principal)
	return took
}

// wantAttributes compares all of them.
func wantAttributes(t *testing.T, got, want map[string][]string) {
	t.Helper()
	for name, values := range want {
		if !slices.Equal(got[name], values) {
			t.Errorf("%s are %q, want %q", name, got[name], values)
		}
	}
	for name := range got {
		if _, wanted := want[name]; !wanted {
			t.Errorf("there are %s: %q", name, got[name])
		}
	}
}
