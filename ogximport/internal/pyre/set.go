package pyre

import (
	"slices"
	"unicode"
)

// set is a set of characters: ascending pairs of a first and a last one.
type set []rune

// all are all characters.
var all = set{0, unicode.MaxRune}

func single(c rune) set { return set{c, c} }

// tidy returns the set of pairs in any order.
func tidy(pairs []rune) set {
	type pair struct{ lo, hi rune }
	list := make([]pair, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, pair{pairs[i], pairs[i+1]}) //nolint:gosec // G602: they come in twos
	}
	slices.SortFunc(list, func(a, b pair) int { return int(a.lo - b.lo) })
	var s set
	for _, p := range list {
		if n := len(s); n > 0 && p.lo <= s[n-1]+1 {
			s[n-1] = max(s[n-1], p.hi)
			continue
		}
		s = append(s, p.lo, p.hi)
	}
	return s
}

func union(sets ...set) set { return tidy(slices.Concat(sets...)) }

func (s set) negate() set {
	var n set
	next := rune(0)
	for i := 0; i < len(s); i += 2 {
		if next < s[i] {
			n = append(n, next, s[i]-1)
		}
		next = s[i+1] + 1
	}
	if next <= unicode.MaxRune {
		n = append(n, next, unicode.MaxRune)
	}
	return n
}

func (s set) has(c rune) bool {
	for i := 0; i < len(s); i += 2 {
		if s[i] <= c && c <= s[i+1] {
			return true
		}
	}
	return false
}

// meets reports whether the sets have a character in common.
func (s set) meets(other set) bool {
	for i, j := 0, 0; i < len(s) && j < len(other); {
		lo, hi, low, high := s[i], s[i+1], other[j], other[j+1] //nolint:gosec // G602: they come in twos
		if lo <= high && low <= hi {
			return true
		}
		if hi < high {
			i += 2
		} else {
			j += 2
		}
	}
	return false
}

// size returns how many characters the set has.
func (s set) size() int {
	n := 0
	for i := 0; i < len(s); i += 2 {
		n += int(s[i+1]-s[i]) + 1
	}
	return n
}

func tableSet(tables ...*unicode.RangeTable) set {
	var pairs []rune
	for _, t := range tables {
		for _, r := range t.R16 {
			for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
				pairs = append(pairs, c, c)
			}
		}
		for _, r := range t.R32 {
			for c := r.Lo; c <= r.Hi; c += r.Stride {
				pairs = append(pairs, rune(c), rune(c)) //nolint:gosec // G115: no character is above MaxRune
			}
		}
	}
	return tidy(pairs)
}
