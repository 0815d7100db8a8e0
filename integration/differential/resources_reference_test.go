//go:build integration

package differential

import (
	"slices"
	"strings"
)

// referenceResource is OGX's is_action_allowed, with a switch for each row of
// the table.
func referenceResource(c *resourceCase, a *answer, on Set) string {
	if on.Has(idPrefix) && oddStar(c.Rules) || refusedExpression(c.Expressions, a.Matches, on) {
		return NotLoaded
	}
	decided := false
	switch {
	case c.User == nil && !on.Has(anonymous):
		return Allowed // "authentication is not enabled"
	case outOfReach(c, on):
	case len(c.Rules) > 0:
		decided = rulesAllow(c, a, on)
	default:
		decided = defaultAllows(c, on)
	}
	if decided {
		return Allowed
	}
	return Denied
}

// outOfReach: the owner's tenant and the user's are not the same. OGX lets those
// without one pass; we do not, and nobody who is anonymous.
func outOfReach(c *resourceCase, on Set) bool {
	if c.Owner == nil || c.Owner.Tenant == "" {
		return false
	}
	if c.User == nil {
		return true
	}
	return c.User.Tenant != c.Owner.Tenant && (c.User.Tenant != "" || on.Has(tenantless))
}

func rulesAllow(c *resourceCase, a *answer, on Set) bool {
	seen := 0 // expressions
	for i := range c.Rules {
		scope, forbids := c.Rules[i].scope()
		matches := scope.Resource == ""
		if source, found := strings.CutPrefix(scope.Resource, "regex:"); found {
			if c.Expressions[seen].Source != source {
				panic("expressions are out of order")
			}
			as := reading{re2: on.Has(expressions), whole: !forbids && on.Has(permitWholePath)}
			matches = as.holds(c.Expressions[seen], a.Matches[seen])
			seen++
		} else if !matches {
			matches = matchesResource(scope.Resource, c.Type+"::"+c.ID, on)
		}
		if matches && slices.Contains(listOf(scope.Actions), c.Action) && isFor(scope.Principal, c.User, forbids) &&
			resourceConditionsHold(&c.Rules[i], c, forbids, on) {
			return !forbids
		}
	}
	return false
}

func matchesResource(pattern, name string, on Set) bool {
	stem, star := strings.CutSuffix(pattern, "*")
	if star && (on.Has(idPrefix) || strings.HasSuffix(stem, "::")) && strings.HasPrefix(name, stem) {
		return true
	}
	return pattern == name
}

// oddStar: where a star makes a pattern, it is the last character of an id.
func oddStar(rules []resourceRule) bool {
	for i := range rules {
		scope, _ := rules[i].scope()
		if strings.HasPrefix(scope.Resource, "regex:") || !strings.Contains(scope.Resource, "*") {
			continue
		}
		stem := strings.TrimSuffix(scope.Resource, "*")
		if strings.Contains(stem, "*") || !strings.Contains(stem, "::") {
			return true
		}
	}
	return false
}

func isFor(principal string, u *User, forbids bool) bool {
	switch {
	case principal == "":
		return true
	case u == nil:
		return forbids
	}
	return principal == u.Principal
}

// resourceConditionsHold: in our reading every condition counts against somebody
// anonymous.
func resourceConditionsHold(rule *resourceRule, c *resourceCase, forbids bool, on Set) bool {
	when, unless := listOf(rule.When), listOf(rule.Unless)
	if c.User == nil {
		return forbids || len(when)+len(unless) == 0
	}
	for _, condition := range when {
		if !holds(condition, c.User, c.Owner) {
			return false
		}
	}
	held := 0
	for _, condition := range unless {
		if holds(condition, c.User, c.Owner) {
			held++
		}
	}
	if on.Has(unlessAny) {
		return held == 0
	}
	return len(unless) == 0 || held < len(unless)
}

// defaultAllows is the policy that holds where there are no rules.
func defaultAllows(c *resourceCase, on Set) bool {
	switch {
	case c.Action == "create" && c.User == nil:
		return false
	case c.Action == "create":
		return true // nobody owns it yet
	case c.Owner == nil:
		return c.User != nil && !on.Has(unownedAs) || unownedAllows(c)
	case c.User == nil:
		return false
	case c.Owner.Principal == c.User.Principal:
		return true
	case on.Has(ownerMatch):
		return sharesAsWeSay(c)
	}
	for _, category := range []string{"roles", "teams", "projects", "namespaces"} {
		if holds("user in owners "+category, c.User, c.Owner) {
			return true
		}
	}
	return false
}

// unownedAllows: an entry without types is for those that no other names.
func unownedAllows(c *resourceCase) bool {
	entries := c.Unowned
	if entries == nil {
		entries = []unowned{{Actions: []string{"read"}, Types: []string{"model"}}}
	}
	named := slices.ContainsFunc(entries, func(u unowned) bool { return slices.Contains(u.Types, c.Type) })
	return slices.ContainsFunc(entries, func(u unowned) bool {
		about := slices.Contains(u.Types, c.Type) || len(u.Types) == 0 && !named
		return about && slices.Contains(u.Actions, c.Action)
	})
}

// sharesAsWeSay: all of the owner's categories, of which one is not roles; or
// with `any` one that is not roles.
func sharesAsWeSay(c *resourceCase) bool {
	common, missing := 0, 0
	for category, values := range c.Owner.Attributes {
		switch {
		case len(values) == 0:
		case !holds("user in owners "+category, c.User, c.Owner):
			missing++
		case category != "roles":
			common++
		}
	}
	return common > 0 && (c.OwnerMatch == "any" || missing == 0)
}
