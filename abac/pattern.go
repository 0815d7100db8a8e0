package abac

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// PathPattern is a pattern of canonical paths: an exact path, or, with a
// trailing star, a prefix. It is made by ParsePathPattern.
type PathPattern struct {
	path   string
	prefix bool
}

// ParsePathPattern parses an exact path (/v1/health), a prefix (/v1/models*)
// or a single star for every path.
//
// What could never match, or would match something else than it seems to say,
// is an error: no leading slash, a star elsewhere, an empty segment, and an
// escape (patterns are matched on decoded paths).
func ParsePathPattern(pattern string) (PathPattern, error) {
	if pattern == "*" {
		return PathPattern{path: "/", prefix: true}, nil
	}
	path, prefix := strings.CutSuffix(pattern, "*")
	switch {
	case !strings.HasPrefix(path, "/"):
		return PathPattern{}, fmt.Errorf("path pattern %q: expected a leading slash, or a single *", pattern)
	case strings.Contains(path, "*"):
		return PathPattern{}, fmt.Errorf("path pattern %q: a * is only allowed at the end", pattern)
	case strings.Contains(path, "//"):
		return PathPattern{}, fmt.Errorf("path pattern %q has an empty segment", pattern)
	case !utf8.ValidString(path):
		return PathPattern{}, fmt.Errorf("path pattern %q is not valid UTF-8", pattern)
	}
	for _, c := range path {
		if ambiguous(c) {
			return PathPattern{}, fmt.Errorf("path pattern %q: no request that passes has the character %q", pattern, c)
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return PathPattern{}, fmt.Errorf("path pattern %q has a dot segment", pattern)
		}
	}
	return PathPattern{path: path, prefix: prefix}, nil
}

// Matches reports whether the canonical path matches, in exactly the case in
// which the pattern is written.
func (p PathPattern) Matches(canonical string) bool {
	if p.prefix {
		return strings.HasPrefix(canonical, p.path)
	}
	return canonical == p.path
}
