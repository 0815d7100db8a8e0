package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// seen counts the requests of each token.
type seen struct {
	mu     sync.Mutex
	tokens map[string]int
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]++
	s.mu.Unlock()
	answer1K().ServeHTTP(w, r)
}

func startSeen(t *testing.T, s site, connections int) (*seen, *client) {
	t.Helper()
	handler := &seen{tokens: map[string]int{}}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := dial(t.Context(), server.Listener.Addr().String(), connections, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return handler, c
}

func TestEveryTokenIsPresentedOnWarmingUp(t *testing.T) {
	tokens := []string{"a", "b", "c", "d", "e", "f", "g"}
	handler, c := startSeen(t, site{tokens: tokens, status: 200}, 3)
	if err := c.all(); err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens {
		if handler.tokens[token] == 0 {
			t.Errorf("token %s was not presented", token)
		}
	}
}

func TestASliceCountsWhatTheServerSaw(t *testing.T) {
	handler, c := startSeen(t, site{status: 200}, 2)
	done, err := c.run(20 * time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if done.requests == 0 || done.requests != handler.tokens[""] || done.requests != len(done.latencies) {
		t.Errorf("counted %d requests with %d latencies, the server saw %d", done.requests, len(done.latencies), handler.tokens[""])
	}
}

func TestAnotherStatusThanExpectedEndsTheRun(t *testing.T) {
	_, c := startSeen(t, site{status: http.StatusUnauthorized}, 1)
	if _, err := c.run(time.Millisecond); err == nil || !strings.Contains(err.Error(), "expected status 401") {
		t.Errorf("got error %v, want one about the status", err)
	}
}

func TestTheCPUClockOfAProcessAdvances(t *testing.T) {
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for {
		after, err := cpuTime(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if after > before {
			return // asking costs time too
		}
	}
}
