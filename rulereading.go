package stackauth

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// reading is what matchers read that the stack may read otherwise.
type reading struct {
	query bool // parameters of the query
	lists bool // what a request may have twice: parameters, headers, cookies

	// What is written in them, in lower case. The names that they read are in it.
	text string
}

// readingOf returns what the matchers read.
func readingOf(sets caddyhttp.MatcherSets) reading {
	var all reading
	for _, set := range sets {
		for _, matcher := range set {
			one := readingOfOne(matcher)
			all.query, all.lists, all.text = all.query || one.query, all.lists || one.lists, all.text+one.text+"\n"
		}
	}
	return all
}

func readingOfOne(matcher any) reading {
	switch m := matcher.(type) {
	case *caddyhttp.MatchNot:
		return readingOf(m.MatcherSets)
	case *caddyhttp.MatchMethod, *caddyhttp.MatchPath, *caddyhttp.MatchHost, *caddyhttp.MatchProtocol,
		*caddyhttp.MatchRemoteIP, *caddyhttp.MatchClientIP, *MatchStackAuth:
		return reading{}
	}
	// What an expression, a placeholder or somebody else's matcher reads is not
	// known but by the names in it.
	raw, err := json.Marshal(matcher)
	text := strings.ToLower(string(raw))
	_, is := matcher.(*caddyhttp.MatchQuery)
	return reading{query: is || err != nil || strings.Contains(text, "query"), lists: true, text: text}
}

var errInTwoMinds = errors.New("request could be read in two ways")

// inTwoMinds reports whether the stack may read something else than the matchers
// do. What is there twice is either to a matcher, both with a comma between them
// to an expression, and the last to most stacks.
func (a *reading) inTwoMinds(r *http.Request) bool {
	if a.query && queryInTwoMinds(r) {
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
	return r.URL.RawQuery != "" && a.twice(r.URL.Query()) || len(r.Header["Cookie"]) > 0 && a.twice(cookies(r.Header))
}

func (a *reading) twice(all map[string][]string) bool {
	for name, values := range all {
		if len(values) > 1 && a.names(name) {
			return true
		}
	}
	return false
}

// names reports whether the matchers have the name in what is written in them,
// and not only as a part of another.
func (a *reading) names(name string) bool {
	written, err := json.Marshal(strings.ToLower(name))
	if err != nil {
		return true
	}
	if name == "" { // which is a part of everything
		return strings.Contains(a.text, `""`)
	}
	name = string(written[1 : len(written)-1])
	for from := 0; ; {
		at := strings.Index(a.text[from:], name)
		if at < 0 {
			return false
		}
		at += from
		if !endsInName(a.text[:at]) && !startsWithName(a.text[at+len(name):]) {
			return true
		}
		from = at + 1
	}
}

func endsInName(s string) bool { return s != "" && isNameByte(s[len(s)-1]) }

func startsWithName(s string) bool { return s != "" && isNameByte(s[0]) }

func isNameByte(c byte) bool {
	return c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z'
}

// cookies are all that are there, those too that net/http does not read.
func cookies(h http.Header) map[string][]string {
	all := make(map[string][]string)
	for _, line := range h["Cookie"] {
		for cookie := range strings.SplitSeq(line, ";") {
			if cookie = strings.TrimSpace(cookie); cookie == "" {
				continue
			}
			name, value, _ := strings.Cut(cookie, "=")
			name = strings.TrimSpace(name)
			all[name] = append(all[name], value)
		}
	}
	return all
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
