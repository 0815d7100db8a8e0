package providers

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// gauge counts what is under way at once.
type gauge struct{ now, most atomic.Int64 }

func (g *gauge) enter() {
	n := g.now.Add(1)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
}

func (g *gauge) leave() { g.now.Add(-1) }

// flood asks about n tokens at once, and returns how long each waited.
func flood(t *testing.T, o *sphinx, n int) []time.Duration {
	t.Helper()
	took := make([]time.Duration, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			began := time.Now()
			wantCannotTell(t, askKind(t, o, fmt.Sprint("token-", i)))
			took[i] = time.Since(began)
		})
	}
	wg.Wait()
	return took
}

// R7, case 133: a service that takes questions and never answers. Those who ask
// get their 503 in time, most of them long before.
func TestAHungServiceHoldsUpFewAndNotForLong(t *testing.T) {
	const timeout = 5 * time.Second
	for name, ttl := range map[string]time.Duration{"shared": time.Hour, "each by itself": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var under gauge
				o := newSphinx(t, "https://hung", func(ctx context.Context, token string) Answer {
					under.enter()
					defer under.leave()
					return hangs(ctx, token)
				}, withTTL(ttl), withTimeout(timeout))
				const callers = maxCalls + maxQueue + 500
				var atOnce, queued, asked int
				for _, took := range flood(t, o, callers) {
					switch took {
					case 0:
						atOnce++
					case turnWait:
						queued++
					case timeout:
						asked++
					default:
						t.Errorf("a caller waited for %s", took)
					}
				}
				if atOnce != 500 || queued != maxQueue || asked != maxCalls {
					t.Errorf("%d were turned away, %d waited for their turn, %d for the service", atOnce, queued, asked)
				}
				if under.most.Load() != maxCalls {
					t.Errorf("%d calls were under way at once", under.most.Load())
				}
				o.wantAsked(t, maxCalls)
				// From now on the breaker answers at once.
				for i, took := range flood(t, o, 100) {
					if took != 0 {
						t.Errorf("caller %d waited for %s", i, took)
					}
				}
				o.wantAsked(t, 0)
			})
		})
	}
}

// A timeout shorter than the wait for a turn ends that wait, too.
func TestTheTimeoutIncludesTheWaitForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = 300 * time.Millisecond
		o := newSphinx(t, "https://hung", hangs, withTimeout(timeout))
		for i, took := range flood(t, o, 3*maxCalls) {
			if took != timeout {
				t.Fatalf("caller %d waited for %s", i, took)
			}
		}
	})
}

// A burst of good callers after a restart is no fault: all are served, some
// after a wait.
func TestABurstIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var under gauge
		o := newSphinx(t, "https://a", func(_ context.Context, token string) Answer {
			under.enter()
			defer under.leave()
			time.Sleep(50 * time.Millisecond)
			return yesTo(token)
		})
		var wg sync.WaitGroup
		for i := range 15 * maxCalls {
			wg.Go(func() {
				token := fmt.Sprint(i)
				wantYes(t, askKind(t, o, token), token)
			})
		}
		wg.Wait()
		if under.most.Load() != maxCalls {
			t.Errorf("%d calls were under way at once", under.most.Load())
		}
	})
}

// R7: five failures in a row open the breaker; then one question a second finds
// out, and the first answer closes it.
func TestTheBreakerOpensAfterFiveFailuresAndProbesOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, lines := observer.New(zap.InfoLevel)
		o := sphinxWithLog(t, zap.New(core), "https://a", always(errGone))
		for range breakerLimit - 1 {
			wantCannotTell(t, askKind(t, o, "t"))
		}
		o.says = always(yesTo("alice"))
		wantYes(t, askKind(t, o, "u"), "alice") // an answer in between: they are not in a row
		o.says = always(errGone)
		for range breakerLimit {
			wantCannotTell(t, askKind(t, o, "t"))
		}
		o.wantAsked(t, 2*breakerLimit)
		// 100 requests a second for ten seconds.
		for range 1000 {
			time.Sleep(10 * time.Millisecond)
			wantCannotTell(t, askKind(t, o, "t"))
		}
		o.wantAsked(t, 10)
		o.says = always(yesTo("alice"))
		back := time.Now()
		for {
			if _, yes := askKind(t, o, "t").(*Yes); yes {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(back); took > probePause {
			t.Errorf("the first yes came %s after the service was back", took)
		}
		for i := range 100 {
			wantYes(t, askKind(t, o, fmt.Sprint(i)), "alice")
		}
		var said []string
		for _, line := range lines.All() {
			said = append(said, line.Level.String()+" "+line.Message)
		}
		if len(said) != 2 || said[0] != "error the service does not answer: asking once a second until it does" ||
			said[1] != "info the service answers again" {
			t.Errorf("the log has %q", said)
		}
	})
}

// R7: who asks another service waits for none of this. A service is an address
// and the way to it; names and what is asked do not matter.
func TestOtherServicesAreNotConcerned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := newSphinx(t, "https://hung", hangs)
		good := always(yesTo("alice"))
		elsewhere := newSphinx(t, "https://well", good)
		otherwise := newSphinx(t, "https://hung", good, func(o *sphinx) {
			o.TransportRaw = []byte(`{"protocol":"http","tls":{"insecure_skip_verify":true}}`)
		})
		same := newSphinx(t, "https://hung", good, named("same"))
		var wg sync.WaitGroup
		wg.Go(func() { flood(t, hung, 500) })
		synctest.Wait()
		began := time.Now()
		wantYes(t, askKind(t, elsewhere, "t"), "alice")
		wantYes(t, askKind(t, otherwise, "t"), "alice")
		if took := time.Since(began); took != 0 {
			t.Errorf("they waited for %s", took)
		}
		wg.Wait()
		wantCannotTell(t, askKind(t, same, "t"))
		same.wantAsked(t, 0)
		// A reload does not forget that it is down.
		after := newSphinx(t, "https://hung", good)
		if err := hung.CleanUpJudge(); err != nil {
			t.Error(err)
		}
		wantCannotTell(t, askKind(t, after, "t"))
		after.wantAsked(t, 0)
	})
}

// What is known of a good caller does not depend on the service, nor on how
// many strangers there are.
func TestKnownCallersAreServedDuringAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newSphinx(t, "https://a", always(yesTo("alice")), withTTL(time.Minute))
		wantYes(t, askKind(t, o, "t"), "alice")
		o.says = hangs
		var wg sync.WaitGroup
		wg.Go(func() { flood(t, o, 2000) })
		for range 50 {
			synctest.Wait()
			began := time.Now()
			wantYes(t, askKind(t, o, "t"), "alice")
			if took := time.Since(began); took != 0 {
				t.Errorf("a known caller waited for %s", took)
			}
			time.Sleep(100 * time.Millisecond)
		}
		wg.Wait()
	})
}

// Whoever asks about a token while it is answered gets that answer, and no
// other's: run with -race.
func TestManyCallersWithManyTokensGetTheirOwnAnswers(t *testing.T) {
	o := newSphinx(t, "https://a", func(_ context.Context, token string) Answer { return yesTo(token) }, withTTL(time.Millisecond))
	var wg sync.WaitGroup
	for c := range 16 {
		wg.Go(func() {
			for i := range 300 {
				token := fmt.Sprint((c + i) % 7)
				wantYes(t, askKind(t, o, token), token)
			}
		})
	}
	wg.Wait()
}
