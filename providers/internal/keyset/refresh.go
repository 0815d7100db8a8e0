package keyset

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// backoff doubles from backoffLeast to backoffMost, less up to a quarter, so
// that the instances of a fleet do not come back as one.
func backoff(failures int) time.Duration {
	d := backoffMost
	if failures < 7 {
		d = min(backoffMost, backoffLeast<<(failures-1))
	}
	return d - rand.N(d/4+1)
}

// interval returns the time to the next refresh: 75 to 95 % of the shortest
// period that a user asked for, so that a removed key is gone within it. The
// first is any part of the period: a fleet that was started together must not
// come back together. s.mu is held.
func (s *Set) interval() time.Duration {
	if len(s.leases) == 0 {
		return backoffMost
	}
	shortest := slices.MinFunc(s.leases, func(a, b *Lease) int {
		return cmp.Compare(a.settings.RecheckPeriod, b.settings.RecheckPeriod)
	}).settings.RecheckPeriod
	if !s.settled {
		return shortest/10 + s.random(shortest/20*17+1)
	}
	return shortest/4*3 + s.random(shortest/5+1)
}

// start begins the background refresh, at the first use.
func (s *Set) start() {
	if s.running.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run()
}

// run starts the background refresh unless it runs. s.mu is held.
func (s *Set) run() {
	if s.running.Load() || s.over() {
		return
	}
	s.running.Store(true)
	if s.next.IsZero() {
		s.next = time.Now().Add(backoff(1))
	}
	go s.refresh()
}

// refresh fetches whenever it is time, until the set is let go.
func (s *Set) refresh() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		s.mu.Lock()
		wait := time.Until(s.next)
		s.mu.Unlock()
		timer.Reset(max(wait, 0))
		select {
		case <-s.ctx.Done():
			return
		case <-s.replan:
			continue
		case <-timer.C:
		}
		f := s.due()
		if f == nil {
			continue
		}
		select {
		case <-f.done:
		case <-s.ctx.Done():
			return
		}
	}
}

// due returns the fetch that is under way, or starts the one that is due.
func (s *Set) due() *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.newest() != nil:
		return s.newest()
	case s.over():
		// The last lease is just being given back, and the set about to end:
		// without a time in the future the loop would spin until it has.
		s.next = time.Now().Add(backoffMost)
		return nil
	case time.Now().Before(s.next):
		return nil
	}
	return s.launch()
}
