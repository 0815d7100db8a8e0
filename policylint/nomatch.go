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
	if why := whyNot(whole, neighbours{}); why != "" {
		return why
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

// neighbours says whether a match has text for certain before a part of the
// expression, and after it.
type neighbours struct{ before, after bool }

const (
	startInside = "there is text before its `^`, and a path is one line"
	endInside   = "there is text after its `$`, and a path is one line"
)

// whyNot returns why nothing of a canonical path matches the part of an
// expression; empty if something may. What it returns is certain.
func whyNot(re *syntax.Regexp, at neighbours) string {
	switch re.Op {
	case syntax.OpNoMatch:
		return foreignClass(nil)
	case syntax.OpLiteral:
		return foreignIn(string(re.Rune))
	case syntax.OpCharClass:
		return foreignClass(re.Rune)
	case syntax.OpBeginText, syntax.OpBeginLine:
		if at.before {
			return startInside
		}
	case syntax.OpEndText, syntax.OpEndLine:
		if at.after {
			return endInside
		}
	case syntax.OpConcat:
		return whyNotInRow(re.Sub, at)
	case syntax.OpAlternate:
		first := ""
		for i, sub := range re.Sub {
			why := whyNot(sub, at)
			if why == "" {
				return ""
			}
			if i == 0 {
				first = why
			}
		}
		return first
	case syntax.OpCapture, syntax.OpPlus:
		return whyNot(re.Sub[0], at)
	case syntax.OpRepeat:
		if re.Min > 0 {
			return whyNot(re.Sub[0], at)
		}
	default: // may be without, or is not about a character
	}
	return ""
}

func whyNotInRow(row []*syntax.Regexp, at neighbours) string {
	last := -1 // of the parts that have text
	for i, part := range row {
		if hasText(part) {
			last = i
		}
	}
	before := at.before
	for i, part := range row {
		if why := whyNot(part, neighbours{before, at.after || i < last}); why != "" {
			return why
		}
		before = before || hasText(part)
	}
	return ""
}

// hasText reports whether a match of the part has a character for certain.
func hasText(re *syntax.Regexp) bool {
	_, empty := canBegin(re, '/')
	return !empty
}

// foreignClass is why no character of the class is in a canonical path.
func foreignClass(ranges []rune) string {
	for i := 0; i+1 < len(ranges); i += 2 {
		if ranges[i] != ranges[i+1] || !isForeign(ranges[i]) {
			return ""
		}
	}
	if len(ranges) == 0 {
		return "it has a class that no character is in"
	}
	return foreign(quoted(string(ranges[0])))
}

func foreign(what string) string { return "no request that passes has " + what + " in its path" }

// foreignIn is why the text is in no canonical path.
func foreignIn(text string) string {
	if i := strings.IndexFunc(text, isForeign); i >= 0 {
		return foreign(quoted(string([]rune(text[i:])[0])))
	}
	if strings.Contains(text, "//") {
		return foreign("an empty segment")
	}
	if strings.Contains(text, "/../") || strings.Contains(text, "/./") {
		return foreign("a dot segment")
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
