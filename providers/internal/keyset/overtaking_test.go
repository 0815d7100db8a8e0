package keyset

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/jws"
)

// A fetch that was given up may have its answer all the same, and land behind
// one that was asked for since. That one is nobody's second: a caller waits for
// the key that only it will bring.
func TestAFetchThatWasGivenUpDoesNotEndALaterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := ecKey("old"), ecKey("fresh")
		source := newMemory(old)
		l := lease(t, source, defaults())
		var wg sync.WaitGroup
		source.slow(1200 * time.Millisecond)
		wg.Go(func() { _, _ = l.Find(t.Context(), tokenOf(t, old, nil)) }) // the first fetch, slow
		time.Sleep(1100 * time.Millisecond)
		source.slow(0)
		source.lingers(time.Second)
		wg.Go(func() { mustSoonFind(t, l, old) }) // a second one beside it, with an answer that nothing stops
		synctest.Wait()
		source.lingers(0)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait() // the first one is here, and the second given up
		mustFind(t, l, tokenOf(t, old, nil))
		source.publish(old, fresh)
		source.slow(950 * time.Millisecond)
		mustSoonFind(t, l, fresh) // the third is under way when the second lands
		wg.Wait()
		if n := source.count(); n != 3 {
			t.Errorf("%d fetches", n)
		}
	})
}

// mustSoonFind demands the key within what a request waits.
func mustSoonFind(t *testing.T, l *Lease, key *testissuer.Key) {
	t.Helper()
	keys, err := l.Find(t.Context(), tokenOf(t, key, nil))
	if err != nil || len(keys) != 1 {
		t.Errorf("found %d keys, %v", len(keys), err)
	}
}

// The answer to a fetch may be from before the key was published. Then it is
// asked once more, as it is for tokens with a kid.
func TestAKeyPublishedDuringAFetchIsFoundForATokenWithoutAKidToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := ecKey("old"), ecKey("fresh")
		source := newMemory(old)
		l := lease(t, source, defaults())
		mustWarm(t, l)
		token := tokenOf(t, fresh, without)
		tried := mustTry(t, l, token)
		source.lingers(500 * time.Millisecond)
		l.set.mu.Lock()
		l.set.launch() // as the background refresh does
		l.set.mu.Unlock()
		synctest.Wait()
		source.lingers(0)
		source.publish(old, fresh)
		if again, err := l.Retry(t.Context(), token, tried); err != nil || len(again) != 1 || again[0].id != "fresh" {
			t.Errorf("%d new candidates, %v", len(again), err)
		}
	})
}

// Somebody for whom the set is too old asks beside a fetch that hangs, and the
// answer brings this caller's key too.
func TestATokenWithoutAKidIsTriedWithWhatALaterFetchBrings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := ecKey("old"), ecKey("fresh")
		source := newMemory(old)
		l := lease(t, source, defaults())
		mustWarm(t, l)
		token := tokenOf(t, fresh, without)
		tried := mustTry(t, l, token)
		time.Sleep(time.Minute)
		source.publish(old, fresh)
		source.slow(time.Hour)
		retry := func(token *jws.Token, want error) {
			again, err := l.Retry(t.Context(), token, tried)
			if !errors.Is(err, want) || want == nil && (len(again) != 1 || again[0].id != "fresh") {
				t.Errorf("%d new candidates, %v; want %v", len(again), err, want)
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() { retry(token, ErrUnavailable) }) // the fetch hangs for as long as this one waits
		time.Sleep(500 * time.Millisecond)
		wg.Go(func() { retry(token, nil) })
		stranger := tokenOf(t, testissuer.NewKey("stranger", "EdDSA"), without)
		wg.Go(func() { retry(stranger, ErrUnknownKey) }) // which can be told then
		time.Sleep(600 * time.Millisecond)
		settings := defaults()
		settings.RecheckPeriod, settings.MaxStale = 30*time.Second, 0
		strict, err := Acquire(t.Name(), source, settings)
		if err != nil {
			t.Fatal(err)
		}
		defer giveBack(t, strict)
		source.slow(0)
		if keys, err := strict.Find(t.Context(), tokenOf(t, fresh, nil)); err != nil || len(keys) != 1 {
			t.Errorf("%d keys, %v", len(keys), err)
		}
		wg.Wait()
	})
}
