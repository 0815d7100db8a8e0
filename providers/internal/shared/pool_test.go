package shared

import (
	"errors"
	"sync"
	"testing"
)

// thing counts how often it has ended.
type thing struct{ ends int }

func (t *thing) Destruct() error {
	t.ends++
	return nil
}

func newThing() (*thing, error) { return new(thing), nil }

func mustAcquire(t *testing.T, p Pool[*thing], key string) (*thing, func() error) {
	t.Helper()
	value, release, err := p.Acquire(key, newThing)
	if err != nil {
		t.Fatal(err)
	}
	return value, release
}

func TestAThingEndsWithTheLastOfItsUsers(t *testing.T) {
	p := NewPool[*thing]()
	a, releaseA := mustAcquire(t, p, "x")
	b, releaseB := mustAcquire(t, p, "x")
	if a != b {
		t.Error("two users of one key have two things")
	}
	if other, _ := mustAcquire(t, p, "y"); other == a {
		t.Error("two keys have one thing")
	}
	if err := releaseA(); err != nil || a.ends != 0 {
		t.Errorf("after the first user went: ended %d times, %v", a.ends, err)
	}
	if err := releaseB(); err != nil || a.ends != 1 {
		t.Errorf("after the last user went: ended %d times, %v", a.ends, err)
	}
	if again, _ := mustAcquire(t, p, "x"); again == a {
		t.Error("a thing that has ended is handed out")
	}
}

func TestAUserWhoGoesTwiceTakesNothingFromOthers(t *testing.T) {
	p := NewPool[*thing]()
	value, release := mustAcquire(t, p, "x")
	_, last := mustAcquire(t, p, "x")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := release(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n, _ := p.References("x"); n != 1 || value.ends != 0 {
		t.Errorf("%d users are left, ended %d times", n, value.ends)
	}
	// Nor from those who come when it has ended.
	for range 2 {
		if err := last(); err != nil {
			t.Error(err)
		}
	}
	next, _ := mustAcquire(t, p, "x")
	if err := errors.Join(release(), last()); err != nil || value.ends != 1 || next.ends != 0 {
		t.Errorf("the old one ended %d times, the new one %d times, %v", value.ends, next.ends, err)
	}
}

type failing struct{}

func (*failing) Destruct() error { return errors.New("it does not end") }

func TestErrorsComeFromTheThingItself(t *testing.T) {
	p := NewPool[*failing]()
	broken := errors.New("it cannot be made")
	value, release, err := p.Acquire("x", func() (*failing, error) { return new(failing), broken })
	if !errors.Is(err, broken) || value != nil || release != nil {
		t.Errorf("got %v, a thing: %t, a release: %t", err, value != nil, release != nil)
	}
	if _, there := p.References("x"); there {
		t.Error("what could not be made is held")
	}
	_, release, err = p.Acquire("x", func() (*failing, error) { return new(failing), nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err == nil || err.Error() != "it does not end" {
		t.Errorf("giving it back says %v", err)
	}
}
