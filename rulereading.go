package stackauth

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// reading is what matchers read that the stack may read otherwise.
type reading struct {
	query bool // parameters of the query
	raw   bool // the query as it is written
	uri   bool // and the path before it
	path  bool // the path, out of which Caddy's matchers take dot segments
	lists bool // what a request may have twice: parameters, headers, cookies
	any   bool // nobody knows what, so that every name may be one that they read

	// What is written in them, and the same in lower case. The names that they read
	// are in it.
	written, text string
}

func (a *reading) add(b reading) {
	a.query, a.raw, a.path = a.query || b.query, a.raw || b.raw, a.path || b.path
	a.uri, a.lists, a.any = a.uri || b.uri, a.lists || b.lists, a.any || b.any
	a.written, a.text = a.written+b.written+"\n", a.text+b.text+"\n"
}

// readingOf returns what the matchers read.
func readingOf(sets caddyhttp.MatcherSets) reading {
	var all reading
	for _, set := range sets {
		for _, matcher := range set {
			all.add(readingOfOne(matcher))
		}
	}
	return all
}

func readingOfOne(matcher any) reading {
	switch m := matcher.(type) {
	case *caddyhttp.MatchNot:
		return readingOf(m.MatcherSets)
	case *caddyhttp.MatchPathRE:
		return reading{path: true}
	case *caddyhttp.MatchMethod, *caddyhttp.MatchTLS,
		*caddyhttp.MatchRemoteIP, *caddyhttp.MatchClientIP, *MatchStackAuth:
		return reading{}
	case *caddyhttp.MatchProtocol: // it knows gRPC by its type
		return reading{lists: *m == "grpc", text: "content-type"}
	}
	written, err := textOf(matcher)
	if err != nil {
		return reading{query: true, raw: true, uri: true, path: true, lists: true, any: true}
	}
	text := strings.ToLower(written)
	switch matcher.(type) {
	case *caddyhttp.MatchPath:
		if !strings.Contains(text, "{") { // a placeholder may read anything
			return reading{path: true}
		}
	case *caddyhttp.MatchHost:
		if !strings.Contains(text, "{") {
			return reading{}
		}
	}
	// What an expression, a placeholder or somebody else's matcher reads is not
	// known but by the names in it.
	_, parameters := matcher.(*caddyhttp.MatchQuery)
	_, path := matcher.(*caddyhttp.MatchPath)
	uri, raw := rawURI.MatchString(text), rawQuery.MatchString(text)
	return reading{
		query: parameters || raw || strings.Contains(text, "query"), raw: raw, uri: uri,
		path: path || uri || strings.Contains(text, "path"), lists: true, written: written, text: text,
	}
}

// rawURI are the placeholders for a target as it came, rawQuery those and the ones
// for its query.
var (
	rawURI   = regexp.MustCompile(`uri(?:_escaped)?["'}]`)
	rawQuery = regexp.MustCompile(`(?:uri|query)(?:_escaped)?["'}]`)
)

// textOf returns the texts in the matcher, without the escapes of expressions in
// them: of `\brole=` the name is role.
func textOf(matcher any) (string, error) {
	raw, err := json.Marshal(matcher)
	if err != nil {
		return "", err
	}
	var written any
	if err := json.Unmarshal(raw, &written); err != nil {
		return "", err
	}
	text := strings.Join(textsIn(nil, written), "\n")
	// A name may come from the environment, which does not change any more.
	if known := caddy.NewReplacer().ReplaceKnown(text, ""); known != text {
		text += "\n" + known
	}
	text = escapedSign.ReplaceAllString(text, "$1")
	return escapedClass.ReplaceAllString(text, " "), nil
}

var (
	escapedSign  = regexp.MustCompile(`\\+([^a-zA-Z0-9\\])`)
	escapedClass = regexp.MustCompile(`\\+[a-zA-Z0-9]`)
)

func textsIn(texts []string, written any) []string {
	switch v := written.(type) {
	case string:
		return append(texts, v)
	case []any:
		for _, element := range v {
			texts = textsIn(texts, element)
		}
	case map[string]any:
		_, isRegexp := v["pattern"].(string)
		_, isExpression := v["expr"].(string)
		for key, value := range v {
			switch {
			case key == "":
				texts = append(texts, `""`) // as names looks for it
			case !isRegexp && !isExpression:
				texts = append(texts, key)
			}
			texts = textsIn(texts, value)
		}
	case bool, float64:
		return append(texts, fmt.Sprint(v))
	}
	return texts
}

// names reports whether the matchers have the name in what is written in them,
// and not only as a part of another.
func (a *reading) names(name string) bool {
	if a.any {
		return true
	}
	if name == "" { // which is a part of everything
		return strings.Contains(a.text, `""`)
	}
	name = strings.ToLower(name)
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
