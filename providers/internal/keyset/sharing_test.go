package keyset

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// R6: everybody waits for one fetch, and nobody's hang-up ends it.
func TestFiveHundredColdRequestsCauseOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecKey("k")
		source := newMemory(key)
		source.slow(100 * time.Millisecond)
		l := lease(t, source, defaults())
		token := tokenOf(t, key, nil)

		first, hangUp := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := l.Find(first, token); !errors.Is(err, ErrUnavailable) {
				t.Errorf("the one who hung up: %v", err)
			}
			if !time.Now().Before(time.Date(2000, 1, 1, 0, 0, 0, int(50*time.Millisecond), time.UTC)) {
				t.Error("the one who hung up waited on")
			}
		})
		synctest.Wait() // the first caller has caused the fetch
		for range 499 {
			wg.Go(func() {
				if keys, err := l.Find(t.Context(), token); err != nil || len(keys) != 1 {
					t.Errorf("%d keys, %v", len(keys), err)
				}
			})
		}
		time.Sleep(10 * time.Millisecond)
		hangUp()
		wg.Wait()
		if n := source.count(); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

// The first fetch may land between a request's look at what is held and its
// look for a fetch to wait for. Then neither is there, and the keys are.
func TestARequestThatJustMissesTheFirstFetchFindsItsKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // whose second is not over because the machine is busy
		key := ecKey("k")
		token := tokenOf(t, key, nil)
		source := newMemory(key)
		for range 3000 {
			l := lease(t, source, defaults())
			l.Warm()
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if _, err := l.Find(t.Context(), token); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if err := l.Release(); err != nil || t.Failed() {
				t.Fatal(err)
			}
		}
	})
}

// R5: a fleet that was started at once must not come back at once.
func TestTwentySetsDoNotFetchTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sets = 20
		settings := defaults()
		settings.RecheckPeriod = time.Minute
		key := ecKey("k")
		sources := make([]*memory, sets)
		for i := range sources {
			sources[i] = newMemory(key)
			l, err := Acquire(t.Name()+string(rune('a'+i)), sources[i], settings)
			if err != nil {
				t.Fatal(err)
			}
			defer giveBack(t, l)
			// A seed for each, or the test would be right almost always.
			source := rand.New(rand.NewPCG(uint64(i), 7))
			l.set.random = func(n time.Duration) time.Duration { return time.Duration(source.Int64N(int64(n))) }
			l.Warm()
		}
		synctest.Wait()
		start := time.Now()
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		perSecond := make(map[int]int)
		for _, source := range sources {
			times := source.times()
			if first := times[1].Sub(times[0]); first < 6*time.Second || first > 57*time.Second {
				t.Errorf("the first refresh came after %s", first)
			}
			for i := 2; i < len(times); i++ {
				if apart := times[i].Sub(times[i-1]); apart < 45*time.Second || apart > time.Minute {
					t.Errorf("%s between two refreshes of 60 s", apart)
				}
			}
			for _, at := range times[1:] {
				perSecond[int(at.Sub(start)/time.Second)]++
			}
		}
		for second, n := range perSecond {
			if n > 4 {
				t.Errorf("%d fetches in second %d", n, second)
			}
		}
	})
}

// Settings are no part of what a set is: a reload changes them and keeps keys.
func TestLeasesWithDifferentSettingsShareOneSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecKey("k")
		source := newMemory(key)
		patient := lease(t, source, defaults())
		mustWarm(t, patient)
		time.Sleep(time.Second)

		strict := defaults()
		strict.RecheckPeriod, strict.MaxStale = time.Minute, 0
		own := newMemory(key)
		impatient, err := Acquire(t.Name(), own, strict)
		if err != nil {
			t.Fatal(err)
		}
		token := tokenOf(t, key, nil)
		mustFind(t, impatient, token)
		if source.count() != 1 || own.count() != 0 {
			t.Error("the keys were not kept")
		}
		// The shorter period counts from now on, with the newest source.
		time.Sleep(time.Minute)
		synctest.Wait()
		if own.count() == 0 || source.count() != 1 {
			t.Errorf("%d fetches by the new source, %d by the old", own.count(), source.count())
		}
		own.fail()
		time.Sleep(time.Minute)
		mustFail(t, impatient, token, ErrUnavailable, time.Second)
		mustFind(t, patient, token)

		// The newest first, and the older goes on with what it had.
		giveBack(t, impatient)
		giveBack(t, impatient) // again: a lease is given back once
		mustFind(t, patient, token)
		before := own.count()
		time.Sleep(2 * time.Hour)
		if own.count() != before || source.count() < 2 {
			t.Errorf("%d fetches by the source that went, %d by the one that stays", own.count()-before, source.count())
		}
	})
}

func TestASourceThatPanicsEndsItsFetchAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecKey("k")
		source := newMemory(key)
		source.change(func(m *memory) { m.panics = true })
		core, logs := observer.New(zap.DebugLevel)
		settings := defaults()
		settings.Logger = zap.New(core)
		l := lease(t, source, settings)
		mustFail(t, l, tokenOf(t, key, nil), ErrUnavailable, 0)
		if logs.FilterMessage("fetching key set panicked").Len() != 1 {
			t.Errorf("log is %v", logs.All())
		}
		source.change(func(m *memory) { m.panics = false })
		time.Sleep(time.Second)
		mustFind(t, l, tokenOf(t, key, nil))
	})
}

// An outage is one line at its start and one at its end, not one per attempt.
func TestAnOutageIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecKey("k")
		source := newMemory(key, jwkOf(ecKey("enc"), map[string]any{"use": "enc"}))
		core, logs := observer.New(zap.InfoLevel)
		settings := defaults()
		settings.Logger = zap.New(core)
		l := lease(t, source, settings)
		mustWarm(t, l)
		source.fail()
		time.Sleep(10 * time.Hour)
		source.heal()
		time.Sleep(time.Hour)
		synctest.Wait()
		var got []string
		for _, line := range logs.All() {
			got = append(got, line.Level.String()+" "+line.Message)
		}
		want := []string{
			"warn leaving out a key of the key set", "error fetching key set fails", "info fetching key set works again",
		}
		if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
			t.Errorf("log is %q, want %q", got, want)
		}
	})
}

// Contract, ground rules: a file that is reread takes effect within 2 s.
func TestAKeyFileIsRereadWithinTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "jwks.json")
		write := func(b []byte) {
			t.Helper()
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		one, two := ecKey("one"), ecKey("two")
		settings := defaults()
		l := lease(t, &FileSource{Path: path}, settings)
		if err := l.Load(); err == nil {
			t.Error("a missing file loads")
		}
		write([]byte(`{"keys":[]}`))
		if err := l.Load(); err == nil {
			t.Error("a file without a key loads")
		}
		write(document(one))
		if err := l.Load(); err != nil {
			t.Fatal(err)
		}
		mustFind(t, l, tokenOf(t, one, nil))
		l.Warm()
		for range 5 {
			write(document(two))
			time.Sleep(2 * time.Second)
			synctest.Wait()
			mustFind(t, l, tokenOf(t, two, nil))
			mustFail(t, l, tokenOf(t, one, nil), ErrUnknownKey, demandWait)
			write(document(one))
			time.Sleep(2 * time.Second)
			synctest.Wait()
			mustFind(t, l, tokenOf(t, one, nil))
		}
		// Half a file, as an editor leaves it for a moment, takes nothing away.
		write(document(one)[:30])
		time.Sleep(time.Minute)
		mustFind(t, l, tokenOf(t, one, nil))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		mustFind(t, l, tokenOf(t, one, nil))
	})
}
