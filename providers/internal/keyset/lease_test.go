package keyset

import (
	"errors"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/jws"
)

// defaults are the settings of an issuer whose configuration says nothing.
func defaults() Settings {
	return Settings{Timeout: 5 * time.Second, RecheckPeriod: time.Hour, MaxStale: 24 * time.Hour, Logger: zap.NewNop()}
}

// lease acquires a lease that is given back when the test, or its bubble, ends.
func lease(t *testing.T, source Source, settings Settings) *Lease {
	t.Helper()
	l, err := Acquire(t.Name(), source, settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { giveBack(t, l) })
	return l
}

func giveBack(t *testing.T, l *Lease) {
	t.Helper()
	if err := l.Release(); err != nil {
		t.Errorf("releasing: %v", err)
	}
}

// mustFind demands a key for the token, at once: whoever shows a token with a
// known key never waits for a fetch.
func mustFind(t *testing.T, l *Lease, token *jws.Token) *Key {
	t.Helper()
	began := time.Now()
	keys, err := l.Find(t.Context(), token)
	if err != nil || len(keys) != 1 {
		t.Fatalf("found %d keys, %v", len(keys), err)
	}
	if waited := time.Since(began); waited != 0 {
		t.Errorf("a request with a known key waited %s", waited)
	}
	if _, err := token.Verify(keys[0].Public()); err != nil {
		t.Errorf("the key that was found does not verify: %v", err)
	}
	return keys[0]
}

// mustTry returns the one key that a token without a kid is tried with.
func mustTry(t *testing.T, l *Lease, token *jws.Token) []*Key {
	t.Helper()
	tried, err := l.Find(t.Context(), token)
	if err != nil || len(tried) != 1 {
		t.Fatalf("%d candidates, %v", len(tried), err)
	}
	return tried
}

// mustFail demands an error, at the latest after the given time.
func mustFail(t *testing.T, l *Lease, token *jws.Token, want error, atMost time.Duration) {
	t.Helper()
	began := time.Now()
	keys, err := l.Find(t.Context(), token)
	if !errors.Is(err, want) || keys != nil {
		t.Fatalf("found %d keys, %v; want %v", len(keys), err, want)
	}
	if waited := time.Since(began); waited > atMost {
		t.Errorf("waited %s, more than %s", waited, atMost)
	}
}
