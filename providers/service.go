package providers

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"
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
)

// servicesPool keeps what is known of services across configuration reloads.
var servicesPool = caddy.NewUsagePool()

// service is what all who ask one service share: its limits, and whether it
// answers.
type service struct {
	pool    string
	slots   *semaphore.Weighted
	queue   atomic.Int64
	breaker breaker
}

func acquireService(key string) (*service, error) {
	v, _, err := servicesPool.LoadOrNew(key, func() (caddy.Destructor, error) {
		return &service{pool: key, slots: semaphore.NewWeighted(maxCalls)}, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*service), nil
}

// Destruct implements caddy.Destructor. There is nothing to end: calls that are
// under way end by themselves.
func (*service) Destruct() error { return nil }

func (s *service) release() error {
	_, err := servicesPool.Delete(s.pool)
	return err
}

// ask calls the service when it is this call's turn, unless the service is
// down.
func (s *service) ask(ctx context.Context, log *zap.Logger, call func(context.Context) Answer) Answer {
	if !s.turn(ctx) {
		return &CannotTell{Err: errBusy}
	}
	defer s.slots.Release(1)
	asked := time.Now()
	if !s.breaker.allow(asked) {
		return &CannotTell{Err: errDown}
	}
	answer := guarded(func() Answer { return call(ctx) })
	// A caller who hangs up has not found out anything about the service.
	if !errors.Is(ctx.Err(), context.Canceled) {
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
	case cannot.Answered:
	case s.breaker.fail(asked, now):
		log.Error("the service does not answer: asking once a second until it does", zap.Error(cannot.Err))
	}
}
