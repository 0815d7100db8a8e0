package keyset

import (
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/jws"
)

// ErrUnknownKey says that no key of the issuer fits the token, as far as can
// be known now.
var ErrUnknownKey = errors.New("no key of the issuer fits the token")

// ErrUnavailable says that it cannot be told whether a key fits: no set is
// held, the held one is too old, or its endpoint did not answer in time.
var ErrUnavailable = errors.New("the issuer's keys are unavailable")

const (
	// demandWait is how long a request waits for a fetch that it needs.
	demandWait = time.Second

	// demandPause is the least time between two fetches that unknown keys
	// cause, for everybody together: with it, tokens with made-up kids cost
	// the issuer one fetch in ten seconds, whatever their number.
	demandPause = 10 * time.Second

	// firstPause is the same while no set is held, so that an issuer that
	// comes up after us is found within two seconds.
	firstPause = time.Second

	// backoffLeast and backoffMost bound the time between attempts of the
	// background refresh while the source fails.
	backoffLeast = 500 * time.Millisecond
	backoffMost  = 30 * time.Second
)

// Set is the key set of one issuer at one address, shared by all who use it.
// It refreshes itself in the background once it has been used for the first
// time; loading a configuration fetches nothing.
type Set struct {
	held atomic.Pointer[held]

	running atomic.Bool // the background refresh

	mu         sync.Mutex
	leases     []*Lease
	flight     *flight
	probe      *flight   // a second one beside a flight that hangs
	lastFirst  time.Time // start of the last fetch for want of any set
	lastDemand time.Time // start of the last fetch for an unknown key
	failures   int
	next       time.Time // of the background refresh
	settled    bool      // a first refresh has been planned

	random func(time.Duration) time.Duration // in [0, n); seeded in tests
	replan chan struct{}
	ctx    context.Context
	cancel context.CancelFunc
}

// held is a ring with the time at which it was known to be right.
type held struct {
	ring    *Ring
	digest  [sha256.Size]byte
	fetched time.Time
}

// flight is a fetch under way. Whoever needs it waits for done, each with a
// patience of its own: it belongs to no request, so nobody's hang-up ends it.
type flight struct {
	started time.Time
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // read after done is closed
}

func newSet() *Set {
	ctx, cancel := context.WithCancel(context.Background())
	return &Set{random: rand.N[time.Duration], replan: make(chan struct{}, 1), ctx: ctx, cancel: cancel}
}

// Destruct implements caddy.Destructor: it ends the background refresh. What
// is held stays, for requests that are still under way.
func (s *Set) Destruct() error {
	s.cancel()
	return nil
}

// find returns the keys that may verify the token. It waits at most a second,
// and only where an unknown key, or the lack of any, makes a fetch worthwhile.
func (s *Set) find(ctx context.Context, l *Lease, t *jws.Token) ([]*Key, error) {
	s.start()
	until := time.Now().Add(demandWait)
	for range maxRounds {
		h := s.held.Load()
		usable := l.fresh(h)
		if usable {
			candidates, known := h.ring.Candidates(t)
			if len(candidates) > 0 {
				return candidates, nil
			}
			if known {
				return nil, ErrUnknownKey
			}
		}
		f, failing := s.demand(usable)
		switch {
		case f != nil:
		case s.held.Load() != h:
			// The fetch to wait for has just brought another set.
			continue
		case !usable || failing:
			return nil, ErrUnavailable
		default:
			return nil, ErrUnknownKey
		}
		// Look again after it. A fetch that somebody else had under way may have
		// been answered before this token's key was published: then ask once
		// more, if it is time. One that was given up for a later one says
		// nothing: then wait for that.
		if err := f.wait(ctx, until); err != nil && !errors.Is(err, errSuperseded) {
			return s.settle(l, t, ErrUnavailable)
		}
	}
	return s.settle(l, t, ErrUnknownKey)
}

// maxRounds is how many fetches one request may wait for, all of them within
// demandWait.
const maxRounds = 3

// errSuperseded is how a fetch ends that was given up for a later one.
var errSuperseded = errors.New("given up for a later fetch")

// settle gives the answer after the fetches that were due: the keys if they are
// held by now, whichever fetch has brought them, or else otherwise.
func (s *Set) settle(l *Lease, t *jws.Token, otherwise error) ([]*Key, error) {
	h := s.held.Load()
	if !l.fresh(h) {
		return nil, ErrUnavailable
	}
	if candidates, _ := h.ring.Candidates(t); len(candidates) > 0 {
		return candidates, nil
	}
	return nil, otherwise
}

func (f *flight) wait(ctx context.Context, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-f.done:
		return f.err
	case <-timer.C:
		return context.DeadlineExceeded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// demand returns the fetch to wait for: the one under way, or a new one if the
// pause since the last is over. Without either it returns nil, and whether the
// last fetch failed, so that "unknown" is not said where nobody can know.
func (s *Set) demand(usable bool) (f *flight, failing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, pause := &s.lastDemand, demandPause
	if !usable {
		last, pause = &s.lastFirst, firstPause
	}
	newest := s.newest()
	switch {
	case newest != nil && (usable || time.Since(newest.started) < firstPause):
		return newest, false
	case time.Since(*last) < pause || s.over():
		return newest, s.failures > 0
	}
	*last = time.Now()
	if newest == nil {
		return s.launch(), false
	}
	// No set is held, and the fetch hangs. It may yet be answered, so it stays;
	// but the issuer may be back, and another connection may tell at once.
	if s.probe != nil {
		s.probe.cancel()
	}
	s.probe = s.begin()
	return s.probe, false
}

// newest returns the fetch under way that began last, nil without any. s.mu is
// held.
func (s *Set) newest() *flight {
	if s.probe != nil {
		return s.probe
	}
	return s.flight
}

// over reports whether nobody holds the set any more. s.mu is held.
func (s *Set) over() bool {
	return len(s.leases) == 0 || s.ctx.Err() != nil
}

// launch starts the fetch. s.mu is held.
func (s *Set) launch() *flight {
	s.flight = s.begin()
	return s.flight
}

// begin starts a fetch. s.mu is held.
func (s *Set) begin() *flight {
	// The newest user's settings count: after a reload they are the ones that
	// the operator wrote last.
	l := s.leases[len(s.leases)-1]
	ctx, cancel := context.WithTimeout(s.ctx, l.settings.Timeout)
	f := &flight{started: time.Now(), cancel: cancel, done: make(chan struct{})}
	go s.fly(ctx, f, l)
	return f
}

func (s *Set) fly(ctx context.Context, f *flight, l *Lease) {
	defer f.cancel()
	err := errors.New("fetching key set: it panicked")
	defer func() {
		if p := recover(); p != nil {
			l.settings.Logger.Error("fetching key set panicked", zap.Any("panic", p))
		}
		s.land(f, l, err)
	}()
	err = s.fetch(ctx, l, f.started)
}

func (s *Set) fetch(ctx context.Context, l *Lease, started time.Time) error {
	document, err := l.source.Fetch(ctx)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(document)
	if h := s.held.Load(); h != nil && h.digest == digest {
		s.keep(&held{ring: h.ring, digest: digest, fetched: started})
		return nil
	}
	ring, notes, err := ReadRing(document, l.settings.Symmetric)
	for _, note := range notes {
		l.settings.Logger.Warn("leaving out a key of the key set", zap.String("reason", note))
	}
	if err != nil {
		return err
	}
	// Keys count from the start of the fetch: the answer may be as old.
	s.keep(&held{ring: ring, digest: digest, fetched: started})
	l.settings.Logger.Debug("key set is new", zap.Int("keys", ring.Len()))
	return nil
}

// keep holds the set, unless a later fetch was quicker.
func (s *Set) keep(h *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.held.Load(); old == nil || !old.fetched.After(h.fetched) {
		s.held.Store(h)
	}
}

// land records how a fetch ended and lets everybody know.
func (s *Set) land(f *flight, l *Lease, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := l.settings.Logger
	switch {
	case err != nil && s.overtaken(f):
		log.Debug("a fetch of the key set was given up for a later one", zap.Error(err))
		err = errSuperseded
	case err != nil:
		s.failures++
		s.next = time.Now().Add(backoff(s.failures))
		if s.failures == 1 {
			log.Error("fetching key set fails", zap.Error(err), zap.Bool("keys_held", s.held.Load() != nil))
		} else {
			log.Debug("fetching key set still fails", zap.Error(err), zap.Int("failures", s.failures))
		}
	default:
		if s.failures > 0 {
			log.Info("fetching key set works again", zap.Int("failures", s.failures))
		}
		s.failures = 0
		s.next = time.Now().Add(s.interval())
		s.settled = true
	}
	f.err = err
	s.unlist(f, err == nil)
	close(f.done)
	select {
	case s.replan <- struct{}{}:
	default:
	}
}

// overtaken reports whether a fetch that began later has taken this one's
// place, or has brought a set. s.mu is held.
func (s *Set) overtaken(f *flight) bool {
	if f != s.flight && f != s.probe {
		return true
	}
	h := s.held.Load()
	return h != nil && h.fetched.After(f.started)
}

// unlist takes a fetch that has ended off the list. After a good one, another
// that still hangs is only in the way of the next; but one that began after this
// had been given up may bring what its callers wait for. s.mu is held.
func (s *Set) unlist(f *flight, good bool) {
	listed := true
	switch f {
	case s.flight:
		s.flight, s.probe = s.probe, nil
	case s.probe:
		s.probe = nil
	default:
		listed = false
	}
	if good && s.flight != nil && (listed || s.flight.started.Before(f.started)) {
		s.flight.cancel()
		s.flight = nil
	}
}
