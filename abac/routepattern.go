package abac

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// routePattern is a path pattern of a rule: exact, a prefix, or an expression.
type routePattern struct {
	path   PathPattern
	fold   bool // also in any other case
	ascii  bool // the path pattern is
	last   byte // of the path pattern, in lower case
	source string

	written *regexp.Regexp // nil: a path pattern
	span    span
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
		return routePattern{path: path, fold: fold, ascii: isASCII(path.path), last: lower(last), source: pattern}, nil
	}
	p := routePattern{span: spanOf(effect, compat), source: pattern}
	var err error
	if p.written, err = compileExpression(source, p.span); err != nil || !fold {
		return p, err
	}
	p.folded, err = foldedExpression(source)
	return p, err
}

// routePath is a canonical path, and what is looked at for many patterns.
type routePath struct {
	path  string
	ascii bool
}

func (p *routePattern) matches(path routePath) bool {
	if p.written != nil {
		return p.matchesExpression(path.path)
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
	if p.path.prefix {
		return hasPrefixFold(path.path, text)
	}
	return strings.EqualFold(path.path, text)
}

// matchesExpression tries, for a forbid, the expression as it is written, in any
// case, and as it is written on the path in lower case: folding alone would lose
// `[^a-z]`, and the other two what is both written and requested in another.
func (p *routePattern) matchesExpression(path string) bool {
	if matchExpression(p.written, p.span, path) {
		return true
	}
	if p.folded == nil {
		return false
	}
	if p.folded.MatchString(path) {
		return true
	}
	inLower := strings.ToLower(path)
	return inLower != path && p.written.MatchString(inLower)
}

// hasPrefixFold reports whether text begins with prefix in any case. The two may
// differ in length: the Kelvin sign is a k.
func hasPrefixFold(text, prefix string) bool {
	for prefix != "" {
		if text == "" {
			return false
		}
		a, n := utf8.DecodeRuneInString(text)
		b, m := utf8.DecodeRuneInString(prefix)
		if !equalFold(a, b) {
			return false
		}
		text, prefix = text[n:], prefix[m:]
	}
	return true
}

func equalFold(a, b rune) bool {
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
