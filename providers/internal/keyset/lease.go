package keyset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/jws"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/shared"
)

// pool keeps sets across configuration reloads.
var pool = shared.NewPool[*Set]()

// Settings are what a user of a set may tune. They are no part of what the set
// is: two users with different settings share it.
type Settings struct {
	// Timeout bounds one fetch.
	Timeout time.Duration
	// RecheckPeriod is how often the set is fetched although nothing asks for
	// it: the longest that a removed key is still believed.
	RecheckPeriod time.Duration
	// MaxStale is how long known keys serve beyond RecheckPeriod while the
	// source fails.
	MaxStale time.Duration
	// Symmetric admits symmetric keys. Only for a file.
	Symmetric bool
	Logger    *zap.Logger
}

// Lease is one user's hold on a set. Release gives it back; requests that are
// under way may still use it afterwards.
type Lease struct {
	set      *Set
	leave    func() error // the set
	source   Source
	settings Settings
}

// Acquire takes hold of the set with the given key, and makes it if nobody has
// it yet. The key says what the set physically is: the address, and by what
// its answers are trusted.
func Acquire(key string, source Source, settings Settings) (*Lease, error) {
	set, leave, err := pool.Acquire(key, func() (*Set, error) { return newSet(), nil })
	if err != nil {
		return nil, fmt.Errorf("acquiring key set: %w", err)
	}
	if _, local := source.(*FileSource); local {
		settings.RecheckPeriod = filePeriod
	}
	l := &Lease{set: set, leave: leave, source: source, settings: settings}
	l.set.mu.Lock()
	defer l.set.mu.Unlock()
	l.set.leases = append(l.set.leases, l)
	// A shorter period than before counts from now on.
	if soonest := time.Now().Add(l.set.interval()); l.set.held.Load() != nil && soonest.Before(l.set.next) {
		l.set.next = soonest
		select {
		case l.set.replan <- struct{}{}:
		default:
		}
	}
	return l, nil
}

// Release gives the lease back. The set ends with its last lease.
func (l *Lease) Release() error {
	l.set.mu.Lock()
	l.set.leases = slices.DeleteFunc(l.set.leases, func(o *Lease) bool { return o == l })
	l.set.mu.Unlock()
	return l.leave()
}

// Load fetches the set now, for a source that is a local file: a file that is
// missing or has no usable key is a mistake that loading the configuration
// should tell.
func (l *Lease) Load() error {
	return l.set.fetch(context.Background(), l, time.Now())
}

// Warm starts fetching the set, so that the first caller need not wait for it.
func (l *Lease) Warm() {
	l.set.mu.Lock()
	defer l.set.mu.Unlock()
	if l.set.held.Load() == nil && l.set.flight == nil && !l.set.over() {
		l.set.lastFirst = time.Now()
		l.set.launch()
	}
	l.set.run()
}

// Ready waits for the set where none is held yet: for its first fetch, however
// long that takes, or until ctx ends.
func (l *Lease) Ready(ctx context.Context) {
	l.Warm()
	l.set.mu.Lock()
	f := l.set.newest()
	l.set.mu.Unlock()
	if f == nil || l.set.held.Load() != nil {
		return
	}
	select {
	case <-f.done:
	case <-ctx.Done():
	}
}

// Find returns the keys that may verify the token. It fails with ErrUnknownKey
// or ErrUnavailable.
func (l *Lease) Find(ctx context.Context, t *jws.Token) ([]*Key, error) {
	return l.set.find(ctx, l, t)
}

// Retry is Find for a token without a kid that none of the keys verified: the
// issuer may have rotated, which such a token cannot tell. As Find does, it asks
// once more after a fetch that somebody else had under way.
func (l *Lease) Retry(ctx context.Context, t *jws.Token, tried []*Key) (found []*Key, err error) {
	until := time.Now().Add(demandWait)
	for range maxRounds {
		f, failing := l.set.demand(true)
		if f == nil && failing {
			return nil, ErrUnavailable
		}
		otherwise, last := ErrUnknownKey, f == nil
		if f != nil {
			if err := f.wait(ctx, until); err != nil && !errors.Is(err, errSuperseded) {
				otherwise, last = ErrUnavailable, true
			}
		}
		// Without a fetch to wait for, too: one may have ended since the keys that
		// were tried had been taken.
		found, err = l.untried(t, tried, otherwise)
		if err == nil || last {
			break
		}
	}
	return found, err
}

// untried returns the keys that may verify the token and have not been tried,
// or else otherwise.
func (l *Lease) untried(t *jws.Token, tried []*Key, otherwise error) ([]*Key, error) {
	found, err := l.set.settle(l, t, otherwise)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(slices.Clone(found), func(k *Key) bool {
		return slices.ContainsFunc(tried, func(o *Key) bool { return o.print == k.print })
	})
	if len(found) == 0 {
		return nil, otherwise
	}
	return found, nil
}

// Trusts reports whether a key that once verified a token still would: it is
// still in the set, and the set is not too old.
func (l *Lease) Trusts(p Print) bool {
	h := l.set.held.Load()
	return l.fresh(h) && h.ring.Has(p)
}

func (l *Lease) fresh(h *held) bool {
	// Subtracted, and not added: two long periods could overflow.
	return h != nil && time.Since(h.fetched)-l.settings.RecheckPeriod < l.settings.MaxStale
}
