package providers

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/fetch"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/shared"
)

const (
	// maxCalls is how many calls to one service are under way at most.
	maxCalls = 64

	// maxQueue is how many more wait for their turn, and turnWait how long: a
	// burst of good callers after a restart is not a fault, and a flood of bad
	// ones must not make a heap of waiting requests.
	maxQueue = 1024
	turnWait = time.Second
)

var (
	errBusy = errors.New("too many questions to the service are under way")
	errDown = errors.New("the service has not answered lately")
	errLate = fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)
)

// servicesPool keeps what is known of services across configuration reloads.
var servicesPool = shared.NewPool[*service]()

// service is what all who ask one service share: its limits, and whether it
// answers.
type service struct {
	slots   *semaphore.Weighted
	queue   atomic.Int64
	breaker breaker
}

func acquireService(key string) (s *service, release func() error, err error) {
	return servicesPool.Acquire(key, func() (*service, error) {
		return &service{slots: semaphore.NewWeighted(maxCalls)}, nil
	})
}

// Destruct implements caddy.Destructor. There is nothing to end: calls that are
// under way end by themselves.
func (*service) Destruct() error { return nil }

// ask calls the service when it is this call's turn, unless the service is
// down. All of it takes no longer than the timeout.
func (s *service) ask(ctx context.Context, timeout time.Duration, log *zap.Logger, call func(context.Context) Answer) Answer {
	began := time.Now()
	if s.breaker.shut(began) {
		return &CannotTell{Err: errDown}
	}
	ctx, cancel := context.WithDeadlineCause(ctx, began.Add(timeout), errLate)
	defer cancel()
	if !s.turn(ctx) {
		return &CannotTell{Err: errBusy}
	}
	defer s.slots.Release(1)
	asked := time.Now()
	allowed, probing := s.breaker.allow(asked)
	if !allowed {
		return &CannotTell{Err: errDown}
	}
	if probing {
		// Goes on without its caller: those who hang up at once could otherwise
		// take every probe, and nobody would ever find out.
		ctx, cancel = context.WithDeadlineCause(context.WithoutCancel(ctx), began.Add(timeout), errLate)
		defer cancel()
	}
	answer := guarded(func() Answer { return call(ctx) })
	// A caller who hangs up has not found out anything about the service, and one
	// whose time was mostly over when it was his turn has not, either.
	ended := context.Cause(ctx)
	if ended == nil || errors.Is(ended, errLate) && time.Since(asked) >= timeout/2 {
		s.report(answer, asked, log)
	}
	return answer
}

// turn waits until less than maxCalls are under way, and takes a place among
// them.
func (s *service) turn(ctx context.Context) bool {
	if s.slots.TryAcquire(1) {
		return true
	}
	if s.queue.Add(1) > maxQueue {
		s.queue.Add(-1)
		return false
	}
	defer s.queue.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	return s.slots.Acquire(ctx, 1) == nil
}

// report tells the breaker. An answer that is of no use counts neither way:
// what one caller's question provokes must not shut the others out.
func (s *service) report(a Answer, asked time.Time, log *zap.Logger) {
	now := time.Now()
	cannot, unsure := a.(*CannotTell)
	switch {
	case !unsure:
		if s.breaker.answer(now) {
			log.Info("the service answers again")
		}
	case cannot.Answered || errors.Is(cannot.Err, fetch.ErrTooLarge) || errors.Is(cannot.Err, fetch.ErrBroken):
		if s.breaker.reach(now) {
			log.Info("the service answers again, though with nothing of use", zap.Error(cannot.Err))
		}
	case s.breaker.fail(asked, now):
		log.Error("the service does not answer: asking once a second until it does", zap.Error(cannot.Err))
	}
}
