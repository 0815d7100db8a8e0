package keyset

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/jws"
)

// ecKey returns a key of which a token costs little.
func ecKey(id string) *testissuer.Key { return testissuer.NewKey(id, "ES256") }

// document returns a key set of the given keys and raw elements.
func document(elements ...any) []byte {
	list := []any{}
	for _, e := range elements {
		if k, ok := e.(*testissuer.Key); ok {
			e = k.JWK
		}
		list = append(list, e)
	}
	b, err := json.Marshal(map[string]any{"keys": list})
	if err != nil {
		panic(err)
	}
	return b
}

// jwkOf returns the key's JWK with the given members laid over it; nil takes
// one away.
func jwkOf(k *testissuer.Key, over map[string]any) map[string]any {
	m := maps.Clone(k.JWK)
	maps.Copy(m, over)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

// tokenOf returns a token signed by the key; header members are laid over it.
func tokenOf(t testing.TB, k *testissuer.Key, header map[string]any) *jws.Token {
	t.Helper()
	parsed, err := jws.Parse(k.Sign(map[string]any{"sub": "alice"}, header))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// without is a header that takes the kid away.
var without = map[string]any{"kid": nil}

// unknown is a token with a kid that no set has.
func unknown(t testing.TB) *jws.Token {
	t.Helper()
	return tokenOf(t, ecKey("made-up"), nil)
}

// memory is a source in memory: with it a set runs in a synctest bubble, whose
// clock stands still while anything is under way.
type memory struct {
	mu      sync.Mutex
	doc     []byte
	err     error
	delay   time.Duration // before it is read what to answer
	linger  time.Duration // after that, whatever the context says
	panics  bool
	fetches []time.Time
	open    int
}

var errDown = errors.New("source is down")

func newMemory(elements ...any) *memory { return &memory{doc: document(elements...)} }

func (m *memory) Fetch(ctx context.Context) ([]byte, error) {
	m.mu.Lock()
	m.fetches = append(m.fetches, time.Now())
	m.open++
	delay := m.delay
	m.mu.Unlock()
	defer m.change(func(m *memory) { m.open-- })
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	m.mu.Lock()
	doc, err, linger, panics := m.doc, m.err, m.linger, m.panics
	m.mu.Unlock()
	if panics {
		panic("source panics")
	}
	time.Sleep(linger)
	return doc, err
}

// change changes the source under its lock.
func (m *memory) change(f func(*memory)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m)
}

func (m *memory) publish(elements ...any) {
	m.change(func(m *memory) { m.doc = document(elements...) })
}

func (m *memory) fail()                { m.change(func(m *memory) { m.err = errDown }) }
func (m *memory) heal()                { m.change(func(m *memory) { m.err = nil }) }
func (m *memory) slow(d time.Duration) { m.change(func(m *memory) { m.delay = d }) }

func (m *memory) lingers(d time.Duration) {
	m.change(func(m *memory) { m.linger = d })
}

// underWay returns how many fetches have not been answered.
func (m *memory) underWay() (n int) {
	m.change(func(m *memory) { n = m.open })
	return n
}

func (m *memory) times() []time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.fetches)
}

func (m *memory) count() int { return len(m.times()) }

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
