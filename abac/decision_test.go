package abac

import "testing"

// An explanation that says nothing, or two things in one way, explains nothing.
func TestEveryCauseAndEveryReasonHasWordsOfItsOwn(t *testing.T) {
	seen := make(map[string]bool)
	check := func(text string) {
		t.Helper()
		if text == "" || seen[text] {
			t.Errorf("%q is said twice, or nothing", text)
		}
		seen[text] = true
	}
	for c := Undecided; c <= CreatingAnonymously; c++ {
		check(c.String())
	}
	for r := Applies; r <= CannotTell; r++ {
		check(r.String())
	}
	if len(seen) != len(causes)+len(reasons) {
		t.Errorf("%d texts for %d causes and %d reasons", len(seen), len(causes), len(reasons))
	}
}

func TestTheZeroDecisionDenies(t *testing.T) {
	if d := (Decision{}); d.Allowed || d.Cause != Undecided {
		t.Errorf("%+v", d)
	}
}
