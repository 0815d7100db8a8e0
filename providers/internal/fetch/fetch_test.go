package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const secret = "s3cret-token"

// client follows no redirects, as Do demands.
func client() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ask posts the secret to the address.
func ask(ctx context.Context, t *testing.T, c *http.Client, address string) (*Reply, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader("token="+secret))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("gw", secret)
	return Do(c, req)
}

func TestAnAnswerIsReadWhateverItsStatus(t *testing.T) {
	for _, status := range []int{200, 201, 204, 302, 400, 401, 403, 404, 418, 429, 500, 503} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Seen", r.Header.Get("User-Agent")+" "+string(body))
			w.WriteHeader(status)
			if status != http.StatusNoContent {
				_, _ = io.WriteString(w, "body")
			}
		}))
		reply, err := ask(t.Context(), t, client(), server.URL)
		server.Close()
		if err != nil {
			t.Fatal(err)
		}
		if want := "body"; reply.Status != status || string(reply.Body) != want && status != http.StatusNoContent {
			t.Errorf("%d: got %d %q", status, reply.Status, reply.Body)
		}
		if seen := reply.Header.Get("X-Seen"); seen != userAgent+" token="+secret {
			t.Errorf("the service has seen %q", seen)
		}
	}
}

func TestARequestKeepsItsOwnUserAgent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.UserAgent()) }))
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", "own")
	if reply, err := Do(client(), req); err != nil || string(reply.Body) != "own" {
		t.Errorf("%v, %v", reply, err)
	}
}

// Case 124: the request has credentials, and so do the headers that Go would
// send along. Nobody else gets to see them.
func TestARedirectIsNotFollowed(t *testing.T) {
	var canary atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { canary.Add(1) }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, status)
		}))
		reply, err := ask(t.Context(), t, client(), server.URL)
		server.Close()
		if err != nil || reply.Status != status {
			t.Errorf("%d: %+v, %v", status, reply, err)
		}
	}
	if n := canary.Load(); n != 0 {
		t.Errorf("%d requests have gone elsewhere", n)
	}
}

// Cases 105, 123: what counts is what the answer takes in memory.
func TestAnAnswerIsBounded(t *testing.T) {
	zipped := func(size int) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.CopyN(w, zeros{}, int64(size))
		_ = w.Close()
		return b.Bytes()
	}
	var sent atomic.Int64
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		size   int // 0: too large
	}{
		"a mebibyte":      {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.CopyN(w, zeros{}, MaxBody) }, MaxBody},
		"one byte more":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.CopyN(w, zeros{}, MaxBody+1) }, 0},
		"64 MiB":          {func(w http.ResponseWriter, _ *http.Request) { n, _ := io.CopyN(w, zeros{}, 64<<20); sent.Store(n) }, 0},
		"a gzip bomb":     {gzipped(zipped(64 << 20)), 0},
		"one that is not": {gzipped(zipped(MaxBody)), MaxBody},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tc.answer)
			defer server.Close()
			reply, err := ask(t.Context(), t, client(), server.URL)
			if tc.size > 0 {
				if err != nil || len(reply.Body) != tc.size {
					t.Errorf("%v", err)
				}
				return
			}
			if !errors.Is(err, ErrTooLarge) || err.Error() != "answer of "+server.URL+" has more than 1 MiB" {
				t.Errorf("error is %v", err)
			}
		})
	}
	// Sockets have buffers, of a few mebibytes at most.
	if n := sent.Load(); n == 0 || n > 32<<20 {
		t.Errorf("%d MiB were taken from the service", n>>20)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func gzipped(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(b)
	}
}

// Whatever goes wrong, its description names the service and the kind of
// failure: not what was sent, not the query, and nothing that a service that
// repeats what it was sent could put into it.
func TestAFailureSaysNothingOfWhatWasSentOrReceived(t *testing.T) {
	tlsServer := httptest.NewUnstartedServer(http.NotFoundHandler())
	tlsServer.Config.ErrorLog = log.New(io.Discard, "", 0)
	tlsServer.StartTLS()
	defer tlsServer.Close()
	for name, tc := range map[string]struct {
		address func(*testing.T) string
		want    string // of the error behind the address
	}{
		"nobody listens":     {func(t *testing.T) string { return closed(t) }, "connection refused"},
		"hangs up":           {raw(""), "connection closed before the answer was complete"},
		"no HTTP":            {raw("220 " + secret + " ESMTP\r\n\r\n"), "answer is not HTTP, or broken off"},
		"a bad header":       {raw("HTTP/1.1 200 OK\r\n" + secret + "\r\n\r\n"), "answer is not HTTP, or broken off"},
		"a bad status":       {raw("HTTP/1.1 " + secret + "\r\n\r\n"), "answer is not HTTP, or broken off"},
		"cut off":            {raw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + secret), "connection closed before the answer was complete"},
		"a bad chunk":        {raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + secret + "\r\n"), "answer is not HTTP, or broken off"},
		"no gzip":            {raw("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + secret + secret), "answer is not HTTP, or broken off"},
		"a strange CA":       {func(*testing.T) string { return tlsServer.URL }, "certificate signed by unknown authority"},
		"no TLS":             {func(t *testing.T) string { return "https" + strings.TrimPrefix(raw(secret+secret)(t), "http") }, "tls: first record does not look like a TLS handshake"},
		"no such host":       {func(*testing.T) string { return "http://nowhere.invalid" }, "nowhere.invalid"},
		"a place without it": {func(*testing.T) string { return "gopher://a" }, "answer is not HTTP, or broken off"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t.Context(), t, client(), tc.address(t)+"/introspect?key="+secret)
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "?") {
				t.Errorf("the error repeats what it should not: %v", err)
			}
			if !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "/introspect: ") {
				t.Errorf("error is %v, want %s", err, tc.want)
			}
		})
	}
}

// The time ends the reading as well as the waiting, and whoever gives up is
// told apart from it.
func TestTheContextEndsARequest(t *testing.T) {
	wait := func(r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does a server see that the client has gone
		<-r.Context().Done()
	}
	own := fmt.Errorf("late: %w", context.DeadlineExceeded)
	for name, answer := range map[string]http.HandlerFunc{
		"before the answer": func(_ http.ResponseWriter, r *http.Request) { wait(r) },
		"in the answer": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, secret)
			_ = http.NewResponseController(w).Flush()
			wait(r)
		},
	} {
		server := httptest.NewServer(answer)
		for what, tc := range map[string]struct {
			ctx  func() (context.Context, context.CancelFunc)
			want string
		}{
			"a deadline": {func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), 50*time.Millisecond)
			}, "no answer in time"},
			"a deadline with a reason": {func() (context.Context, context.CancelFunc) {
				return context.WithTimeoutCause(t.Context(), 50*time.Millisecond, own)
			}, "no answer in time"},
			"an end": {func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(50*time.Millisecond, cancel)
				return ctx, cancel
			}, "context canceled"},
		} {
			ctx, cancel := tc.ctx()
			_, err := ask(ctx, t, client(), server.URL)
			cancel()
			if err == nil || !strings.HasSuffix(err.Error(), ": "+tc.want) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		server.Close()
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"7":                             7 * time.Second,
		"-7":                            0,
		"7.5":                           0,
		"soon":                          0,
		"3600":                          time.Hour,
		"3601":                          time.Hour,
		"2147483647":                    time.Hour,
		"2147483648":                    0,
		"99999999999999999999":          0,
		"Sun, 01 Nov 2026 12:00:30 GMT": 30 * time.Second,
		"Sun, 01 Nov 2026 11:59:30 GMT": 0,
		"Fri, 01 Nov 2999 12:00:00 GMT": time.Hour,
	} {
		r := &Reply{Header: http.Header{"Retry-After": {value}}}
		if got := r.RetryAfter(now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func TestWhereLeavesOutWhatMayBeSecret(t *testing.T) {
	u, err := url.Parse("https://user:pass@idp.example:8443/a%2Fb?key=secret#frag")
	if err != nil {
		t.Fatal(err)
	}
	if got := Where(u); got != "https://idp.example:8443/a%2Fb" {
		t.Errorf("%s", got)
	}
}

// raw answers every connection with these bytes and closes it.
func raw(answer string) func(*testing.T) string {
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
				_, _ = c.Read(make([]byte, 4096)) // or closing would reset it
				_, _ = io.WriteString(c, answer)
				_ = c.Close()
			}
		}()
		return "http://" + l.Addr().String()
	}
}

func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}
