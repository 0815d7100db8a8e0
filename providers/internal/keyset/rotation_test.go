package keyset

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// R3 and R4, case 101: 2,000 tokens a second with made-up kids, beside 500
// good ones, while the issuer takes 300 ms to answer and rotates.
func TestAFloodOfUnknownKidsCostsTheIssuerOneFetchInTenSeconds(t *testing.T) {
	old, fresh := ecKey("old"), ecKey("fresh")
	synctest.Test(t, func(t *testing.T) {
		source := newMemory(old)
		l := lease(t, source, defaults())
		l.Warm()
		synctest.Wait()
		source.slow(300 * time.Millisecond)

		oldToken, freshToken, stranger := tokenOf(t, old, nil), tokenOf(t, fresh, nil), unknown(t)
		began := time.Now()
		time.AfterFunc(5*time.Second, func() { source.publish(old, fresh) })
		var wg sync.WaitGroup
		var refused, unsure atomic.Int64
		var accepted atomic.Int64 // when, after the start
		for tick := range 4000 {  // 20 s of 5 ms
			for range 10 {
				wg.Go(func() {
					asked := time.Now()
					keys, err := l.Find(t.Context(), stranger)
					switch {
					case errors.Is(err, ErrUnknownKey):
						refused.Add(1)
					case errors.Is(err, ErrUnavailable):
						unsure.Add(1)
					default:
						t.Errorf("made-up kid: %d keys, %v", len(keys), err)
					}
					if waited := time.Since(asked); waited > demandWait {
						t.Errorf("made-up kid waited %s", waited)
					}
				})
			}
			if tick%2 == 0 {
				for range 5 {
					mustFind(t, l, oldToken) // never waits: checked there
				}
			}
			if accepted.Load() == 0 && time.Since(began) >= 5*time.Second {
				wg.Go(func() { // a caller with a new token tries all the time
					if _, err := l.Find(t.Context(), freshToken); err == nil {
						accepted.CompareAndSwap(0, int64(time.Since(began)))
					}
				})
			}
			time.Sleep(5 * time.Millisecond)
		}
		wg.Wait()
		if at := time.Duration(accepted.Load()); at == 0 || at > 15*time.Second {
			t.Errorf("the key published after 5 s is accepted after %s", at)
		}
		if refused.Load() == 0 || unsure.Load() > 0 {
			t.Errorf("%d refused, %d unsure", refused.Load(), unsure.Load())
		}
		// The first fetch was Warm's; the flood caused the others.
		times := source.times()[1:]
		if len(times) == 0 || len(times) > 3 {
			t.Errorf("%d fetches in 20 s", len(times))
		}
		for i := 1; i < len(times); i++ {
			if pause := times[i].Sub(times[i-1]); pause < 10*time.Second {
				t.Errorf("%s between two fetches", pause)
			}
		}
	})
}

// Case 110: the issuer signs with a key at the moment at which it publishes it.
func TestAKeyThatIsSignedWithAtOnceIsFoundAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := ecKey("old"), ecKey("fresh")
		source := newMemory(old)
		l := lease(t, source, defaults())
		mustWarm(t, l)
		source.publish(old, fresh)
		mustFind(t, l, tokenOf(t, fresh, nil))
		mustFind(t, l, tokenOf(t, old, nil))
		if n := source.count(); n != 2 {
			t.Errorf("%d fetches", n)
		}
	})
}

func mustWarm(t *testing.T, l *Lease) {
	t.Helper()
	l.Warm()
	synctest.Wait()
	if l.set.held.Load() == nil {
		t.Fatal("the set is not warm")
	}
}

// A fetch that was under way already may have been answered before the key was
// published: then one more is due, within the same second of patience.
func TestAKeyPublishedDuringAFetchIsFoundByTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := ecKey("old"), ecKey("fresh")
		source := newMemory(old)
		settings := defaults()
		settings.RecheckPeriod = time.Minute
		l := lease(t, source, settings)
		mustWarm(t, l)
		// The background's fetch reads the set as it is now, and is slow to say so.
		source.lingers(400 * time.Millisecond)
		for source.count() == 1 {
			time.Sleep(100 * time.Millisecond)
		}
		source.publish(old, fresh)
		began := time.Now()
		keys, err := l.Find(t.Context(), tokenOf(t, fresh, nil))
		if err != nil || len(keys) != 1 || time.Since(began) > demandWait {
			t.Errorf("%d keys, %v after %s", len(keys), err, time.Since(began))
		}
	})
}

// Two slow fetches in a row do not make two waits of one.
func TestPatienceIsOneSecondForAllThatARequestWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newMemory(ecKey("k"))
		settings := defaults()
		settings.RecheckPeriod = time.Minute
		l := lease(t, source, settings)
		mustWarm(t, l)
		source.slow(800 * time.Millisecond)
		for source.count() == 1 {
			time.Sleep(50 * time.Millisecond)
		}
		mustFail(t, l, unknown(t), ErrUnavailable, demandWait)
	})
}

// R14, case 111: a key that the issuer takes back is believed for the recheck
// period at most, cached answers included.
func TestARemovedKeyIsRefusedWithinTheRecheckPeriod(t *testing.T) {
	for seed := range 10 {
		synctest.Test(t, func(t *testing.T) {
			leaked, other := ecKey("leaked"), ecKey("other")
			source := newMemory(leaked, other)
			l := lease(t, source, defaults())
			mustWarm(t, l)
			token := tokenOf(t, leaked, nil)
			print := mustFind(t, l, token).Print()
			time.Sleep(time.Duration(seed) * 613 * time.Second)
			source.publish(other)
			removed := time.Now()
			for l.Trusts(print) {
				time.Sleep(time.Second)
			}
			if took := time.Since(removed); took > time.Hour {
				t.Errorf("a cached answer holds for %s", took)
			}
			mustFail(t, l, token, ErrUnknownKey, demandWait)
			mustFind(t, l, tokenOf(t, other, nil))
		})
	}
}

func TestAKeyReplacedUnderItsKidIsAnotherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := ecKey("first"), ecKey("second")
		source := newMemory(jwkOf(first, map[string]any{"kid": "k"}))
		l := lease(t, source, defaults())
		mustWarm(t, l)
		kid := map[string]any{"kid": "k"}
		old := mustFind(t, l, tokenOf(t, first, kid)).Print()
		source.publish(jwkOf(second, map[string]any{"kid": "k"}))
		time.Sleep(time.Hour)
		synctest.Wait()
		if fresh := mustFind(t, l, tokenOf(t, second, kid)).Print(); fresh == old || l.Trusts(old) || !l.Trusts(fresh) {
			t.Error("answers of the old key are still believed")
		}
	})
}

// Tokens without a kid cannot tell that the issuer has rotated.
func TestATokenWithoutAKidIsTriedAgainWithNewKeysOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := ecKey("old"), ecKey("fresh")
		source := newMemory(old)
		l := lease(t, source, defaults())
		mustWarm(t, l)
		token := tokenOf(t, fresh, without)
		tried := mustTry(t, l, token)
		source.publish(old, fresh)
		again, err := l.Retry(t.Context(), token, tried)
		if err != nil || len(again) != 1 || again[0].id != "fresh" {
			t.Errorf("%d new candidates, %v", len(again), err)
		}
		// A bad signature has no new key, and no fetch for ten seconds.
		if _, err := l.Retry(t.Context(), token, append(tried, again...)); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("within the pause: %v", err)
		}
		if n := source.count(); n != 2 {
			t.Errorf("%d fetches", n)
		}
		time.Sleep(demandPause)
		if _, err := l.Retry(t.Context(), token, append(tried, again...)); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("after the pause: %v", err)
		}
		// The keys that fit are gone.
		source.publish(testissuer.NewKey("other", "EdDSA"))
		time.Sleep(demandPause)
		if _, err := l.Retry(t.Context(), token, tried); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("without a key that fits: %v", err)
		}
		// Nobody can tell while the source fails: neither then, nor in the pause.
		source.fail()
		time.Sleep(demandPause)
		for range 2 {
			if _, err := l.Retry(t.Context(), token, tried); !errors.Is(err, ErrUnavailable) {
				t.Errorf("while the source fails: %v", err)
			}
		}
	})
}

// Somebody else's unknown kid has brought the new key while this token's
// signature was tried with the old one: no fetch is due, and none is needed.
func TestATokenWithoutAKidIsTriedWithKeysThatSomebodyElseFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := ecKey("old"), ecKey("fresh")
		source := newMemory(old)
		l := lease(t, source, defaults())
		mustWarm(t, l)
		token := tokenOf(t, fresh, without)
		tried := mustTry(t, l, token)
		source.publish(old, fresh)
		mustFind(t, l, tokenOf(t, fresh, nil))
		if again, err := l.Retry(t.Context(), token, tried); err != nil || len(again) != 1 || again[0].id != "fresh" {
			t.Errorf("%d new candidates, %v", len(again), err)
		}
		if n := source.count(); n != 2 {
			t.Errorf("%d fetches", n)
		}
	})
}

// A set that is fetched, and too old for this lease at once: the settings say
// that its answers are worth nothing.
func TestRetryWithAStaleSetIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecKey("k")
		source := newMemory(key)
		settings := defaults()
		settings.RecheckPeriod, settings.MaxStale = 100*time.Millisecond, 0
		l := lease(t, source, settings)
		mustWarm(t, l)
		source.slow(200 * time.Millisecond)
		if _, err := l.Retry(t.Context(), tokenOf(t, key, without), nil); !errors.Is(err, ErrUnavailable) {
			t.Errorf("error is %v", err)
		}
		mustFail(t, l, tokenOf(t, key, nil), ErrUnavailable, demandWait)
	})
}
