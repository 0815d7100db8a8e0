package pyre

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// write writes a tree as RE2 has it. A brace in it belongs to a number, to \x
// or to \p: in a Caddyfile others might be placeholders.
func write(n *node) string {
	var b strings.Builder
	n.write(&b, loose)
	return b.String()
}

// How tightly a part must hold together where it stands.
type binding uint8

const (
	loose    binding = iota // alone, or in a group
	inCat                   // beside others
	repeated                // in front of a repetition
)

func (n *node) write(b *strings.Builder, outer binding) {
	switch n.op {
	case opFail:
		b.WriteString(`[^\x00-\x{10FFFF}]`)
	case opSet:
		b.WriteString(n.setText())
	case opBegin:
		b.WriteString(`^`)
	case opDollar:
		b.WriteString(`$`)
	case opEnd:
		b.WriteString(`\z`)
	case opBeginLine:
		b.WriteString(`(?m:^)`)
	case opEndLine:
		b.WriteString(`(?m:$)`)
	case opBoundary:
		b.WriteString(`\b`)
	case opNotBoundary:
		b.WriteString(`\B`)
	case opEmpty:
		if outer == repeated {
			b.WriteString(`(?:)`)
		}
	case opCat:
		n.writeCat(b, outer)
	case opAlt:
		group(b, outer > loose, func() {
			for i, sub := range n.subs {
				if i > 0 {
					b.WriteByte('|')
				}
				sub.write(b, inAlternative(sub))
			}
		})
	case opRepeat:
		group(b, outer == repeated, func() {
			n.subs[0].write(b, repeated)
			b.WriteString(n.bounds())
		})
	case opOther: // refused before
	}
}

// inAlternative: an alternative of its own needs no group around it in another.
func inAlternative(n *node) binding {
	if n.op == opAlt {
		return inCat
	}
	return loose
}

func group(b *strings.Builder, needed bool, inside func()) {
	if needed {
		b.WriteString("(?:")
	}
	inside()
	if needed {
		b.WriteByte(')')
	}
}

// writeCat writes letters that are meant in any case as one group, where RE2
// takes the same ones for them.
func (n *node) writeCat(b *strings.Builder, outer binding) {
	if len(n.subs) == 1 {
		n.subs[0].write(b, outer)
		return
	}
	group(b, outer == repeated, func() {
		for i := 0; i < len(n.subs); i++ {
			var letters []byte
			for j := i; j < len(n.subs); j++ {
				c, folds := n.subs[j].foldedLetter()
				if !folds {
					break
				}
				letters = append(letters, c)
			}
			if len(letters) > 1 {
				b.WriteString("(?i:" + string(letters) + ")")
				i += len(letters) - 1
				continue
			}
			n.subs[i].write(b, inCat)
		}
	})
}

// foldedLetter returns the letter of ASCII that the node is in any case, if RE2
// has the same ones for it.
func (n *node) foldedLetter() (byte, bool) {
	if n.op != opSet || n.text != "" || len(n.set) < 4 {
		return 0, false
	}
	c := n.set[0] // the capital
	if c < 'A' || c > 'Z' || !slices.Equal(orbit(c), n.set) {
		return 0, false
	}
	return byte(c) + 'a' - 'A', true
}

func (n *node) bounds() string {
	switch {
	case n.min == 0 && n.max == 1:
		return "?"
	case n.min == 0 && n.max < 0:
		return "*"
	case n.min == 1 && n.max < 0:
		return "+"
	case n.max < 0:
		return fmt.Sprintf("{%d,}", n.min)
	case n.min == n.max:
		return fmt.Sprintf("{%d}", n.min)
	}
	return fmt.Sprintf("{%d,%d}", n.min, n.max)
}

func (n *node) setText() string {
	switch {
	case n.text != "":
		return n.text
	case len(n.set) == 0:
		return `[^\x00-\x{10FFFF}]`
	case len(n.set) == 2 && n.set[0] == 0 && n.set[1] == unicode.MaxRune:
		return "(?s:.)"
	case len(n.set) == 2 && n.set[0] == '-' && n.set[1] == '-':
		return "-" // it means something in a class only
	case len(n.set) == 2 && n.set[0] == n.set[1]:
		return charText(n.set[0])
	}
	if n.set[0] == 0 && n.set[len(n.set)-1] == unicode.MaxRune {
		return "[^" + pairsText(n.set.negate()) + "]"
	}
	return "[" + pairsText(n.set) + "]"
}

func pairsText(s set) string {
	var b strings.Builder
	for i := 0; i < len(s); i += 2 {
		b.WriteString(charText(s[i]))
		switch {
		case s[i] == s[i+1]:
			continue
		case s[i]+1 < s[i+1]:
			b.WriteByte('-')
		}
		b.WriteString(charText(s[i+1]))
	}
	return b.String()
}

// charText returns a character as it is written, in a class and outside of one.
// Braces and backquotes are numbers: a Caddyfile reads them otherwise.
func charText(c rune) string {
	switch {
	case c == '{' || c == '}' || c == '`':
		return fmt.Sprintf(`\x%02x`, c)
	case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("_/:,=@%!~ \"'#;<>&", c):
		return string(c)
	case c > ' ' && c < 0x7f:
		return `\` + string(c)
	case c < 0x80:
		return fmt.Sprintf(`\x%02x`, c)
	case unicode.SimpleFold(c) < 0x80: // the Kelvin sign looks like a K
	case unicode.IsLetter(c) || unicode.IsDigit(c):
		return string(c)
	}
	return fmt.Sprintf(`\x{%X}`, c)
}
