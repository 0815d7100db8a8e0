package providers

import (
	"sync"
	"time"
)

const (
	// breakerLimit is after how many failures in a row a service is taken to
	// be down.
	breakerLimit = 5

	// probePause is how often one request may find out whether it is back.
	probePause = time.Second
)

// breaker keeps requests from waiting for a service that does not answer: after
// breakerLimit failures in a row it is open, and lets one question a second
// through until one is answered.
type breaker struct {
	mu       sync.Mutex
	failures int
	open     bool
	probed   time.Time // when the last question was let through while open
	answered time.Time // when the service last answered
}

// shut reports whether a question would not be let through now. It takes no
// question's place.
func (b *breaker) shut(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open && now.Sub(b.probed) < probePause
}

// allow reports whether the service may be asked now, and whether by that a
// question becomes the one that finds out.
func (b *breaker) allow(now time.Time) (allowed, probing bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return true, false
	}
	if now.Sub(b.probed) < probePause {
		return false, false
	}
	b.probed = now
	return true, true
}

// answer records that the service answered. It reports whether the breaker was
// open until then.
func (b *breaker) answer(now time.Time) (closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	closed = b.open
	b.failures, b.open, b.answered = 0, false, now
	return closed
}

// reach records that the service said something of no use. While the breaker is
// closed this counts neither way; an open one closes, for somebody is there:
// callers with tokens that are always answered so could otherwise take every
// probe, and keep it shut for all.
func (b *breaker) reach(now time.Time) (closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return false
	}
	b.failures, b.open, b.answered = 0, false, now
	return true
}

// fail records that a question which was asked at the given time got no answer,
// and reports whether the breaker opens with it. A question from before the
// service was back says nothing about it now: sixty that hung until then must
// not shut the door again.
func (b *breaker) fail(asked, now time.Time) (opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if asked.Before(b.answered) {
		return false
	}
	b.failures++
	if b.open || b.failures < breakerLimit {
		return false
	}
	b.open, b.probed = true, now
	return true
}
