package ogximport

import (
	"errors"
	"regexp"
	"strings"
	"unicode"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/ogximport/internal/pyre"
)

const expressionPrefix = "regex:"

// routePattern is a pattern of upstream's, and the token of ours; without one it
// matches nothing that reaches a rule here.
type routePattern struct {
	token   string
	matches func(route string) bool
	refused bool
}

func (im *importer) routePattern(v value, text string, effect abac.Effect) routePattern {
	if text == "*" {
		return routePattern{token: "*", matches: func(string) bool { return true }}
	}
	if source, found := strings.CutPrefix(text, expressionPrefix); found {
		return im.routeExpression(v, source, effect)
	}
	prefix, isPrefix := strings.CutSuffix(text, "*")
	p := routePattern{matches: func(route string) bool {
		return route == prefix || isPrefix && strings.HasPrefix(route, prefix)
	}}
	if why := neverMatches(prefix, isPrefix); why != "" {
		im.note(v, "%q %s: it is left out", text, why)
		p.matches = nil
		return p
	}
	if _, err := abac.ParsePathPattern(text); err == nil && !strings.ContainsAny(text, "{}") {
		if p.token, err = quote(text); err == nil {
			return p
		}
	}
	// A star in the middle, a brace, a beginning of a name of dots: upstream
	// takes them as they are, and so does an expression.
	expression := regexp.QuoteMeta(prefix)
	if !isPrefix {
		expression += `\z`
	}
	p.token = expressionToken(expression)
	im.note(v, "%q is read literally by OGX, and written as an expression here", text)
	return p
}

// neverMatches says why no request that reaches a rule has such a path: OGX
// takes trailing slashes off, and what could be read in two ways is 400 here.
func neverMatches(path string, isPrefix bool) string {
	switch {
	case !strings.HasPrefix(path, "/"):
		return "does not begin with a slash, and matches nothing in OGX"
	case !isPrefix && path != "/" && strings.HasSuffix(path, "/"):
		return "ends in a slash, which OGX takes off the request, and matches nothing there"
	case strings.Contains(path, "//"):
		return "has an empty segment: such a request is 400 here"
	case strings.ContainsFunc(path, func(c rune) bool {
		return unicode.IsControl(c) || strings.ContainsRune("\\; ?#%\u2028\u2029", c)
	}):
		return "has a character with which a request is 400 here"
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if (s == "." || s == "..") && (!isPrefix || i < len(segments)-1) {
			return "has a dot segment: such a request is 400 here"
		}
	}
	return ""
}

// expressionToken returns the token of an expression of which the braces are
// RE2's own, or written as numbers.
func expressionToken(expression string) string {
	expression = strings.NewReplacer(`\{`, `\x7b`, `\}`, `\x7d`, "`", `\x60`).Replace(expression)
	token, err := quoteTrusted(expressionPrefix + expression)
	if err != nil {
		panic("an expression without control characters and backquotes can be quoted: " + err.Error())
	}
	return token
}

func (im *importer) routeExpression(v value, source string, effect abac.Effect) routePattern {
	if source == "" { // it matches every path
		im.note(v, "is empty, and matches every path in OGX")
		return routePattern{token: "*", matches: func(string) bool { return true }}
	}
	e, re, ok := im.expression(v, source, effect)
	if re == nil {
		return routePattern{refused: !ok}
	}
	return routePattern{token: expressionToken(e), matches: re.MatchString}
}

// expression translates an expression. Without one ok says whether that is
// right: what Python rejects matches nothing in OGX, so a permit goes without;
// a forbid that OGX passes over was meant to forbid.
func (im *importer) expression(v value, source string, effect abac.Effect) (e string, re *regexp.Regexp, ok bool) {
	e, err := pyre.Translate(source)
	var invalid *pyre.InvalidError
	switch {
	case errors.As(err, &invalid) && effect == abac.Permit:
		im.note(v, "%q is rejected by Python (%v), and matches nothing in OGX: it is left out", source, err)
		return e, nil, true
	case errors.As(err, &invalid):
		im.refuse(v, "%q is rejected by Python (%v): OGX passes over it, and forbids nothing by it", source, err)
		return e, nil, false
	case err != nil:
		im.refuse(v, "%q has what only Python has: %v", source, err)
		return e, nil, false
	}
	re, err = regexp.Compile(`\A(?:` + e + `)`)
	if err != nil {
		im.refuse(v, "%q: %v", source, err)
		return e, nil, false
	}
	return e, re, true
}
