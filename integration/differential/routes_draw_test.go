//go:build integration

package differential

import (
	"math/rand/v2"
	"strings"
)

var routePaths = []string{
	"/", "/v1", "/v1/chat/completions", "/v1/models", "/v1/models/llama-3.1/8b", "/v1/files", "/v1/files/file-123",
	"/v1/files/file-123/content", "/v1/vector_stores/vs_1", "/v1/responses/resp_0a", "/v1alpha/admin/health", "/v1/admin",
	"/v1/inspect/routes", "/v1/models/日本", "/v1/models/ünï", "/v1/models/٣٤", "/v1/models/\u212a2", "/v1/models/ſtandin",
	"/v1/Files", "/v1/models/a::b*", "/v1/models/(x)", "/v1/a.b", "/health",
}

// newRoutes draws the material of a batch, so that OGX compiles each expression
// once: some paths, and expressions about each.
func newRoutes(r *rand.Rand) func() routeCase {
	d := Draw{r}
	paths := make([]string, 24)
	about := make([][]expression, len(paths))
	for i := range paths {
		paths[i] = One(d, routePaths)
		for range 7 {
			about[i] = append(about[i], d.Expression(paths[i]))
		}
	}
	var c routeCase
	at, asked := 0, 0
	return func() routeCase {
		if asked%questions != 0 {
			asked++
			return d.again(c, paths, at)
		}
		asked++
		at = d.IntN(len(paths))
		c = routeCase{
			Path: paths[at], User: d.User(), Expressions: []expression{}, Rules: []routeRule{}, compiled: new([2]compiledRoutes),
		}
		if d.Chance(15) {
			c.User = nil
		}
		d.respell(&c)
		if d.Chance(4) {
			return c // no rules
		}
		ofOwners := 0
		if d.Chance(3) {
			ofOwners = 25
		}
		for range d.Between(1, 8) {
			var rule routeRule
			scope := &routeScope{Paths: oneOrMany(d, d.routePatterns(&c, paths, about, at))}
			if d.Chance(68) {
				rule.Permit = scope
			} else {
				rule.Forbid = scope
			}
			rule.When, rule.Unless = d.Conditions(c.User, ofOwners)
			c.Rules = append(c.Rules, rule)
		}
		return c
	}
}

// questions is how many cases have the same rules.
const questions = 4

// again asks the rules of the case something else: the user or the path is
// another.
func (d Draw) again(c routeCase, paths []string, at int) routeCase {
	c.InvalidUTF8 = false
	switch c.Path = paths[at]; {
	case d.Chance(10):
		c.User = nil
	case d.Chance(50):
		c.User = d.User()
	case d.Chance(50):
		c.Path = One(d, paths)
	}
	d.respell(&c)
	return c
}

// respell requests the path in another way.
func (d Draw) respell(c *routeCase) {
	if d.Chance(25) {
		c.Path = d.otherCase(c.Path)
	}
	if d.Chance(10) {
		c.Path += One(d, []string{"-evil", "/x", "é", "٣", "/K"})
	}
	if d.Chance(15) {
		c.Path += "/"
	}
	if !d.Chance(6) {
		return
	}
	at := cut(c.Path, d.IntN(len(c.Path)+1))
	odd := One(d, []string{
		"//", "/./", "/../", "/..", "/.", `\`, ";a=b", " ", "?", "#", "%2f", "%", "\n", "\r", "\x00", "\x7f", "\u0085", "\u2028", "\ufffd", "", "/",
	})
	c.InvalidUTF8 = odd == "\ufffd"
	if odd == "" && d.Chance(20) {
		c.Path = ""
		return
	}
	c.Path = c.Path[:at] + odd + c.Path[at:]
}

// otherCase writes some letters in the other case.
func (d Draw) otherCase(path string) string {
	share := One(d, []int{5, 30, 100})
	return strings.Map(func(c rune) rune {
		if !d.Chance(share) {
			return c
		}
		switch {
		case 'a' <= c && c <= 'z':
			return c - 'a' + 'A'
		case 'A' <= c && c <= 'Z':
			return c - 'A' + 'a'
		case c == 'ü':
			return 'Ü'
		case c == 'ï':
			return 'Ï'
		case c == '\u212a', c == 'ſ':
			return map[rune]rune{'\u212a': 'k', 'ſ': 'S'}[c]
		}
		return c
	}, path)
}

// routePatterns makes the paths of a rule: mostly of the one at the index, which
// is the one that the request is about.
func (d Draw) routePatterns(c *routeCase, paths []string, about [][]expression, at int) []string {
	var list []string
	for range One(d, []int{1, 1, 1, 2, 3}) {
		i := at
		if d.Chance(55) {
			i = d.IntN(len(paths))
		}
		switch kind := d.IntN(100); {
		case kind < 25:
			list = append(list, paths[i][:len(paths[i])-boolBit(strings.HasSuffix(paths[i], "*"))])
		case kind < 27:
			list = append(list, strings.TrimSuffix(strings.TrimSuffix(paths[i], "*"), "/")+"/") // matches no request
		case kind < 55:
			stem := strings.TrimSuffix(paths[i], "*")
			list = append(list, stem[:cut(stem, d.Between(1, len(stem)))]+"*")
		case kind < 60:
			list = append(list, "*")
		case kind < 64:
			list = append(list, d.otherCase(strings.TrimSuffix(paths[i], "*"))+One(d, []string{"", "*"}))
		default:
			e := One(d, about[i])
			c.Expressions = append(c.Expressions, e)
			list = append(list, "regex:"+e.Source)
		}
	}
	return list
}
