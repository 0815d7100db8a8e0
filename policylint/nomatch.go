package policylint

import (
	"regexp/syntax"
	"slices"
	"strings"
)

// whyNoPath returns why an expression matches no canonical path; empty if it
// may. What it returns is certain.
func (e *expression) whyNoPath() string {
	whole := &syntax.Regexp{Op: syntax.OpConcat, Sub: e.parts}
	if c := needsForeign(whole); c != "" {
		return "no request that passes has " + c + " in its path"
	}
	slash, empty := canBegin(whole, '/')
	if !slash && !empty {
		return "every path begins with a slash, and the expression is matched from the start of it"
	}
	if !slash && e.whole {
		return "every path begins with a slash, and the expression matches the whole of it"
	}
	return ""
}

// endsInSlash reports whether a text that the expression matches to its end has a
// slash there for certain.
func (e *expression) endsInSlash() bool {
	row := slices.Clone(e.parts)
	for len(row) > 0 && isEnd(row[len(row)-1]) {
		row = row[:len(row)-1]
	}
	if len(row) == 0 || !e.whole && len(row) == len(e.parts) {
		return false
	}
	last := row[len(row)-1]
	return last.Op == syntax.OpLiteral && last.Rune[len(last.Rune)-1] == '/'
}

// needsForeign returns what a match of the expression has for certain that no
// canonical path has.
func needsForeign(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		return foreignIn(string(re.Rune))
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i] != re.Rune[i+1] || !isForeign(re.Rune[i]) {
				return ""
			}
		}
		if len(re.Rune) > 0 {
			return quoted(string(re.Rune[0]))
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if c := needsForeign(sub); c != "" {
				return c
			}
		}
	case syntax.OpAlternate:
		first := ""
		for i, sub := range re.Sub {
			c := needsForeign(sub)
			if c == "" {
				return ""
			}
			if i == 0 {
				first = c
			}
		}
		return first
	case syntax.OpCapture, syntax.OpPlus:
		return needsForeign(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return needsForeign(re.Sub[0])
		}
	default: // may be without, or is not about a character
	}
	return ""
}

// foreignIn returns what in the text no canonical path has.
func foreignIn(text string) string {
	if i := strings.IndexFunc(text, isForeign); i >= 0 {
		return quoted(string([]rune(text[i:])[0]))
	}
	if strings.Contains(text, "//") {
		return "an empty segment"
	}
	return ""
}

// isForeign reports whether a path with the character is refused: see
// abac.CanonicalPath.
func isForeign(c rune) bool {
	return strings.ContainsRune("\\; ?#%\u2028\u2029", c) || c < ' ' || 0x7f <= c && c < 0xa0
}

func quoted(text string) string { return "`" + text + "`" }

// canBegin reports whether a match of the expression can begin with the
// character, and whether it can be empty. A false is certain.
func canBegin(re *syntax.Regexp, c rune) (begins, empty bool) {
	switch re.Op {
	case syntax.OpNoMatch:
		return false, false
	case syntax.OpLiteral:
		return re.Rune[0] == c, false
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i] <= c && c <= re.Rune[i+1] {
				return true, false
			}
		}
		return false, false
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true, false
	case syntax.OpCapture, syntax.OpPlus:
		return canBegin(re.Sub[0], c)
	case syntax.OpStar, syntax.OpQuest:
		begins, _ = canBegin(re.Sub[0], c)
		return begins, true
	case syntax.OpRepeat:
		begins, empty = canBegin(re.Sub[0], c)
		return begins, empty || re.Min == 0
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			b, e := canBegin(sub, c)
			if begins = begins || b; !e {
				return begins, false
			}
		}
		return begins, true
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			b, e := canBegin(sub, c)
			begins, empty = begins || b, empty || e
		}
		return begins, empty
	default: // anchors and word boundaries
		return false, true
	}
}
