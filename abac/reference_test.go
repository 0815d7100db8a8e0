package abac

import (
	"regexp"
	"slices"
	"strings"
)

// What follows decides as the contract says, and knows nothing of how the engine
// does it. fold is what Go's lower case leaves of letters that are one in any case.
var fold = strings.NewReplacer("\u212a", "k", "ſ", "s", "İ", "i", "ı", "i")

func inCommon(a, b *User, name string) bool {
	return slices.ContainsFunc(a.Attributes.Values(name), func(v string) bool { return slices.Contains(b.Attributes.Values(name), v) })
}

// referenceHolds: of somebody anonymous, `against` is what counts against them.
func referenceHolds(c Condition, u, owner *User, against bool) bool {
	if u == nil {
		return c.Op == UserIsAnonymous || against
	}
	switch c.Op {
	case UserWithIn, UserWithNotIn:
		return slices.Contains(u.Attributes.Values(c.Attribute), c.Value) == (c.Op == UserWithIn)
	case UserInOwners, UserNotInOwners:
		return (owner != nil && inCommon(u, owner, c.Attribute)) == (c.Op == UserInOwners)
	case UserIsOwner, UserIsNotOwner:
		return (owner != nil && owner.Principal == u.Principal) == (c.Op == UserIsOwner)
	}
	return c.Op == ResourceIsUnowned && owner == nil
}

func referenceConditions(e Effect, when, unless []Condition, unlessAll bool, u, owner *User) bool {
	held := func(c Condition) bool { return referenceHolds(c, u, owner, e == Permit) }
	doesNot := func(c Condition) bool { return !held(c) }
	if unlessAll && slices.ContainsFunc(unless, doesNot) {
		unless = nil
	}
	return !slices.ContainsFunc(unless, held) &&
		!slices.ContainsFunc(when, func(c Condition) bool { return !referenceHolds(c, u, owner, e == Forbid) })
}

func referenceExpression(source, text string, e Effect, compat Compat) bool {
	if e == Permit && compat == CompatNone {
		return regexp.MustCompile("^(?:" + source + ")$").MatchString(text)
	}
	// `$` is Python's, as long as no test writes it in brackets.
	return regexp.MustCompile("^(?:" + strings.ReplaceAll(source, "$", `(?:\n?\z)`) + ")").MatchString(text)
}

func referencePath(pattern, path string, e Effect, compat Compat) bool {
	if source, isExpression := strings.CutPrefix(pattern, "regex:"); isExpression {
		return referenceExpression(source, path, e, compat) || e == Forbid &&
			(referenceExpression("(?i)"+source, fold.Replace(path), e, compat) || referenceExpression(source, strings.ToLower(path), e, compat))
	}
	if e == Forbid {
		pattern, path = strings.ToLower(fold.Replace(pattern)), strings.ToLower(fold.Replace(path))
	}
	prefix, isPrefix := strings.CutSuffix(pattern, "*")
	return isPrefix && strings.HasPrefix(path, prefix) || pattern == path
}

// referenceRoute returns whether the request may pass, and the rule that says so.
func referenceRoute(rules []RouteRule, compat Compat, q RouteQuestion) (bool, int) {
	method := strings.NewReplacer("HEAD", "GET", "CONNECT", "GET").Replace(q.Method)
	for i, r := range rules {
		if (r.Methods == nil || slices.Contains(r.Methods, method)) &&
			(r.Paths == nil || slices.ContainsFunc(r.Paths, func(p string) bool { return referencePath(p, q.Path, r.Effect, compat) })) &&
			referenceConditions(r.Effect, r.When, r.Unless, false, q.User, nil) {
			return r.Effect == Permit, i
		}
	}
	return len(rules) == 0, -1
}

func referenceResource(pattern, name string, e Effect, compat Compat) bool {
	if source, isExpression := strings.CutPrefix(pattern, "regex:"); isExpression {
		return referenceExpression(source, name, e, compat)
	}
	prefix, isPrefix := strings.CutSuffix(pattern, "*")
	return pattern == "" || pattern == name ||
		isPrefix && (compat == CompatNone || strings.HasSuffix(prefix, "::")) && strings.HasPrefix(name, prefix)
}

// referencePolicy is of a policy with rules: the default has a table of its own.
func referencePolicy(rules []Rule, compat Compat, u *User, a Action, r Resource) (bool, int) {
	if o := r.Owner(); o != nil && o.Tenant != "" && (u == nil || u.Tenant != o.Tenant && (u.Tenant != "" || compat == CompatNone)) {
		return false, -1
	}
	for i, rule := range rules {
		if slices.Contains(rule.Actions, a) &&
			(rule.Principal == "" || u == nil && rule.Effect == Forbid || u != nil && string(rule.Principal) == u.Principal) &&
			referenceResource(string(rule.Resource), r.String(), rule.Effect, compat) &&
			referenceConditions(rule.Effect, rule.When, rule.Unless, compat == CompatOGX, u, r.Owner()) {
			return rule.Effect == Permit, i
		}
	}
	return false, -1
}
