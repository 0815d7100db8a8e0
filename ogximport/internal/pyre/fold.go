package pyre

import (
	"slices"
	"sync"
	"unicode"
)

// alike are characters that are the same in any case to Python and not to Go:
// Python takes two for the same if they have one upper or one lower case.
var alike = [][]rune{
	{'I', 'i', 'İ', 'ı'},
	{0x390, 0x1fd3},
	{0x3b0, 0x1fe3},
	{0xfb05, 0xfb06},
}

// inAnyCase returns the characters that Python's IGNORECASE takes for c.
func inAnyCase(c rune, f flags) set {
	if f.ascii {
		switch {
		case 'a' <= c && c <= 'z':
			return tidy([]rune{c, c, c - 32, c - 32})
		case 'A' <= c && c <= 'Z':
			return tidy([]rune{c, c, c + 32, c + 32})
		}
		return single(c)
	}
	for _, group := range alike {
		if slices.Contains(group, c) {
			return pairsOf(group)
		}
	}
	return orbit(c)
}

func pairsOf(list []rune) set {
	pairs := make([]rune, 0, 2*len(list))
	for _, c := range list {
		pairs = append(pairs, c, c)
	}
	return tidy(pairs)
}

// orbit returns the characters that RE2 takes for c in any case.
func orbit(c rune) set {
	list := []rune{c}
	for x := unicode.SimpleFold(c); x != c; x = unicode.SimpleFold(x) {
		list = append(list, x)
	}
	return pairsOf(list)
}

// closeOverCase returns the set with what is the same in any case.
func closeOverCase(s set, f flags) set {
	pairs := slices.Clone(s)
	for _, c := range cased() {
		if s.has(c) {
			pairs = append(pairs, inAnyCase(c, f)...)
		}
	}
	return tidy(pairs)
}

// cased are the characters that are not alone in any case.
var cased = sync.OnceValue(func() []rune {
	var list []rune
	for c := rune(0); c <= lastCased; c++ {
		if inAnyCase(c, flags{}).size() > 1 {
			list = append(list, c)
		}
	}
	return list
})

// lastCased is behind all letters that have a case.
const lastCased = 0x1ffff
