package policylint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

const rolesAttribute = "roles"

// identityClaims name somebody, and are chosen by whom they name more often than
// not.
var identityClaims = []string{
	"sub", "username", "preferred_username", "login", "email", "upn", "name", "nickname", "given_name", "family_name",
	"client_id", "azp", // of a program, which some servers let whoever registers it choose
}

// checkMappings finds claims that name somebody and become roles.
func (l *linter) checkMappings() {
	if l.block.Enforces {
		return // said of the block that has the provider
	}
	for i := range l.block.Providers {
		p := &l.block.Providers[i]
		var claims []string
		for _, m := range p.Mapping {
			if m.Attribute == rolesAttribute && (namesSomebody(m.Claim) || slices.Contains(p.Principals, m.Claim)) && !slices.Contains(claims, m.Claim) {
				claims = append(claims, m.Claim)
			}
		}
		if claims == nil {
			continue
		}
		become := "becomes a role"
		if len(claims) > 1 {
			become = "become roles"
		}
		message := fmt.Sprintf("%s %s: whoever is called admin, or can choose that name, has the role admin", backquoted(claims), become)
		advice := "map the claim that has the roles, such as `realm_access.roles roles`, and write a rule for one person with an attribute of its own: `preferred_username users`"
		if p.Upstreams {
			message += ". That is OGX's own mapping (`claims_mapping ogx`, or `compat ogx` without a mapping)"
			advice = "write a `claims_mapping` block that names the claims, such as `realm_access.roles roles` and `groups teams`"
		}
		l.add(subject{OfProviders, i + 1, p.Name}, IdentityInRoles, Error, message, advice)
	}
}

// namesSomebody reports whether the last part of a claim path is a name.
func namesSomebody(claim string) bool {
	if i := strings.LastIndexByte(claim, '.'); i >= 0 && (i == 0 || claim[i-1] != '\\') {
		claim = claim[i+1:]
	}
	return slices.Contains(identityClaims, claim)
}

// universal are roles and groups that everybody has, whoever gives them.
var universal = map[string]string{
	"offline_access":       "Keycloak gives it to every user of a realm",
	"uma_authorization":    "Keycloak gives it to every user of a realm",
	"system:authenticated": "every caller whom Kubernetes knows is in it",
}

const keycloakDefaultRoles = "default-roles-"

// universalOf returns the first value that everybody has; empty without any.
func universalOf(values []string) string {
	for _, v := range values {
		if universal[v] != "" || strings.HasPrefix(v, keycloakDefaultRoles) {
			return v
		}
	}
	return ""
}

func isUniversal(value string) string {
	why := universal[value]
	if why == "" {
		why = "Keycloak gives it to every user of the realm that it is named after"
	}
	return fmt.Sprintf("everybody has `%s` (%s)", value, why)
}

// eachRule calls with every rule of both policies.
func (l *linter) eachRule(do func(s subject, c *conditions)) {
	for i := range l.routes {
		do(l.ofRule(i), &l.routes[i].conditions)
	}
	for i := range l.resources {
		do(l.ofResourceRule(i), &l.resources[i].conditions)
	}
}

// checkUniversalRoles finds rules that ask for what everybody has.
func (l *linter) checkUniversalRoles() {
	l.eachRule(func(s subject, c *conditions) {
		if c.forbids {
			for _, u := range c.unless {
				if value := universalOf([]string{u.Value}); u.Op == abac.UserWithIn && value != "" {
					l.add(s, UniversalRole, Warning, isUniversal(value)+": so everybody is excepted, and the rule forbids nothing to the realm's users",
						"name a role that only those have who are to be excepted")
				}
			}
			return
		}
		value, owners := "", false
		for _, w := range c.when {
			switch {
			case w.Op == abac.UserWithIn && universalOf([]string{w.Value}) != "":
				value = w.Value
			case w.Op == abac.UserInOwners && w.Attribute == rolesAttribute:
				owners = true
			default:
				return // it asks for something else, too
			}
		}
		switch {
		case owners:
			l.add(s, OwnersShareRoles, Warning, "`user in owners roles` is all that it asks for: one role in common is enough, and there is mostly one that everybody has (with Keycloak `offline_access`)",
				"ask for something that only those share who work together: `user in owners teams`")
		case value != "":
			l.add(s, UniversalRole, Warning, isUniversal(value)+", and nothing else is asked for: the rule is for everybody of the realm",
				"name a role that only those have who are to come in")
		}
	})
}

// checkConditions finds permits by what somebody has not.
func (l *linter) checkConditions() {
	l.eachRule(func(s subject, c *conditions) {
		if c.forbids {
			return
		}
		for _, w := range c.when {
			if w.Op == abac.UserWithNotIn {
				l.add(s, NegativeCondition, Warning,
					fmt.Sprintf("`when %s`: who has no %s at all passes, be it that the provider left it out (anonymous callers do not)", w, w.Attribute),
					"ask for what those have who are to come in: `when user with <value> in "+w.Attribute+"`")
			}
		}
		for _, u := range c.unless {
			if u.Op == abac.UserWithIn {
				l.add(s, NegativeCondition, Note,
					fmt.Sprintf("`unless %s`: who has no %s at all is not excepted, be it that the provider left it out", u, u.Attribute),
					"where that matters, ask in a `when` for what those have who are to come in")
			}
		}
	})
}

// checkValues finds values that look like two.
func (l *linter) checkValues() {
	look := func(s subject, values ...string) {
		for _, v := range values {
			if strings.Contains(v, ",") {
				l.add(s, CommaInValue, Note, fmt.Sprintf("`%s` is one value, with a comma in it", v),
					"separate values of `require` by blanks; a condition has one value")
			}
		}
	}
	for i, q := range l.block.Require {
		look(l.ofRequire(i), q.Values...)
	}
	if q := l.block.ExplainHeader; q != nil {
		look(subject{list: OfBlock}, q.Values...)
	}
	l.eachRule(func(s subject, c *conditions) {
		for _, condition := range slices.Concat(c.when, c.unless) {
			look(s, condition.Value)
		}
	})
}
