//go:build integration

package differential

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Outcomes of decisions. That of claims is the attributes, or Refused.
const (
	Allowed   = "allowed"
	Denied    = "denied"
	Ambiguous = "400: ambiguous path"
	Refused   = "401"
	NotLoaded = "load error"
)

// Reading is one of the two ways in which we read a policy.
type Reading struct {
	Name   string
	Compat bool
}

var readings = []Reading{{Name: "ours"}, {Name: "compat ogx", Compat: true}}

// Comparison is one of OGX's functions beside ours. C is a case, A what OGX
// answers to it.
type Comparison[C, A any] struct {
	// Kind is the function, as the oracle calls it.
	Kind string

	// Rows are those of the table that the function can show. One that never
	// does is a failure.
	Rows []Row

	// NewBatch draws the material of a batch, and returns what makes cases of it.
	NewBatch func(r *rand.Rand) func() C

	// Upstream is the outcome of OGX.
	Upstream func(a *A) string

	// Reference is what OGX would decide if it decided the rows in the set as we
	// do. It is written from OGX's source and from the table, and not from ours.
	Reference func(c *C, a *A, on Set) string

	// Ours is the outcome of this module, and in a few words what it rests on, for
	// the distribution that the test prints.
	Ours func(c *C, compat bool) (outcome, because string)

	// Looser reports whether an outcome gives more than another.
	Looser func(ours, upstream string) bool

	// Smaller returns the case with one part less each, to find the least that
	// still fails.
	Smaller func(c C) []C
}

// Run compares as many cases as the environment says.
func (c *Comparison[C, A]) Run(t *testing.T, script string) {
	t.Helper()
	python, err := interpreter(t.Context(), script)
	if err != nil {
		t.Fatal(err)
	}
	r := run[C, A]{Comparison: c, python: python, counts: newTally()}
	for _, reading := range readings {
		r.sets = append(r.sets, subsets(c.rowsOf(reading)))
	}
	if replayed, err := r.replay(t); replayed || err != nil {
		if err != nil {
			t.Error(err)
		}
		return
	}
	if err := r.all(t); err != nil {
		t.Fatal(err)
	}
	r.counts.report(t, c.Kind, c.Rows)
	if !t.Failed() {
		r.counts.checkReached(t, c.Rows)
	}
}

// rowsOf returns the rows in which we differ from upstream in that reading.
func (c *Comparison[C, A]) rowsOf(reading Reading) []Row {
	return slices.DeleteFunc(slices.Clone(c.Rows), func(row Row) bool { return reading.Compat && row.Compat })
}

// judge returns the rows that make the difference between OGX and us, none
// without any, and what is wrong.
func (r *run[C, A]) judge(reading int, c *C, a *A) (rows Set, wrong string) {
	upstream := r.Upstream(a)
	if reference := r.Reference(c, a, 0); reference != upstream {
		return 0, "OGX decides " + upstream + ", and the reference takes it for " + reference
	}
	ours, because := r.Ours(c, readings[reading].Compat)
	sets := r.sets[reading]
	if want := r.Reference(c, a, sets[len(sets)-1]); ours != want {
		return 0, "we decide " + ours + " and OGX " + upstream + "; with the rows of the table it would be " + want
	}
	r.counts.outcome(reading, ours, upstream, because)
	if ours == upstream {
		return 0, ""
	}
	for _, set := range sets {
		if r.Reference(c, a, set) == ours {
			r.counts.difference(reading, names(r.Rows, set), set, r.Looser(ours, upstream))
			return set, ""
		}
	}
	return 0, "" // not reached: the last of the sets are all rows
}
