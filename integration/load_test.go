//go:build integration

package integration

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"
)

// shot is one request of a load and what became of it.
type shot struct {
	kind       string // the kid of a good token, or what the test calls it
	begin, end time.Time
	status     int // 0: no answer
}

// load sends requests at a fixed rate, whatever becomes of them, and keeps
// every outcome: what was right is decided afterwards, when it is known when
// each key came and went.
type load struct {
	gateway *gateway

	mu    sync.Mutex
	kinds []string
	pool  map[string][]string // kind → tokens, the newest last
	shots []shot

	wg sync.WaitGroup
}

// poolSize bounds the tokens of one kind, so that the same token is sent
// often enough to be answered from the gateway's cache.
const poolSize = 20

func newLoad(g *gateway) *load {
	return &load{gateway: g, pool: make(map[string][]string)}
}

// add puts a token among those that are sent.
func (l *load) add(kind, token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.pool[kind]; !ok {
		l.kinds = append(l.kinds, kind)
	}
	if len(l.pool[kind]) < poolSize {
		l.pool[kind] = append(l.pool[kind], token)
	}
}

// pick takes turns among the kinds, and among the tokens of each.
func (l *load) pick(i int) (kind, token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.kinds) == 0 {
		return "", ""
	}
	kind = l.kinds[i%len(l.kinds)]
	tokens := l.pool[kind]
	return kind, tokens[i/len(l.kinds)%len(tokens)]
}

// fire sends one request and keeps its outcome.
func (l *load) fire(kind, token string) {
	s := shot{kind: kind, begin: time.Now()}
	// an answer is owed also to what was asked when the test was ending
	if a, err := l.gateway.try(context.Background(), request{path: "/v1/models", token: token}); err == nil {
		s.status = a.status
	}
	s.end = time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shots = append(l.shots, s)
}

// every calls a function at a rate, each call by itself, until the context
// ends. What a busy machine is late with is made up for.
func (l *load) every(ctx context.Context, interval time.Duration, call func(i int)) {
	l.wg.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		begin := time.Now()
		for i := 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				for due := int(time.Since(begin) / interval); i < due; i++ {
					l.wg.Go(func() { call(i) })
				}
			}
		}
	})
}

// sendPool sends the pool's tokens at a rate.
func (l *load) sendPool(ctx context.Context, interval time.Duration) {
	l.every(ctx, interval, func(i int) {
		if kind, token := l.pick(i); token != "" {
			l.fire(kind, token)
		}
	})
}

// mint gets a token at a rate, sends it at once, and puts it into the pool.
func (l *load) mint(ctx context.Context, t *testing.T, k *keycloak, interval time.Duration) {
	l.every(ctx, interval, func(int) {
		// not the load's context: a token that was asked for is waited for
		token, err := k.service(context.WithoutCancel(ctx))
		if err != nil {
			t.Errorf("getting a token under load: %v", err)
			return
		}
		kind := kidOf(t, token)
		l.fire(kind, token)
		l.add(kind, token)
	})
}

// count sums up outcomes by kind and status.
func (l *load) count() map[string]map[int]int {
	counts := make(map[string]map[int]int)
	for _, s := range l.shots {
		if counts[s.kind] == nil {
			counts[s.kind] = make(map[int]int)
		}
		counts[s.kind][s.status]++
	}
	return counts
}

// snapshot is for looking while the load runs.
func (l *load) snapshot() []shot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clip(l.shots)
}

func (l *load) countOf(kind string) (n int) {
	for _, s := range l.snapshot() {
		if s.kind == kind {
			n++
		}
	}
	return n
}
