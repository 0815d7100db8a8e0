//go:build integration

package differential

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// tally counts what a run finds, by reading.
type tally struct {
	mu    sync.Mutex
	count []counts
}

type counts struct {
	cases    int
	ours     map[string]int // outcomes
	upstream map[string]int
	because  map[string]int
	named    map[string]int // differences, by the rows that make them
	looser   map[string]int
	reached  Set
}

func newTally() *tally {
	t := new(tally)
	for range readings {
		t.count = append(t.count, counts{
			ours: make(map[string]int), upstream: make(map[string]int), because: make(map[string]int),
			named: make(map[string]int), looser: make(map[string]int),
		})
	}
	return t
}

func (t *tally) outcome(reading int, ours, upstream, because string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.count[reading]
	c.cases++
	c.ours[brief(ours)]++
	c.upstream[brief(upstream)]++
	c.because[because]++
}

// brief leaves out what attributes there are.
func brief(outcome string) string {
	switch {
	case outcome == "{}":
		return "no attributes"
	case strings.HasPrefix(outcome, "{"):
		return "attributes"
	}
	return outcome
}

func (t *tally) difference(reading int, name string, rows Set, looser bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.count[reading]
	c.named[name]++
	if rows&(rows-1) == 0 { // it alone
		c.reached |= rows
	}
	if looser {
		c.looser[name]++
	}
}

func (t *tally) report(test *testing.T, kind string, rows []Row) {
	test.Helper()
	for i, reading := range readings {
		c := &t.count[i]
		var text strings.Builder
		fmt.Fprintf(&text, "%s, %s: %d cases compared with OGX\n", kind, reading.Name, c.cases)
		fmt.Fprintf(&text, "  we:   %s\n", shares(c.ours, c.cases))
		fmt.Fprintf(&text, "  OGX:  %s\n", shares(c.upstream, c.cases))
		fmt.Fprintf(&text, "  for:  %s\n", shares(c.because, c.cases))
		different := 0
		for _, n := range c.named {
			different += n
		}
		fmt.Fprintf(&text, "  %d differ, each by its name:\n", different)
		for _, name := range byCount(c.named) {
			fmt.Fprintf(&text, "  %9d  %s", c.named[name], name)
			if n := c.looser[name]; n > 0 {
				fmt.Fprintf(&text, " (in %d of them we give more)", n)
			}
			text.WriteByte('\n')
		}
		test.Log(text.String())
	}
}

// checkReached fails for a row that made no difference: it is named in the
// table, and nothing shows that it is needed.
func (t *tally) checkReached(test *testing.T, rows []Row) {
	test.Helper()
	for i, reading := range readings {
		for _, row := range rows {
			if reading.Compat && row.Compat {
				continue
			}
			if !t.count[i].reached.Has(row.Bit) {
				test.Errorf("%s: the row %s made no difference in %d cases", reading.Name, row.Name, t.count[i].cases)
			}
		}
	}
}

func byCount(m map[string]int) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		return strings.Compare(a, b)
	})
}

func shares(m map[string]int, of int) string {
	var parts []string
	for _, name := range byCount(m) {
		parts = append(parts, fmt.Sprintf("%s %.1f %%", name, 100*float64(m[name])/float64(max(1, of))))
	}
	return strings.Join(parts, ", ")
}
