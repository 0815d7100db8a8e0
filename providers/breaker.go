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

// allow reports whether the service may be asked now.
func (b *breaker) allow(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return true
	}
	if now.Sub(b.probed) < probePause {
		return false
	}
	b.probed = now
	return true
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
