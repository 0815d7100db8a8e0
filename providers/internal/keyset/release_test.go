package keyset

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Streams are served on after a reload has given their lease back.
func TestRequestsAfterTheLastReleaseUseWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecKey("k")
		source := newMemory(key)
		l := lease(t, source, defaults())
		mustWarm(t, l)
		source.slow(500 * time.Millisecond)
		var wg sync.WaitGroup
		wg.Go(func() { // a fetch is under way when the set ends
			if _, err := l.Find(t.Context(), unknown(t)); err == nil {
				t.Error("a made-up kid is known")
			}
		})
		synctest.Wait()
		giveBack(t, l)
		wg.Wait()
		before := source.count()
		for range 24 {
			mustFind(t, l, tokenOf(t, key, nil))
			if _, err := l.Find(t.Context(), unknown(t)); err == nil {
				t.Error("a made-up kid is known")
			}
			if _, err := l.Retry(t.Context(), tokenOf(t, key, without), nil); err == nil {
				t.Error("a fetch after the end")
			}
			l.Warm()
			time.Sleep(time.Hour)
		}
		time.Sleep(time.Hour)
		mustFail(t, l, tokenOf(t, key, nil), ErrUnavailable, 0) // 25 h are over
		if source.count() != before {
			t.Error("a set without a user asks its source")
		}
	})
}

// A fetch whose answer comes when nobody holds the set any more plans nothing.
func TestAFetchThatEndsAfterTheLastReleaseIsTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newMemory(ecKey("k"))
		source.lingers(10 * time.Second)
		l := lease(t, source, defaults())
		l.Warm()
		time.Sleep(time.Second)
		giveBack(t, l)
		time.Sleep(24 * time.Hour)
		if n := source.count(); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

// Between the two steps of a release the set has no lease and has not ended.
func TestASetWithoutALeaseWaitsForItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newMemory(ecKey("k"))
		l := lease(t, source, defaults())
		mustWarm(t, l)
		if l.set.due() != nil {
			t.Error("a fetch before its time")
		}
		l.set.mu.Lock()
		leases := l.set.leases
		l.set.leases = nil
		l.set.mu.Unlock()
		time.Sleep(10 * time.Hour)
		if n := source.count(); n != 1 {
			t.Errorf("%d fetches", n)
		}
		l.set.mu.Lock()
		l.set.leases = leases
		l.set.mu.Unlock()
		time.Sleep(time.Minute)
		if n := source.count(); n != 2 {
			t.Errorf("%d fetches", n)
		}
	})
}

// What a request has started need not be started again by the background, and
// the end of the set ends the wait for it.
func TestTheBackgroundWaitsForAFetchThatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newMemory(ecKey("k"))
		source.fail()
		source.lingers(time.Second / 10)
		l := lease(t, source, defaults())
		for range 8 { // until the background comes once in 30 s
			time.Sleep(30 * time.Second)
			mustFail(t, l, tokenOf(t, ecKey("k"), nil), ErrUnavailable, time.Second)
		}
		source.lingers(100 * time.Second)
		before := source.count()
		mustFail(t, l, unknown(t), ErrUnavailable, time.Second)
		time.Sleep(time.Minute)
		if n := source.count() - before; n > 1 {
			t.Errorf("%d fetches at one time", n)
		}
		giveBack(t, l)
		time.Sleep(2 * time.Minute)
	})
}

// A kid that is the set's, on a token that its key can never verify: another
// set will not help, and is not asked for.
func TestATokenThatDoesNotFitItsKeyCausesNoFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecKey("k")
		source := newMemory(key)
		l := lease(t, source, defaults())
		mustWarm(t, l)
		for range 100 {
			mustFail(t, l, tokenOf(t, key, map[string]any{"alg": "RS256"}), ErrUnknownKey, 0)
			time.Sleep(time.Second)
		}
		if n := source.count(); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

// A lease that was never used leaves nothing behind.
func TestALeaseThatIsNeverUsedFetchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newMemory(ecKey("k"))
		l, err := Acquire(t.Name(), source, defaults())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		giveBack(t, l)
		l.Warm()
		mustFail(t, l, unknown(t), ErrUnavailable, 0)
		if source.count() != 0 {
			t.Error("it fetched")
		}
		// The next one starts afresh.
		again := lease(t, source, defaults())
		if again.set == l.set {
			t.Error("a set that has ended is handed out")
		}
		mustWarm(t, again)
	})
}
