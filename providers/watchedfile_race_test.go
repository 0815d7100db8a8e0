package providers

import (
	"crypto/sha256"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The look that all share may have begun before a new configuration has read the
// file for itself, and end after it: on a slow disk long after. What it found is
// older, and mallory's key, taken out since, must not come back with it.
func TestALookFromBeforeTheFileWasReadTakesNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		both := []byte("[" + entry(t, aliceKey, "alice") + "," + entry(t, bobKey, "mallory") + "]")
		file := newKeyFileOf(t, string(both))
		began := time.Now()
		time.Sleep(time.Millisecond)
		file.holds(entry(t, aliceKey, "alice"))
		p := newKind[*APIKey](t, "api_key", "file "+file.path)
		look := func(content []byte) {
			p.watch.file.mu.Lock()
			defer p.watch.file.mu.Unlock()
			p.watch.seen(began, content, sha256.Sum256(content), nil)
		}
		look(both)
		wantNotMine(t, askKind(t, p, bobKey))
		wantYes(t, askKind(t, p, aliceKey), "alice")
		if checked := *p.watch.checked.Load(); !checked.After(began) {
			t.Error("the file counts as older than it was when it was read")
		}
	})
}

// mallory's key is taken out while the file cannot be read, which for a minute
// and more it could not: callers hear 503. The request that comes while it is
// read again is decided by the keys of before and 503, or by the new ones; never
// by the old keys with the new time.
func TestKeysThatAreTooOldAreNotTakenForNewOnes(t *testing.T) {
	// A long key takes long to hash: that is when the file is read.
	mallorys := strings.Repeat("example-key-not-a-secret-", 1000)
	file := newKeyFile(t, entry(t, mallorys, "mallory"))
	p := newKind[*APIKey](t, "api_key", "file "+file.path)
	before, after := p.known.Load(), new(make(keyTable))
	w := p.watch
	if err := w.release(); err != nil { // the test looks itself
		t.Fatal(err)
	}
	w.use = func([]byte) error {
		p.known.Store(after)
		return nil
	}
	for range 5000 {
		tooOld := time.Now().Add(-2 * watchHolds)
		p.known.Store(before)
		w.checked.Store(&tooOld)
		w.digest = sha256.Sum256(nil)
		var wg sync.WaitGroup
		wg.Go(func() { w.seen(time.Now(), []byte("[]"), sha256.Sum256([]byte("[]")), nil) })
		if yes, is := askKind(t, p, mallorys).(*Yes); is {
			t.Fatalf("%s is let in", yes.User.Principal)
		}
		wg.Wait()
		wantNotMine(t, askKind(t, p, mallorys))
	}
}
