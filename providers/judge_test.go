package providers

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// R6: five hundred requests with a token that nobody has seen yet are one
// question, and the one who happened to ask first may go away.
func TestFirstRequestsWithOneTokenAreOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newSphinx(t, "https://a", func(context.Context, string) Answer {
			time.Sleep(time.Second)
			return yesTo("alice")
		})
		leaving, leave := context.WithCancel(t.Context())
		var left, served atomic.Int64
		var wg sync.WaitGroup
		wg.Go(func() {
			if a, ok := o.within(leaving, "t").(*CannotTell); ok && errors.Is(a.Err, context.Canceled) {
				left.Add(1)
			}
		})
		synctest.Wait()
		for range 499 {
			wg.Go(func() {
				if _, ok := o.within(t.Context(), "t").(*Yes); ok {
					served.Add(1)
				}
			})
		}
		synctest.Wait()
		leave()
		began := time.Now()
		synctest.Wait()
		if left.Load() != 1 || served.Load() != 0 {
			t.Errorf("%d left at once, %d were served before there was an answer", left.Load(), served.Load())
		}
		wg.Wait()
		if served.Load() != 499 || time.Since(began) != time.Second {
			t.Errorf("%d of 499 were served, after %s", served.Load(), time.Since(began))
		}
		o.wantAsked(t, 1)
		wantYes(t, askKind(t, o, "t"), "alice")
		o.wantAsked(t, 0)
		wantYes(t, askKind(t, o, "u"), "alice") // another token is another question
		o.wantAsked(t, 1)
	})
}

// cache_ttl 0: what the service revokes is refused at once. A question that is
// under way may be from before that, so it is not joined.
func TestCacheTTLZeroSharesNoQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var revoked atomic.Bool
		o := newSphinx(t, "https://a", func(context.Context, string) Answer {
			was := revoked.Load()
			time.Sleep(time.Second)
			if was {
				return refused
			}
			return yesTo("alice")
		}, withTTL(0))
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { wantYes(t, askKind(t, o, "t"), "alice") })
		}
		synctest.Wait()
		revoked.Store(true)
		if a := askKind(t, o, "t"); a != refused {
			t.Errorf("after the revocation the answer is %s", describe(a))
		}
		wg.Wait()
		o.wantAsked(t, 11)
	})
}

// A yes that was slow must not undo the no to a question that was asked later,
// and so not come back while the judge is gone.
func TestASlowYesDoesNotUndoALaterNo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := make(chan Answer, 3)
		o := newSphinx(t, "https://a", func(context.Context, string) Answer {
			a := <-answers
			if a == Answer(errGone) {
				return a
			}
			if _, yes := a.(*Yes); yes {
				time.Sleep(2 * time.Second)
			}
			return a
		}, withTTL(0), withStale(time.Hour))
		var wg sync.WaitGroup
		answers <- yesTo("alice")
		wg.Go(func() { wantYes(t, askKind(t, o, "t"), "alice") }) // it was good when it came
		time.Sleep(time.Second)
		answers <- refused
		if a := askKind(t, o, "t"); a != refused {
			t.Errorf("answer is %s", describe(a))
		}
		wg.Wait()
		if a := askKind(t, o, "t"); a != refused {
			t.Errorf("then the answer is %s", describe(a))
		}
		time.Sleep(noTTL)
		answers <- errGone
		if a := askKind(t, o, "t"); a != Answer(errGone) {
			t.Errorf("with the judge gone the answer is %s", describe(a))
		}
	})
}

// One flight for providers that differ in their patience would let the more
// patient one decide.
func TestNobodyWaitsLongerThanItsOwnTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		patient := newSphinx(t, "https://a", hangs, withTimeout(time.Minute))
		hasty := newSphinx(t, "https://a", hangs, withTimeout(time.Second))
		var wg sync.WaitGroup
		wg.Go(func() { wantCannotTell(t, askKind(t, patient, "t")) })
		synctest.Wait()
		began := time.Now()
		wantCannotTell(t, askKind(t, hasty, "t"))
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %s", took)
		}
		wg.Wait()
	})
}

// A judge that panics has not judged; in a flight it must not end the process.
func TestAPanicIsNoAnswer(t *testing.T) {
	for _, ttl := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			o := newSphinx(t, "https://a", func(context.Context, string) Answer { panic("of the token") }, withTTL(ttl))
			for range 2 * breakerLimit { // nor is it the service's fault
				wantCannotTell(t, askKind(t, o, "t"))
			}
			o.wantAsked(t, 2*breakerLimit)
			for name, says := range map[string]Answer{"nothing": nil, "a yes to nobody": &Yes{}, "no reason": &CannotTell{}} {
				o.says = always(says)
				if a, ok := askKind(t, o, "t").(*CannotTell); !ok || a.Err == nil {
					t.Errorf("%s is an answer", name)
				}
			}
		})
	}
}

// The call is nobody's in particular: a placeholder in the options of a
// transport must not find the request of the caller who happens to be asked
// about, with all that it says of itself.
func TestTheJudgeIsAskedWithoutTheRequest(t *testing.T) {
	for _, ttl := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var found any
			o := newSphinx(t, "https://a", func(ctx context.Context, _ string) Answer {
				found = ctx.Value(caddy.ReplacerCtxKey)
				if _, bounded := ctx.Deadline(); !bounded {
					t.Error("the call has no end")
				}
				return yesTo("alice")
			}, withTTL(ttl))
			wantYes(t, o.within(context.WithValue(t.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer()), "t"), "alice")
			if found != nil {
				t.Errorf("with cache_ttl %s the call finds the caller's placeholders", ttl)
			}
		})
	}
}

// With cache_ttl 0 nobody else waits for the answer, so the call ends with the
// caller.
func TestACallForOneCallerEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newSphinx(t, "https://a", hangs, withTTL(0))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		wantCannotTell(t, o.within(ctx, "t"))
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// Known says what Ask would without asking, and needs no memory for it.
func TestKnownAsksNobody(t *testing.T) {
	o := newSphinx(t, "https://a", always(yesTo("alice")))
	q := Question{Token: "t"}
	if a := o.Known(q); a != nil {
		t.Errorf("%s is known", describe(a))
	}
	wantYes(t, askKind(t, o, "t"), "alice")
	wantYes(t, o.Known(q), "alice")
	if allocs := fewestAllocs(func() { o.Known(q) }); allocs != 0 {
		t.Errorf("a known answer costs %v allocations", allocs)
	}
	if a := o.Known(Question{Token: "t", Posted: []byte("x")}); a != nil {
		t.Errorf("%s is known of another question", describe(a))
	}
	o.wantAsked(t, 1)
}

// Nobody is kept waiting whose caller has gone.
func TestACallerWhoHasGoneDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, ttl := range []time.Duration{0, time.Hour} {
			o := newSphinx(t, "https://a", hangs, withTTL(ttl))
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			began := time.Now()
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
			wantCannotTell(t, o.Authenticate(r, Credential{Token: "t"}))
			if took := time.Since(began); took != 0 {
				t.Errorf("it took %s", took)
			}
			time.Sleep(time.Minute) // for the flight to end
		}
	})
}
