//go:build integration

package differential

import (
	"regexp"
	"strings"
)

// referenceRoute is OGX's RouteAuthorizationMiddleware and is_route_allowed, with
// a switch for each row of the table.
func referenceRoute(c *routeCase, a *answer, on Set) string {
	if on.Has(routeOwnerCondition) && aboutOwners(c.Rules) || refusedExpression(c.Expressions, a.Matches, on) {
		return NotLoaded
	}
	if on.Has(ambiguousPath) && (c.InvalidUTF8 || !unambiguous(c.Path)) {
		return Ambiguous
	}
	path := c.Path
	if path != "/" {
		path = strings.TrimRight(path, "/")
	}
	matches := a.Matches // those of the expressions that are not passed yet
	for i := range c.Rules {
		rule := &c.Rules[i]
		scope, forbids := rule.scope()
		applies := false
		for _, pattern := range listOf(scope.Paths) {
			if source, found := strings.CutPrefix(pattern, "regex:"); found {
				e := c.Expressions[len(a.Matches)-len(matches)]
				if e.Source != source {
					panic("expressions are out of order")
				}
				as := reading{
					re2: on.Has(expressions), whole: !forbids && on.Has(permitWholePath),
					fold: forbids && on.Has(forbidAnyCase),
				}
				applies = as.holds(e, matches[0]) || applies
				matches = matches[1:]
				continue
			}
			applies = matchesPattern(pattern, path, forbids && on.Has(forbidAnyCase)) || applies
		}
		if applies && routeConditionsHold(rule, c.User, forbids, on) {
			if forbids {
				return Denied
			}
			return Allowed
		}
	}
	if len(c.Rules) == 0 {
		return Allowed
	}
	return Denied
}

// routeConditionsHold: without a user, no rule with a condition applies; in our
// reading every condition counts against somebody anonymous.
func routeConditionsHold(rule *routeRule, u *User, forbids bool, on Set) bool {
	when, unless := listOf(rule.When), listOf(rule.Unless)
	if u == nil && len(when)+len(unless) > 0 {
		return on.Has(anonymous) && forbids
	}
	for _, condition := range when {
		if !holds(condition, u, nil) {
			return false
		}
	}
	for _, condition := range unless {
		if holds(condition, u, nil) {
			return false
		}
	}
	return true
}

func matchesPattern(pattern, path string, fold bool) bool {
	stem, prefix := strings.CutSuffix(pattern, "*")
	switch {
	case !prefix && fold:
		return strings.EqualFold(path, pattern)
	case !prefix:
		return path == pattern
	case strings.HasPrefix(path, stem):
		return true
	case !fold:
		return false
	}
	for end := range path + "/" {
		if strings.EqualFold(path[:end], stem) {
			return true
		}
	}
	return false
}

// refusedExpression reports whether an expression is a load error: of neither
// engine with bad-expression, of Python's alone with expressions.
func refusedExpression(list []expression, matches []int, on Set) bool {
	for i, e := range list {
		if e.Meaning != nil {
			continue
		}
		row := expressions
		if matches[i]&pythonRefuses != 0 {
			row = badExpression
		}
		if on.Has(row) {
			return true
		}
	}
	return false
}

func aboutOwners(rules []routeRule) bool {
	for _, rule := range rules {
		for _, condition := range append(listOf(rule.When), listOf(rule.Unless)...) {
			if !strings.HasPrefix(condition, "user with ") {
				return true
			}
		}
	}
	return false
}

// What no server reads otherwise than another: slashes with something between
// them, which is no dot segment, and no character that separates or ends a path
// for somebody.
var (
	plainPath = regexp.MustCompile(`\A(?:/|(?:/[^/\\;?#% \x00-\x1f\x7f-\x{9f}\x{2028}\x{2029}]+)+/?)\z`)
	dotted    = regexp.MustCompile(`/\.\.?(?:/|\z)`)
)

func unambiguous(path string) bool { return plainPath.MatchString(path) && !dotted.MatchString(path) }
