package abac

import "testing"

func TestPathPatternsMatchExactPathsAndPrefixes(t *testing.T) {
	for _, tc := range []struct {
		pattern, path string
		want          bool
	}{
		{"*", "/", true},
		{"*", "/v1/anything", true},
		{"/*", "/v1", true},
		{"/", "/", true},
		{"/", "/v1", false},
		{"/v1/health", "/v1/health", true},
		{"/v1/health", "/v1/healthz", false},
		{"/v1/health", "/v1", false},
		{"/v1/health", "/V1/health", false}, // a permit reads narrowly
		{"/v1/models*", "/v1/models", true},
		{"/v1/models*", "/v1/models/x", true},
		{"/v1/models*", "/v1/modelsx", true}, // a prefix is of characters
		{"/v1/models*", "/v1/model", false},
		// The contract: a trailing slash of a pattern is never taken off.
		{"/v1/files/*", "/v1/files", false},
		{"/v1/files/*", "/v1/files/f", true},
		{"/v1/é*", "/v1/éa", true},
		// Not a path pattern's business, but it must not match more than it says.
		{"/v1/a.c", "/v1/abc", false},
	} {
		p, err := ParsePathPattern(tc.pattern)
		if err != nil {
			t.Errorf("%q: %v", tc.pattern, err)
			continue
		}
		if got := p.Matches(tc.path); got != tc.want {
			t.Errorf("%q matches %q: %t, want %t", tc.pattern, tc.path, got, tc.want)
		}
	}
}

// A pattern that can never match is a rule that silently does nothing; in
// `public` it is a page that asks for a token, and nobody knows why.
func TestPathPatternsThatCouldNotBeMeantAreErrors(t *testing.T) {
	for _, tc := range []struct{ pattern, want string }{
		{"", `path pattern "": expected a leading slash, or a single *`},
		{"v1/health", `path pattern "v1/health": expected a leading slash, or a single *`},
		{"**", `path pattern "**": expected a leading slash, or a single *`},
		{"/v1/*/models", `path pattern "/v1/*/models": a * is only allowed at the end`},
		{"/v1/**", `path pattern "/v1/**": a * is only allowed at the end`},
		{"/v1//models", `path pattern "/v1//models" has an empty segment`},
		{"//*", `path pattern "//*" has an empty segment`},
		{"/v1/\xff", `path pattern "/v1/\xff" is not valid UTF-8`},
		{"/v1/%2e", `path pattern "/v1/%2e": no request that passes has the character '%'`},
		{"/v1/a b", `path pattern "/v1/a b": no request that passes has the character ' '`},
		{"/v1/a;b", `path pattern "/v1/a;b": no request that passes has the character ';'`},
		{"/v1/a?b", `path pattern "/v1/a?b": no request that passes has the character '?'`},
		{"/v1/a#b", `path pattern "/v1/a#b": no request that passes has the character '#'`},
		{`/v1\a`, `path pattern "/v1\\a": no request that passes has the character '\\'`},
		{"/v1/a\n", `path pattern "/v1/a\n": no request that passes has the character '\n'`},
		{"/v1/../a", `path pattern "/v1/../a" has a dot segment`},
		{"/v1/./a", `path pattern "/v1/./a" has a dot segment`},
	} {
		_, err := ParsePathPattern(tc.pattern)
		if err == nil || err.Error() != tc.want {
			t.Errorf("%q: error %v\nwant %s", tc.pattern, err, tc.want)
		}
	}
}

// The zero value is what a forgotten error leaves behind: it must open nothing.
func TestTheZeroPathPatternMatchesNoPath(t *testing.T) {
	var p PathPattern
	for _, path := range []string{"/", "/v1", "/v1/models"} {
		if p.Matches(path) {
			t.Errorf("zero pattern matches %q", path)
		}
	}
}
