package abac

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// routePattern is a path pattern of a rule: exact, a prefix, or an expression.
type routePattern struct {
	path  PathPattern
	fold  bool // also in any other case
	ascii bool // the path pattern is
	last  byte // of the path pattern, in lower case

	written *expression    // nil: a path pattern
	folded  *regexp.Regexp // nil: exactly in the case in which it is written
}

func parseRoutePattern(pattern string, effect Effect, compat Compat) (routePattern, error) {
	fold := effect == Forbid
	source, isExpression := strings.CutPrefix(pattern, expressionPrefix)
	if !isExpression {
		path, err := ParsePathPattern(pattern)
		if err != nil {
			return routePattern{}, err
		}
		last := path.path[len(path.path)-1]
		return routePattern{path: path, fold: fold, ascii: isASCII(path.path), last: lower(last)}, nil
	}
	written, err := compileExpression(source, spanOf(effect, compat))
	if err != nil || !fold {
		return routePattern{written: written}, err
	}
	folded, err := foldedExpression(source)
	return routePattern{written: written, folded: folded}, err
}

// routePath is a canonical path, and what is looked at for many patterns.
type routePath struct {
	path  string
	ascii bool
}

func (p *routePattern) matches(path routePath) bool {
	if p.written != nil {
		return p.matchesExpression(path)
	}
	if !p.fold {
		return p.path.Matches(path.path)
	}
	text := p.path.path
	if p.ascii && path.ascii {
		// Of as many bytes, then; and most patterns end otherwise.
		n := len(text)
		if len(path.path) < n || !p.path.prefix && len(path.path) != n || lower(path.path[n-1]) != p.last {
			return false
		}
		return strings.EqualFold(path.path[:n], text)
	}
	after, found := cutPrefixFold(path.path, text)
	return found && (p.path.prefix || after == "")
}

// matchesExpression tries, for a forbid, the expression as it is written, in any
// case, and as it is written on the path in lower case: folding alone would lose
// `[^a-z]`, and the other two what is both written and requested in another.
//
// Beyond ASCII there are two letters more than Go folds, see plainI.
func (p *routePattern) matchesExpression(path routePath) bool {
	if p.written.matches(path.path) {
		return true
	}
	if p.folded == nil {
		return false
	}
	if p.folded.MatchString(path.path) {
		return true
	}
	inLower := strings.ToLower(path.path)
	if inLower != path.path && p.written.matches(inLower) {
		return true
	}
	return !path.ascii && p.folded.MatchString(strings.Map(plainI, path.path))
}

// cutPrefixFold returns what of the text comes after the prefix, which may be
// there in any case. The two may differ in length: the Kelvin sign is a k.
func cutPrefixFold(text, prefix string) (string, bool) {
	for prefix != "" {
		if text == "" {
			return "", false
		}
		a, n := utf8.DecodeRuneInString(text)
		b, m := utf8.DecodeRuneInString(prefix)
		if !equalFold(a, b) {
			return "", false
		}
		text, prefix = text[n:], prefix[m:]
	}
	return text, true
}

// equalFold reports whether some server may take the two for one.
func equalFold(a, b rune) bool {
	a, b = plainI(a), plainI(b)
	if a == b {
		return true
	}
	for c := unicode.SimpleFold(a); c != a; c = unicode.SimpleFold(c) {
		if c == b {
			return true
		}
	}
	return false
}

// plainI makes an i of the dotted capital I, as lower case does, and of the
// dotless small one, as upper case does with an I. They are the only two letters
// of which Unicode's folding says otherwise than these.
func plainI(c rune) rune {
	if c == 'İ' || c == 'ı' {
		return 'i'
	}
	return c
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
