package stackauth_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// descriptors returns how many files and sockets this process has open.
func descriptors(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // not Linux
	}
	return len(list)
}

// settled closes what is idle and returns how much is left running and open.
func settled(t testing.TB, client *http.Client) (goroutines, files int) {
	t.Helper()
	client.CloseIdleConnections()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	// Quiet is when three looks in a row see the same.
	same := 0
	eventually(t, timeout, "the same number of goroutines for a while", func() bool {
		runtime.GC()
		n, f := runtime.NumGoroutine(), descriptors(t)
		if n == goroutines && f == files {
			same++
		} else {
			same = 0
		}
		goroutines, files = n, f
		time.Sleep(20 * time.Millisecond)
		return same >= 3
	})
	return goroutines, files
}

// load500 sends requests, about 500 a second, until it is told to stop, and
// returns how many there were and what went wrong. A connection that breaks
// without an answer is tried again, as the OpenAI SDKs do: of a thousand, Caddy
// drops one or two when a listener changes hands, also with nothing but
// `respond` behind it (tried, at this rate of reloads).
func load500(client *http.Client, url, token string) (stop func() (int, []string)) {
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var wrong []string
	var sent atomic.Int64
	var workers sync.WaitGroup
	for range 5 {
		workers.Go(func() {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for ctx.Err() == nil {
				<-tick.C
				req, _ := http.NewRequest("GET", url, nil)
				req.Header.Set("Authorization", "Bearer "+token)
				resp, err := client.Do(req)
				for again := 0; err != nil && again < 2; again++ {
					resp, err = client.Do(req)
				}
				sent.Add(1)
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if resp.StatusCode == 200 {
						continue
					}
					err = fmt.Errorf("status %d", resp.StatusCode)
				}
				mu.Lock()
				wrong = append(wrong, err.Error())
				mu.Unlock()
			}
		})
	}
	return func() (int, []string) {
		cancel()
		workers.Wait()
		return int(sent.Load()), wrong
	}
}

// R10: a hundred reloads under load lose no request and leak nothing.
func TestAHundredReloadsUnderLoadAreNotNoticed(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	// Over TCP, Caddy's old and new listener share the port, and the kernel
	// resets what the old one has not accepted when it is closed. No handler
	// has a part in that; a socket file is handed over without it.
	socket := filepath.Join(t.TempDir(), "caddy.sock")
	site := func(i int) string {
		// Connections to the stack that were in use when their configuration
		// ended would stay in its idle pool for two minutes.
		return "bind unix/" + socket + "\n" + protect(issuer, fmt.Sprintf("realm r%d", i)) + "reverse_proxy " + stack.URL + " {\ntransport http {\nkeepalive off\n}\n}\n"
	}
	g := startGateway(t, site(0))
	client := &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 10,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	token := issuer.Token("alice", nil)
	keepSecret("Authorization", token)
	for i := range 3 { // whatever is made once, is made now
		load(t, g.config("", site(1000+i)))
	}
	goroutines, files := settled(t, client)
	stop := load500(client, g.URL+"/v1/models", token)
	pace := time.NewTicker(30 * time.Millisecond)
	defer pace.Stop()
	for i := range 100 {
		load(t, g.config("", site(i+1)))
		<-pace.C
	}
	sent, wrong := stop()
	if len(wrong) != 0 {
		t.Errorf("%d of %d requests failed: %s", len(wrong), sent, wrong[0])
	}
	if sent < 100 { // one for each reload
		t.Errorf("only %d requests were sent", sent)
	}
	if n := issuer.Fetches(); n != 1 {
		t.Errorf("keys were fetched %d times", n)
	}
	// A leak would be of a hundred; what ends late ends.
	eventually(t, 3*timeout, fmt.Sprintf("about as many goroutines as before (%d), and open files (%d)", goroutines, files), func() bool {
		goroutinesAfter, filesAfter := settled(t, client)
		return max(goroutinesAfter-goroutines, goroutines-goroutinesAfter) <= 5 && max(filesAfter-files, files-filesAfter) <= 5
	})
}

// A configuration that is refused must leave the running one as it was, down
// to how often its key set is held.
func TestARejectedConfigurationChangesNothing(t *testing.T) {
	issuer, other, stack := testissuer.New(t), testissuer.New(t), newStack(t)
	good := protect(issuer) + proxy(stack)
	g := startGateway(t, good)
	token := bearer(issuer.Token("alice", nil))
	g.do(t, "GET", "/", token).is(t, 200, "")
	for name, bad := range map[string]string{
		"the same provider, then one that fails": protect(issuer) + "stack_auth {\n" + trust(issuer, "", "jwks {\nfile /no/such/file\n}") + "}\n" + proxy(stack),
		"one that fails, then the same provider": "stack_auth {\n" + trust(issuer, "", "jwks {\nfile /no/such/file\n}") + "}\n" + protect(issuer) + proxy(stack),
		"a second provider of the same prefix":   "stack_auth {\n" + trust(issuer, "a") + trust(other, "b") + "}\n" + proxy(stack),
		"tenancy that cannot be":                 protect(issuer, "tenancy multi") + proxy(stack),
		"something of somebody else":             good + "log {\noutput file /dev/null/no/such\n}\n",
		"an app that cannot start":               protect(other) + proxy(stack) + "bind 256.256.256.256\n",
	} {
		for range 3 {
			if err := tryLoad(t, g.config("", bad)); err == nil {
				t.Fatalf("%s: accepted", name)
			}
		}
		g.do(t, "GET", "/", token).is(t, 200, "")
	}
	if issuer.Fetches() != 1 || other.Fetches() != 0 {
		t.Errorf("keys were fetched %d times, those of a configuration that never was %d times", issuer.Fetches(), other.Fetches())
	}
	t.Run("what is held survives a good reload", func(t *testing.T) {
		load(t, g.config("", good+"header X-New 1\n"))
		g.do(t, "GET", "/", token).is(t, 200, "")
		if issuer.Fetches() != 1 {
			t.Errorf("keys were fetched %d times", issuer.Fetches())
		}
	})
	t.Run("and is let go in the end", func(t *testing.T) {
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
		load(t, g.config("", good))
		g.do(t, "GET", "/", token).is(t, 200, "")
		if issuer.Fetches() != 2 {
			t.Errorf("keys were fetched %d times", issuer.Fetches())
		}
	})
}

// An old configuration's handlers still serve what they were asked before.
func TestAStreamSurvivesAReload(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	events := make(chan string)
	stack.answerWith(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for event := range events {
			_, _ = io.WriteString(w, "data: "+event+"\n\n")
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set(http.TrailerPrefix+"X-Auth-User-Id", "admin")
	})
	g := startGateway(t, protect(issuer)+proxy(stack))
	req, _ := http.NewRequest("GET", g.URL+"/v1/stream", nil)
	req.Header.Set("Authorization", "Bearer "+issuer.Token("alice", nil))
	go func() { events <- "0" }()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	expect := func(event string) {
		t.Helper()
		line, err := lines.ReadString('\n')
		if err != nil || line != "data: "+event+"\n" {
			t.Fatalf("got %q, %v", line, err)
		}
		_, _ = lines.ReadString('\n')
	}
	expect("0")
	for i := 1; i <= 3; i++ {
		load(t, g.config("", protect(issuer, fmt.Sprintf("realm r%d", i))+proxy(stack)))
		events <- itoa(i)
		expect(itoa(i))
	}
	close(events)
	if rest, err := io.ReadAll(lines); err != nil || len(rest) != 0 {
		t.Errorf("got %q, %v", rest, err)
	}
	if resp.Trailer.Get("X-Auth-User-Id") != "" {
		t.Error("the stack answered with identity")
	}
}
