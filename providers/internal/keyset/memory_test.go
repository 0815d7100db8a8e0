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
