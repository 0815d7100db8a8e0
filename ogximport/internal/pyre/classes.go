package pyre

import (
	"sync"
	"unicode"
)

// class is one of Python's classes, as a set and as what stands in a class of
// RE2 for it.
type class struct {
	set   set
	text  string // empty: the pairs of the set
	alone string // outside a class of RE2; empty: text in brackets
}

// The classes that are ASCII with the flag a.
var (
	asciiWord  = set{'0', '9', 'A', 'Z', '_', '_', 'a', 'z'}
	asciiDigit = set{'0', '9'}
	asciiSpace = set{'\t', '\r', ' ', ' '}

	// Python's str.isspace: also the separators of ASCII, 1C to 1F.
	unicodeSpace = set{
		'\t', '\r', 0x1c, ' ', 0x85, 0x85, 0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200a,
		0x2028, 0x2029, 0x202f, 0x202f, 0x205f, 0x205f, 0x3000, 0x3000,
	}

	// Python's str.isdecimal, and str.isalnum with the underscore. They take a
	// while, and most expressions do not need them.
	unicodeDigit = sync.OnceValue(func() set { return tableSet(unicode.Nd) })
	unicodeWord  = sync.OnceValue(func() set { return union(tableSet(unicode.L, unicode.N), single('_')) })
)

// classOf returns the class that an escape names; false if it names none.
func classOf(name rune, f flags) (class, bool) {
	switch name {
	case 'd':
		if f.ascii {
			return class{set: asciiDigit, text: "0-9"}, true
		}
		return class{set: unicodeDigit(), text: `\p{Nd}`, alone: `\p{Nd}`}, true
	case 'D':
		if f.ascii {
			return class{set: asciiDigit.negate()}, true
		}
		return class{set: unicodeDigit().negate(), text: `\P{Nd}`, alone: `\P{Nd}`}, true
	case 's', 'S':
		space := unicodeSpace
		if f.ascii {
			space = asciiSpace
		}
		if name == 'S' {
			space = space.negate()
		}
		return class{set: space}, true
	case 'w':
		if f.ascii {
			return class{set: asciiWord, text: "0-9A-Z_a-z"}, true
		}
		return class{set: unicodeWord(), text: wordText}, true
	case 'W':
		if f.ascii {
			return class{set: asciiWord.negate()}, true
		}
		return class{set: unicodeWord().negate(), alone: "[^" + wordText + "]"}, true
	}
	return class{}, false
}

// wordText is unicodeWord in a class of RE2.
const wordText = `\p{L}\p{N}_`
