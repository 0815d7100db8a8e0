package keyset

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Who has time waits for the first fetch, and for no other.
func TestReadyWaitsForTheFirstFetchHoweverLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecKey("k")
		source := newMemory(key)
		source.slow(4 * time.Second)
		l := lease(t, source, defaults())
		began := time.Now()
		hungUp, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		l.Ready(hungUp)
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("whoever hung up waited %s", waited)
		}
		l.Ready(t.Context())
		if waited := time.Since(began); waited != 4*time.Second {
			t.Errorf("ready after %s", waited)
		}
		mustFind(t, l, tokenOf(t, key, nil))
		time.Sleep(defaults().RecheckPeriod) // a further one is under way, or has been
		began = time.Now()
		l.Ready(t.Context())
		if waited := time.Since(began); waited != 0 {
			t.Errorf("with keys it waited %s", waited)
		}
	})
}

// A source that fails makes nobody wait for a better one.
func TestReadyEndsWithAFetchThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newMemory(ecKey("k"))
		source.slow(2 * time.Second)
		source.fail()
		l := lease(t, source, defaults())
		began := time.Now()
		l.Ready(t.Context())
		if waited := time.Since(began); waited != 2*time.Second || source.count() != 1 {
			t.Errorf("waited %s for %d fetches", waited, source.count())
		}
	})
}

// Case 100: a source that accepts and is slow, or never answers.
func TestARequestWaitsOneSecondForASlowSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecKey("k")
		source := newMemory(key)
		source.slow(3 * time.Second)
		l := lease(t, source, defaults())
		token := tokenOf(t, key, nil)
		began := time.Now()
		mustFail(t, l, token, ErrUnavailable, time.Second)
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("waited %s for a fetch that would have come", waited)
		}
		mustFail(t, l, token, ErrUnavailable, time.Second)
		time.Sleep(time.Second)
		synctest.Wait()
		mustFind(t, l, token)
		// While no set is held a second one is tried beside a fetch that hangs:
		// the issuer may be back.
		if n := source.count(); n != 2 {
			t.Errorf("%d fetches", n)
		}
		// From here on it never answers: each fetch ends with its timeout.
		source.slow(1000 * time.Hour)
		for range 200 {
			mustFind(t, l, token)
			mustFail(t, l, unknown(t), ErrUnavailable, time.Second)
			time.Sleep(time.Second)
		}
		times := source.times()
		for i := 3; i < len(times); i++ {
			if apart := times[i].Sub(times[i-1]); apart < 5*time.Second {
				t.Errorf("a fetch %s after another that hangs", apart)
			}
		}
	})
}

// R2 with an issuer that hangs where others refuse: it is found again as soon
// as it answers, and not when the hanging fetch has timed out.
func TestAnIssuerThatHungIsFoundWithinTwoSecondsOfItsReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecKey("k")
		source := newMemory(key)
		source.slow(1000 * time.Hour)
		settings := defaults()
		settings.Timeout = 30 * time.Second
		l := lease(t, source, settings)
		token := tokenOf(t, key, nil)
		mustFail(t, l, token, ErrUnavailable, time.Second)
		source.slow(0)
		back := time.Now()
		for {
			if _, err := l.Find(t.Context(), token); err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if took := time.Since(back); took > 2*time.Second {
			t.Errorf("found after %s", took)
		}
		time.Sleep(time.Minute) // the first fetch times out, and takes nothing away
		synctest.Wait()
		mustFind(t, l, token)
	})
}

// R7: an issuer that hangs is not given more and more connections.
func TestAnIssuerThatHangsHasTwoConnectionsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecKey("k")
		source := newMemory(key)
		source.slow(1000 * time.Hour)
		settings := defaults()
		settings.Timeout = 10 * time.Minute
		l := lease(t, source, settings)
		token := tokenOf(t, key, nil)
		for range 100 {
			mustFail(t, l, token, ErrUnavailable, time.Second)
			synctest.Wait()
			if n := source.underWay(); n > 2 {
				t.Fatalf("%d fetches under way", n)
			}
		}
	})
}

// A slow issuer is waited for: the probes beside the first fetch do not end it.
func TestAnIssuerThatTakesFourSecondsIsFoundAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecKey("k")
		source := newMemory(key)
		source.slow(4 * time.Second)
		l := lease(t, source, defaults())
		token := tokenOf(t, key, nil)
		for range 3 {
			mustFail(t, l, token, ErrUnavailable, time.Second)
		}
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		mustFind(t, l, token)
	})
}

// A request that waits for a probe is served by whichever fetch brings the set.
func TestARequestIsServedByWhicheverFetchComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecKey("k")
		source := newMemory(key)
		source.slow(1500 * time.Millisecond)
		l := lease(t, source, defaults())
		token := tokenOf(t, key, nil)
		mustFail(t, l, token, ErrUnavailable, time.Second)
		time.Sleep(100 * time.Millisecond)
		// It joins a probe at 1.1 s; the first fetch is answered at 1.5 s.
		began := time.Now()
		if keys, err := l.Find(t.Context(), token); err != nil || len(keys) != 1 {
			t.Errorf("%d keys, %v", len(keys), err)
		}
		if waited := time.Since(began); waited != 400*time.Millisecond {
			t.Errorf("waited %s", waited)
		}
	})
}

// R4 after a start with an issuer that hung: the fetch that still hangs is not
// in the way of a new key.
func TestAFetchThatHangsIsNotInTheWayOfANewKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := ecKey("old"), ecKey("fresh")
		source := newMemory(old)
		source.slow(1000 * time.Hour)
		settings := defaults()
		settings.Timeout = time.Minute
		l := lease(t, source, settings)
		mustFail(t, l, tokenOf(t, old, nil), ErrUnavailable, time.Second)
		source.slow(0)
		mustFind(t, l, tokenOf(t, old, nil))
		source.publish(old, fresh)
		mustFind(t, l, tokenOf(t, fresh, nil))
	})
}
