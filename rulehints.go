package stackauth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// What people write who know the idea and not yet the words. A hint stands
// behind an error that there is anyway: nothing is read by it.

// directiveHint says what was probably meant by an option of a block that there is
// not; empty if it is not known.
func directiveHint(name string) string {
	switch name {
	case "allow":
		return ": did you mean permit?"
	case "deny":
		return ": did you mean forbid?"
	case "resources", "quota", "store":
		return ": it is planned, and not in this version"
	}
	return ""
}

// conditionHint says how a condition is written that was probably meant; empty
// if it is not known.
func conditionHint(words []string) string {
	is := func(pattern ...string) bool {
		return slices.EqualFunc(words, pattern, func(word, want string) bool { return want == "" || word == want })
	}
	n := len(words)
	switch {
	case n == 1 && strings.Contains(words[0], " "):
		return "take the quotes off the condition; only a value with blanks has them"
	case slices.Contains(words, "or"):
		return "there is no `or`: write a rule for each, or several `unless`"
	case slices.Contains(words, "and"):
		return "there is no `and`: write a line for each, of which all must hold"
	case is("user", "in", "", "") && words[2] != "owners", is("user", "has", "", ""):
		return meant(words[3], words[2])
	case is("user", "with", "", ""):
		return meant(words[2], words[3])
	case is("user", "has", "", "in", ""), is("user", "is", "", "in", ""):
		return meant(words[2], words[4])
	case is("user", "not", "with", "", "in", ""):
		return fmt.Sprintf("did you mean `user with %s not in %s`?", words[3], words[5])
	case n > 5 && words[0] == "user" && words[1] == "with" && words[n-2] == "in":
		return meant(`"`+strings.Join(words[2:n-2], " ")+`"`, words[n-1])
	case is("user", "with", ""), is("user", "is", ""):
		return meant(words[2], "roles")
	case n == 2 && words[0] != "user" && words[0] != "resource":
		return meant(words[1], words[0])
	}
	return ""
}

func meant(value, attribute string) string {
	return fmt.Sprintf("did you mean `user with %s in %s`?", value, attribute)
}

// pathHint says what probably was meant by the first of the patterns that is
// none; empty if it is not known.
func pathHint(patterns []string) string {
	for _, p := range patterns {
		switch {
		case slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, p):
			return fmt.Sprintf("methods stand in the block of the rule, in a line of their own: `methods %s`", p)
		case strings.HasPrefix(p, "^"):
			return fmt.Sprintf("an expression is written `regex:%s`", p)
		case p == "~":
			return "an expression is written `regex:` and the expression, without a blank"
		case strings.Contains(p, "://"):
			return "a rule is about the path alone, without scheme and host"
		case p == "" || p[0] != '/' && p[0] != '*' && !strings.HasPrefix(p, "regex:"):
			return ""
		}
	}
	return ""
}

// withHint puts a hint behind an error.
func withHint(err error, hint string) error {
	if err == nil || hint == "" {
		return err
	}
	return fmt.Errorf("%w; %s", err, hint)
}

// ruleOptions are what the block of a rule may have, for errors.
const (
	routeRuleOptions    = "methods, match, when, unless or description"
	resourceRuleOptions = "principal, actions, resource, when, unless or description"
)

// optionHint says where an option belongs that is of another place.
func optionHint(option string, of abac.Effect) string {
	switch option {
	case "if":
		return "a condition is a `when`"
	case "require":
		return "`require` is a line of the block of stack_auth; a rule asks with `when`"
	case "shadow":
		return "`shadow` is a line of the block of stack_auth, for all its rules"
	case "method":
		return "did you mean methods?"
	case "principal", "actions", "resource":
		return "it is of the rules in access_policy"
	case "path", "paths":
		return fmt.Sprintf("paths stand in the line of the rule: `%s <path>...`", of)
	}
	if _, err := caddy.GetModule("http.matchers." + option); err == nil {
		return "it is a matcher of Caddy's: put it into a block of `match`"
	}
	return ""
}
