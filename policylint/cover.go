package policylint

import (
	"iter"
	"slices"
)

// decider is a rule before the one that is looked at, and for all the paths, or
// all the resources, that this one is for.
type decider struct {
	index  int
	of     uint8    // methods or actions, each a bit
	wanted []clause // what must hold for it to decide
}

// decidedBefore returns rules of which, wherever the clauses hold, one decides,
// whatever the method or the action is. One may do so for some methods or
// callers, and another for the rest. true is certain.
func decidedBefore(needs []clause, of uint8, earlier iter.Seq[decider]) ([]int, bool) {
	var by []int
	var others []decider // who decide for some callers
	for d := range earlier {
		if of&d.of == 0 {
			continue
		}
		if !implies(needs, d.wanted) {
			others = append(others, d)
			continue
		}
		by = append(by, d.index)
		if of &^= d.of; of == 0 {
			return by, true
		}
	}
	for bit := uint8(1); bit != 0; bit <<= 1 {
		if of&bit == 0 {
			continue
		}
		together, all := decidedTogether(needs, slices.DeleteFunc(slices.Clone(others), func(d decider) bool { return d.of&bit == 0 }))
		if !all {
			return nil, false
		}
		by = append(by, together...)
	}
	return by, true
}

// mostTogether is how many rules are looked at together. Those that leave a case
// for others to decide are few, mostly two.
const mostTogether = 12

// decidedTogether returns the fewest of the rules that are enough together.
func decidedTogether(needs []clause, rules []decider) ([]int, bool) {
	rules = opposed(needs, rules)
	rules = rules[:min(len(rules), mostTogether)]
	enough := func(rules []decider) bool {
		ways := [][]clause{needs}
		for _, d := range rules {
			ways = without(ways, d.wanted)
		}
		return len(ways) == 0
	}
	if !enough(rules) {
		return nil, false
	}
	for i := 0; i < len(rules); {
		if fewer := slices.Concat(rules[:i], rules[i+1:]); enough(fewer) {
			rules = fewer
		} else {
			i++
		}
	}
	by := make([]int, 0, len(rules))
	for _, d := range rules {
		by = append(by, d.index)
	}
	return by, true
}

// opposed returns the rules that ask for something of which another asks for the
// contrary, or which is one of several things that the clauses leave open. The
// rest leave a case that no other is about.
func opposed(needs []clause, rules []decider) []decider {
	asked := make(map[literal]bool)
	for _, c := range needs {
		for _, l := range c {
			asked[l.opposite()] = len(c) > 1 || asked[l.opposite()]
		}
	}
	for _, d := range rules {
		for _, c := range d.wanted {
			for _, l := range c {
				asked[l] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(rules), func(d decider) bool {
		return !slices.ContainsFunc(d.wanted, func(c clause) bool {
			return slices.ContainsFunc(c, func(l literal) bool { return asked[l.opposite()] })
		})
	})
}

// mostWays is how many cases are told apart.
const mostWays = 64

// without returns, of ways in which callers may be, those in which the clauses do
// not all hold, at least.
func without(ways [][]clause, wanted []clause) [][]clause {
	var left [][]clause
	for _, way := range ways {
		for _, c := range wanted {
			refuted := slices.Clone(way)
			for _, l := range c {
				refuted = append(refuted, clause{l.opposite()})
			}
			if satisfiable(refuted) {
				left = append(left, refuted)
			}
		}
	}
	if len(left) > mostWays {
		return ways
	}
	return left
}
