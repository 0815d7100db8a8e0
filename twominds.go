package stackauth

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

var errInTwoMinds = errors.New("request could be read in two ways")

// inTwoMinds reports whether the stack may read something else than the matchers
// do. What is there twice is either to a matcher, both with a comma between them
// to an expression, and the last to most stacks.
func (a *reading) inTwoMinds(r *http.Request) bool {
	if a.query && queryInTwoMinds(r) || a.raw && needlesslyEscaped.MatchString(r.URL.RawQuery) {
		return true
	}
	// In the path a slash that is encoded is one to the stack, too.
	if a.uri && (needlesslyEscaped.MatchString(r.URL.RawPath) || strings.Contains(strings.ToLower(r.URL.RawPath), "%2f")) {
		return true
	}
	if !a.lists {
		return false
	}
	for name, values := range r.Header {
		if len(values) > 1 && a.names(name) {
			return true
		}
	}
	return r.URL.RawQuery != "" && a.twice(r.URL.Query()) || len(r.Header["Cookie"]) > 0 && a.cookieInTwoMinds(r)
}

// needlesslyEscaped are letters and digits that a client has encoded for nothing
// but not to be found (RFC 3986, section 2.3).
var needlesslyEscaped = regexp.MustCompile(`%(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])`)

func (a *reading) twice(all map[string][]string) bool {
	for name, values := range all {
		if len(values) > 1 && a.names(name) {
			return true
		}
	}
	return false
}

// cookieInTwoMinds reports whether a cookie that the matchers read is there twice,
// or in a form that is not the same to all. Caddy's placeholders take its name in
// any case; net/http passes over what Starlette decodes (`"\141dmin"`) or takes the
// blanks off, and reads none where there are too many; to some servers a comma or
// a blank ends a cookie.
func (a *reading) cookieInTwoMinds(r *http.Request) bool {
	seen := make(map[string]bool)
	for _, line := range r.Header["Cookie"] {
		for cookie := range strings.SplitSeq(line, ";") {
			cookie = strings.TrimPrefix(cookie, " ")
			for _, piece := range strings.FieldsFunc(cookie, endsCookie) {
				name, _, _ := strings.Cut(piece, "=")
				if !a.names(name) {
					continue
				}
				folded := strings.ToLower(name)
				if seen[folded] || !strings.Contains(a.written, name) || !strings.HasPrefix(cookie, name+"=") ||
					!isPlain(cookie) || len(r.CookiesNamed(name)) != 1 {
					return true
				}
				seen[folded] = true
			}
		}
	}
	return false
}

func endsCookie(c rune) bool { return c <= ' ' || c == ',' || c >= unicode.MaxASCII }

func isPlain(cookie string) bool {
	return !strings.ContainsFunc(cookie, func(c rune) bool { return c <= ' ' || c >= unicode.MaxASCII || c == '"' || c == '\\' })
}

// queryInTwoMinds reports whether Caddy's matchers would not read the query, or
// not all of it, or not as the stack does: a semicolon, a bad escape or too many
// parameters, at which they give up; and what no query has (RFC 3986, section
// 3.4) and net/http lets pass, a number sign, where some servers end it, and
// bytes beyond ASCII, which are UTF-8 to one and Latin-1 to the next. They then
// do not match, and most stacks read what there is: `admin=1&;` or `admin=1#`
// would be a way around a forbid for `admin=1`.
func queryInTwoMinds(r *http.Request) bool {
	if r.URL.RawQuery == "" {
		return false
	}
	if strings.ContainsFunc(r.URL.RawQuery, func(c rune) bool { return c == '#' || c > unicode.MaxASCII }) {
		return true
	}
	_, err := url.ParseQuery(r.URL.RawQuery)
	return err != nil
}

// climbs reports whether the path has dot segments, or empty ones. Caddy's
// matchers of paths do not see `/v1/models/../../x` below /v1, and a stack that
// takes a model's id to the end of the path does; expressions do not see
// `/ui/../v1` there, or `//v1`.
func climbs(path string) bool {
	for segment := range strings.FieldsFuncSeq(path, func(c rune) bool { return c == '/' || c == '\\' }) {
		segment, _, _ = strings.Cut(segment, ";")
		if segment == "." || segment == ".." {
			return true
		}
	}
	return strings.Contains(path, "//") || strings.Contains(strings.ToLower(path), "%2e") // encoded twice
}
