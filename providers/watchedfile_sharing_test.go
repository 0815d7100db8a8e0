package providers

import (
	"errors"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// watchers returns how many goroutines of this synctest bubble look at files:
// one of a test before it may be about to end.
func watchers() (n int) {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	goroutines := strings.Split(string(stacks), "\n\n")
	bubble := regexp.MustCompile(`synctest bubble \d+\]`).FindString(goroutines[0]) // that of the caller
	for _, g := range goroutines {
		if strings.Contains(g, bubble) && strings.Contains(g, "(*watchedFile).run(") {
			n++
		}
	}
	return n
}

func TestHandlersWithOneFileShareOneLookASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := newKeyFile(t, entry(t, aliceKey, "alice"))
		// Another spelling of the same path.
		crooked := filepath.Dir(file.path) + "/../" + filepath.Base(filepath.Dir(file.path)) + "/keys.json"
		first := newKind[*APIKey](t, "api_key", "file "+file.path)
		second := newKind[*APIKey](t, "api_key", "principal_prefix b:\nfile "+crooked)
		synctest.Wait() // until the goroutine is where it is counted
		if first.watch.file != second.watch.file || watchers() != 1 {
			t.Errorf("%d goroutines look at one file", watchers())
		}
		file.holds(entry(t, bobKey, "bob"))
		time.Sleep(soon)
		wantYes(t, askKind(t, first, bobKey), "bob")
		wantYes(t, askKind(t, second, bobKey), "b:bob")

		// One of them ends; the file is still looked at for the other.
		if err := first.Cleanup(); err != nil {
			t.Fatal(err)
		}
		file.holds(entry(t, carolKey, "carol"))
		time.Sleep(soon)
		wantYes(t, askKind(t, second, carolKey), "b:carol")
		wantYes(t, askKind(t, first, bobKey), "bob")
		if watchers() != 1 {
			t.Errorf("%d goroutines", watchers())
		}
	})
}

func TestAReloadKeepsTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := newKeyFile(t, entry(t, aliceKey, "alice"))
		current := newKind[*APIKey](t, "api_key", "file "+file.path)
		watched := current.watch.file
		for range 50 {
			next := newKind[*APIKey](t, "api_key", "file "+file.path)
			if err := current.Cleanup(); err != nil {
				t.Fatal(err)
			}
			current = next
			wantYes(t, askKind(t, current, aliceKey), "alice")
		}
		synctest.Wait()
		if current.watch.file != watched || watchers() != 1 || len(watched.watches) != 1 {
			t.Errorf("%d goroutines, %d watches", watchers(), len(watched.watches))
		}
		// Nothing that was read before is read in again.
		for range 2 {
			before := current.known.Load()
			time.Sleep(10 * time.Second)
			if current.known.Load() != before {
				t.Error("keys were made anew though the file is the same")
			}
			file.holds(entry(t, bobKey, "bob"))
			time.Sleep(soon)
			wantYes(t, askKind(t, current, bobKey), "bob")
		}
	})
}

func TestTheLastUserEndsTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := newKeyFile(t, entry(t, aliceKey, "alice"))
		p := newKind[*APIKey](t, "api_key", "file "+file.path+"\n"+keyLine(t, bobKey, "bob"))
		for range 2 { // Caddy will do it again
			if err := p.Cleanup(); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if _, there := watchedFiles.References(file.path); there || watchers() != 0 {
			t.Errorf("%d goroutines are left", watchers())
		}
		// A request that is still under way gets an answer: not for ever one of
		// the last list.
		wantYes(t, askKind(t, p, aliceKey), "alice")
		time.Sleep(watchHolds)
		wantCannotTell(t, askKind(t, p, aliceKey))
		wantYes(t, askKind(t, p, bobKey), "bob")
	})
}

func TestAFileThatIsRefusedLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := newKeyFile(t, entry(t, aliceKey, "alice"))
		running := newKind[*APIKey](t, "api_key", "file "+file.path)
		file.write("[")
		for range 3 {
			if _, err := loadKind(t, newContext(t, zap.NewNop()), "api_key", "file "+file.path); err == nil {
				t.Fatal("a broken file loads")
			}
		}
		if n, _ := watchedFiles.References(file.path); n != 1 || len(running.watch.file.watches) != 1 {
			t.Errorf("%d references, %d watches", n, len(running.watch.file.watches))
		}
		// The running configuration is still looked after.
		file.holds(entry(t, bobKey, "bob"))
		time.Sleep(soon)
		wantYes(t, askKind(t, running, bobKey), "bob")
	})
}

func TestAReaderThatPanicsEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := newKeyFileOf(t, "good")
		w, err := watchFile(file.path, zap.NewNop(), func(content []byte) error {
			if string(content) == "bad" {
				panic("not foreseen")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.release() }()
		file.write("bad")
		time.Sleep(watchHolds + soon)
		if w.fresh(time.Now()) {
			t.Error("what panics counts as good")
		}
		file.write("good again")
		time.Sleep(soon)
		if !w.fresh(time.Now()) {
			t.Error("it does not recover")
		}
		if _, err := watchFile(file.path, zap.NewNop(), func([]byte) error { panic(errors.New("x")) }); err == nil {
			t.Error("a reader that panics at once is no error")
		}
	})
}
