package providers

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// R9: a million good tokens. Signatures are left out: they would take minutes
// and prove nothing of memory.
func TestAMillionTokensNeedBoundedMemory(t *testing.T) {
	cache, release, err := acquireAnswers(ofTokens)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	}()
	before := heap()
	const tokens = 1_000_000
	evicted := yesTo("evicted") // whatever it was, it is gone in the end
	for i := range tokens {
		answer := &remembered{yes: evicted}
		if i >= tokens-ofTokens.yeses {
			user, err := abac.NewUser(fmt.Sprint("user-", i), "", abac.NewAttributes(
				abac.Attribute{Name: "roles", Values: []string{"developer", "reader"}},
				abac.Attribute{Name: "teams", Values: []string{fmt.Sprint("team-", i)}},
			))
			if err != nil {
				t.Fatal(err)
			}
			answer = &remembered{yes: &Yes{User: user}}
		}
		var key answerKey
		binary.BigEndian.PutUint64(key[:], uint64(i))
		cache.addYes(key, answer)
	}
	if n := cache.yeses.Len(); n != ofTokens.yeses {
		t.Errorf("%d answers are kept, want %d", n, ofTokens.yeses)
	}
	if grown := heap() - before; grown > 32<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	runtime.KeepAlive(cache)
}

// The same of people in hundreds of groups: it is memory that is bounded, and
// not only their number.
func TestTokensWithManyGroupsNeedBoundedMemory(t *testing.T) {
	cache, err := newAnswers(ofTokens)
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	for i := range 20_000 {
		groups := make([]string, 500)
		for g := range groups {
			groups[g] = fmt.Sprint("group-", g, "-of-", i)
		}
		user, err := abac.NewUser("alice", "", abac.NewAttributes(abac.Attribute{Name: "teams", Values: groups}))
		if err != nil {
			t.Fatal(err)
		}
		var key answerKey
		binary.BigEndian.PutUint64(key[:], uint64(i))
		cache.addYes(key, &remembered{yes: &Yes{User: user}})
	}
	if n := cache.yeses.Len(); n < 100 {
		t.Errorf("only %d answers are kept", n)
	}
	if grown := heap() - before; grown > 32<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	for _, key := range cache.yeses.Keys() {
		cache.yeses.Remove(key)
	}
	if left := cache.bytes.Load(); left != 0 {
		t.Errorf("an empty cache counts %d bytes", left)
	}
	runtime.KeepAlive(cache)
}

// Parallel first requests with one token are the usual case: what is counted
// must be what is kept.
func TestParallelAnswersForOneTokenAreCountedOnce(t *testing.T) {
	cache, err := newAnswers(ofTokens)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 2000 {
				cache.addYes(answerKey{byte(i % 10)}, &remembered{yes: yesTo("alice")})
			}
		})
	}
	wg.Wait()
	var kept int64
	for _, a := range cache.yeses.Values() {
		kept += a.size
	}
	if counted := cache.bytes.Load(); counted != kept || cache.yeses.Len() != 10 {
		t.Errorf("%d bytes are counted and %d kept, in %d answers", counted, kept, cache.yeses.Len())
	}
}

// One that is larger than any is worth is not kept at all, and is right all
// the same.
func TestAnEnormousAnswerIsNotKept(t *testing.T) {
	cache, err := newAnswers(ofTokens)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]string, 5000)
	for i := range values {
		values[i] = fmt.Sprint("value-", i)
	}
	user, err := abac.NewUser("alice", "", abac.NewAttributes(abac.Attribute{Name: "teams", Values: values}))
	if err != nil {
		t.Fatal(err)
	}
	cache.addYes(answerKey{}, &remembered{yes: &Yes{User: user}})
	if cache.yeses.Len() != 0 || cache.bytes.Load() != 0 {
		t.Errorf("%d answers of %d bytes are kept", cache.yeses.Len(), cache.bytes.Load())
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A cache ends with the last configuration that used it.
func TestAnAnswerCacheEndsWithItsLastUser(t *testing.T) {
	a, releaseA, err := acquireAnswers(ofTokens)
	if err != nil {
		t.Fatal(err)
	}
	b, releaseB, err := acquireAnswers(ofTokens)
	if err != nil || a != b {
		t.Fatalf("two users of one shape have two caches, %v", err)
	}
	a.addYes(answerKey{}, &remembered{yes: yesTo("alice")})
	if err := releaseA(); err != nil || b.yeses.Len() != 1 {
		t.Errorf("%d answers after the first user went, %v", b.yeses.Len(), err)
	}
	if err := releaseB(); err != nil || b.yeses.Len() != 0 {
		t.Errorf("%d answers after the last user went, %v", b.yeses.Len(), err)
	}
	c, releaseC, err := acquireAnswers(ofTokens)
	if err != nil || c == a {
		t.Errorf("a cache that has ended is handed out, %v", err)
	}
	if err := releaseC(); err != nil {
		t.Error(err)
	}
}

// A machine that sleeps stops the one clock, and whoever sets the time turns
// back the other: an answer is as old as the clock says that says more.
func TestAnAnswerIsAsOldAsEitherClockSays(t *testing.T) {
	stored := time.Now()
	a := &remembered{stored: stored}
	for name, tc := range map[string]struct {
		now  time.Time
		want time.Duration
	}{
		"both go on":                {stored.Add(5 * time.Second), 5 * time.Second},
		"asleep for an hour":        {wallSet(stored.Add(time.Second), time.Hour), time.Hour + time.Second},
		"set back by an hour":       {wallSet(stored.Add(5*time.Second), -time.Hour), 5 * time.Second},
		"without a monotonic clock": {stored.Add(5 * time.Second).Round(0), 5 * time.Second},
	} {
		if got := a.age(tc.now); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

// wallSet moves the wall clock's part of a time, and leaves the monotonic one.
// Package time has no way to do that, so this knows how it keeps them.
func wallSet(t time.Time, by time.Duration) time.Time {
	moved := t
	wall := (*uint64)(unsafe.Pointer(&moved))
	*wall += uint64(int64(by/time.Second)) << 30
	return moved
}
