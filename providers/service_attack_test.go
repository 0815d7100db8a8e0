package providers

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/fetch"
)

// What one caller provokes must not shut the others out: an answer of no use, a
// panic of ours, an answer too large to be read, hanging up.
func TestOneCallerCannotOpenTheBreaker(t *testing.T) {
	tooLarge := &CannotTell{Err: fmt.Errorf("answer of https://a %w", fetch.ErrTooLarge)}
	for name, provoked := range map[string]func(context.Context) Answer{
		"an answer of no use":          func(context.Context) Answer { return errOdd },
		"a panic":                      func(context.Context) Answer { panic("of the token") },
		"nothing":                      func(context.Context) Answer { return nil },
		"an answer that is too large":  func(context.Context) Answer { return tooLarge },
		"a no":                         func(context.Context) Answer { return refused },
		"a caller who hangs up":        func(ctx context.Context) Answer { return hangs(ctx, "") },
		"a caller with little time":    func(ctx context.Context) Answer { return hangs(ctx, "") },
		"a caller who leaves the door": func(context.Context) Answer { return &CannotTell{Err: context.Canceled} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newSphinx(t, "https://a", func(ctx context.Context, token string) Answer {
					if token == "good" {
						return yesTo("alice")
					}
					return provoked(ctx)
				}, withTTL(0))
				for i := range 20 * breakerLimit {
					ctx, cancel := context.WithCancel(t.Context())
					switch name {
					case "a caller with little time":
						ctx, cancel = context.WithTimeout(ctx, time.Millisecond)
					case "a caller who hangs up", "a caller who leaves the door":
						time.AfterFunc(time.Millisecond, cancel)
						if name == "a caller who leaves the door" {
							cancel()
						}
					}
					o.within(ctx, fmt.Sprint("bad-", i))
					cancel()
				}
				wantYes(t, askKind(t, o, "good"), "alice")
			})
		})
	}
}

// While the breaker is open one question a second decides whether it closes.
// Callers who provoke something odd, or who hang up, could take each of them,
// and keep it open for as long as they like.
func TestNobodyCanKeepTheBreakerOpen(t *testing.T) {
	for name, attack := range map[string]func(context.Context) Answer{
		"with answers of no use": func(context.Context) Answer { return errOdd },
		"with panics":            func(context.Context) Answer { panic("of the token") },
		"by hanging up": func(ctx context.Context) Answer {
			select {
			case <-time.After(100 * time.Millisecond):
				return refused
			case <-ctx.Done():
				return &CannotTell{Err: ctx.Err()}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				down := true
				o := newSphinx(t, "https://a", func(ctx context.Context, token string) Answer {
					switch {
					case down:
						return errGone
					case token == "good":
						return yesTo("alice")
					}
					return attack(ctx)
				}, withTTL(0))
				for range breakerLimit {
					wantCannotTell(t, askKind(t, o, "good"))
				}
				down = false
				stop := time.Now().Add(10 * time.Second)
				var wg sync.WaitGroup
				for time.Now().Before(stop) {
					// The attacker is always a little faster.
					wg.Go(func() {
						ctx, hangUp := context.WithTimeout(t.Context(), time.Millisecond)
						defer hangUp()
						o.within(ctx, fmt.Sprint("bad-", time.Now()))
					})
					time.Sleep(time.Millisecond)
					if _, yes := askKind(t, o, "good").(*Yes); yes {
						wg.Wait()
						return
					}
					time.Sleep(9 * time.Millisecond)
				}
				wg.Wait()
				t.Error("after ten seconds nobody has got in yet")
			})
		})
	}
}

// Sixty questions that hung until the service was back say nothing about it now.
func TestFailuresFromBeforeTheServiceWasBackDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newSphinx(t, "https://a", func(ctx context.Context, token string) Answer {
			switch token {
			case "good":
				return yesTo("alice")
			case "refused":
				return errGone
			}
			return hangs(ctx, token)
		}, withTTL(0))
		var wg sync.WaitGroup
		for i := range maxCalls - 2 {
			wg.Go(func() { wantCannotTell(t, askKind(t, o, fmt.Sprint("hung-", i))) })
		}
		synctest.Wait()
		for range breakerLimit { // others find out at once that it is down
			wantCannotTell(t, askKind(t, o, "refused"))
		}
		wantCannotTell(t, askKind(t, o, "good")) // shut
		time.Sleep(probePause)
		wantYes(t, askKind(t, o, "good"), "alice")
		wg.Wait() // the rest fail, all at once
		wantYes(t, askKind(t, o, "good"), "alice")
	})
}

// An open breaker answers at once, though every place may still be taken by
// calls from before.
func TestAnOpenBreakerWaitsForNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newSphinx(t, "https://a", func(ctx context.Context, token string) Answer {
			if token == "refused" {
				return errGone
			}
			return hangs(ctx, token)
		}, withTimeout(time.Minute))
		var wg sync.WaitGroup
		for i := range maxCalls - 1 {
			wg.Go(func() { wantCannotTell(t, askKind(t, o, fmt.Sprint("hung-", i))) })
		}
		synctest.Wait()
		for range breakerLimit {
			wantCannotTell(t, askKind(t, o, "refused"))
		}
		time.Sleep(probePause)
		wg.Go(func() { wantCannotTell(t, askKind(t, o, "probe")) }) // takes the last place
		synctest.Wait()
		o.wantAsked(t, maxCalls+breakerLimit)
		began := time.Now()
		wantCannotTell(t, askKind(t, o, "other"))
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %s", took)
		}
		wg.Wait()
	})
}

// R8: a million tokens that nobody knows. Each is remembered for a while, and
// all of them together need a few megabytes.
func TestAMillionRandomTokensNeedBoundedMemory(t *testing.T) {
	o := newSphinx(t, "https://a", always(refused), withTTL(0))
	before := heap()
	for i := range 1_000_000 {
		q := Question{Token: fmt.Sprintf("%032d", i)}
		if i%100 > 0 {
			o.answers.addNo(o.keyOf(q), &remembered{no: &No{Reason: fmt.Sprint("reason ", i)}, stored: time.Now()})
		} else if _, no := askKind(t, o, q.Token).(*No); !no { // the same, the whole way
			t.Fatal("not a no")
		}
	}
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("the heap grew by %d KiB", grown>>10)
	}
	if n := o.answers.noes.Len(); n != ofTokens.noes || n > 10_000 {
		t.Errorf("%d noes are kept", n)
	}
	o.wantAsked(t, 10_000)
}
