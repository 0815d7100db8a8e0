//go:build integration

package integration

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// relay stands between a gateway and a server, as a load balancer does, and
// can lose connections as a broken one does: nobody is told.
type relay struct {
	url string

	mu    sync.Mutex
	conns []*relayed
}

type relayed struct {
	client, server net.Conn
	lost           chan struct{} // closed: what is sent goes nowhere
}

// newRelay leads to the server at this URL.
func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	scheme, address, _ := strings.Cut(to, "://")
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{url: scheme + "://" + l.Addr().String()}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		r.each(func(c *relayed) { c.client.Close(); c.server.Close() })
		wg.Wait()
	})
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", address)
			if err != nil {
				in.Close()
				continue
			}
			c := &relayed{in, out, make(chan struct{})}
			r.mu.Lock()
			r.conns = append(r.conns, c)
			r.mu.Unlock()
			wg.Go(func() { c.copy(out, in) })
			wg.Go(func() { c.copy(in, out) })
		}
	})
	return r
}

func (r *relay) each(do func(*relayed)) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		do(c)
	}
	return len(r.conns)
}

// lose takes everything that comes over today's connections, and passes it on
// no more. New ones are good.
func (r *relay) lose(t *testing.T) {
	t.Helper()
	if n := r.each(func(c *relayed) { close(c.lost) }); n == 0 {
		t.Fatal("there was no connection")
	}
}

func (c *relayed) copy(to io.WriteCloser, from io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-c.lost:
			if err != nil {
				return // not told
			}
			continue
		default:
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			to.Close()
			return
		}
	}
}

// Nobody says that the connection is gone: what is sent over it is only never
// answered. HTTP/2 would go on using it until the kernel gives up, a quarter of
// an hour later.
func TestLostConnectionToTheClusterIsReplaced(t *testing.T) {
	way := newRelay(t, kube.url)
	g := guard(t, "kubernetes.Caddyfile", way.url,
		"KUBE_CA="+kube.caFile, "SERVICE_ACCOUNTS=team-red/*", "CACHE_TTL=0", "PROVIDER_OPTIONS=timeout 1s")
	token := kube.token(t, "team-red", "caller")
	g.serves(t, token, caller)
	way.lose(t)
	took := g.recovers(t, 10*time.Second, token, caller)
	t.Logf("served %v after the connection was lost", took.Round(time.Millisecond))
}

func TestLostConnectionToAnIssuerIsReplaced(t *testing.T) {
	way := newRelay(t, oidc.url)
	g := guardOpaque(t, oidc, "CACHE_TTL=0", "INTROSPECTION_OPTIONS=url "+way.url+oidcIntrospection, "PROVIDER_OPTIONS=timeout 1s")
	token := oidc.token(t, "svc-basic", "alice", "opaque")
	g.serves(t, token, "alice")
	way.lose(t)
	took := g.recovers(t, 10*time.Second, token, "alice")
	t.Logf("served %v after the connection was lost", took.Round(time.Millisecond))
}

// freeze stops the API server in its tracks, with its connections open, until
// thaw is called or the test ends.
func freeze(t *testing.T, k *kubernetes) (thaw func()) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(k.dir, "apiserver.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	signal := func(s syscall.Signal) {
		if err := syscall.Kill(pid, s); err != nil {
			t.Errorf("sending %v to the API server: %v", s, err)
		}
	}
	signal(syscall.SIGSTOP)
	thaw = sync.OnceFunc(func() { signal(syscall.SIGCONT) })
	t.Cleanup(thaw)
	return thaw
}

func TestClusterHangsAndGoesOn(t *testing.T) {
	const timeout = time.Second
	path := reviewer(t)
	self := guardSelfSubject(t, "team-red/*", "PROVIDER_OPTIONS=timeout "+timeout.String())
	review := guardReview(t, path, "PROVIDER_OPTIONS=timeout "+timeout.String())
	seen, seenHere := kube.token(t, "team-red", "caller"), kube.token(t, "team-red", "caller", "llama-stack")
	fresh, freshHere := kube.token(t, "team-red", "caller"), kube.token(t, "team-red", "caller", "llama-stack")
	self.serves(t, seen, caller)
	review.serves(t, seenHere, caller)

	thaw := freeze(t, kube)
	for name, tc := range map[string]struct {
		g           *guarded
		seen, fresh string
	}{"self": {self, seen, fresh}, "review": {review, seenHere, freshHere}} {
		begin := time.Now()
		tc.g.refuses(t, tc.fresh, cannotTell, "auth_service_unavailable")
		took := time.Since(begin)
		if took > timeout+slack {
			t.Errorf("%s: the answer took %v", name, took)
		}
		t.Logf("%s: answered after %v", name, took.Round(time.Millisecond))
		tc.g.serves(t, tc.seen, caller) // within cache_ttl, which is ten seconds
	}
	thaw()
	self.recovers(t, 3*time.Second, fresh, caller)
	review.recovers(t, 3*time.Second, freshHere, caller)
}
