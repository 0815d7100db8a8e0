package policylint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// String is the matcher as it is written.
func (m *CallerMatch) String() string {
	text := "stack_auth " + m.Attribute + " " + strings.Join(m.Values, " ")
	if m.Not {
		text = "not " + text
	}
	return quoted(text)
}

// eachCaller calls with every matcher that asks who calls.
func (l *linter) eachCaller(do func(s subject, m *CallerMatch)) {
	for i := range l.block.Callers {
		do(subject{list: OfBlock}, &l.block.Callers[i])
	}
	for i := range l.block.Rules {
		for j := range l.block.Rules[i].Callers {
			do(l.ofRule(i), &l.block.Rules[i].Callers[j])
		}
	}
}

// checkCallers finds matchers of rules that let in who was not meant.
func (l *linter) checkCallers() {
	for i := range l.block.Rules {
		if l.routes[i].forbids {
			l.checkCallersExcepted(i)
		} else {
			l.checkCallersLetIn(i)
		}
	}
}

func (l *linter) checkCallersExcepted(rule int) {
	r := &l.block.Rules[rule]
	for i := range r.Callers {
		m := &r.Callers[i]
		if value := universalOf(m.Values); m.Not && value != "" && !r.Further {
			l.add(l.ofRule(rule), UniversalRole, Warning, fmt.Sprintf("%s: %s: so everybody is excepted, and the rule forbids nothing to the realm's users", m, isUniversal(value)),
				"name a role that only those have who are to be excepted")
		}
	}
}

func (l *linter) checkCallersLetIn(rule int) {
	r := &l.block.Rules[rule]
	everybody, asksMore := "", r.Further || len(r.When) > 0
	for i := range r.Callers {
		m := &r.Callers[i]
		switch value := universalOf(m.Values); {
		case m.Not:
			l.addNotCaller(rule, m)
			asksMore = true
		case value == "":
			asksMore = true
		default:
			everybody = value
		}
	}
	if everybody != "" && !asksMore {
		l.add(l.ofRule(rule), UniversalRole, Warning, isUniversal(everybody)+", and nothing else is asked for: the rule is for everybody of the realm",
			"name a role that only those have who are to come in")
	}
}

// addNotCaller reports a matcher that lets in by what somebody has not.
func (l *linter) addNotCaller(rule int, m *CallerMatch) {
	message := fmt.Sprintf("%s: who has no %s at all passes, be it that the provider left it out", m, m.Attribute)
	if slices.ContainsFunc(l.block.Rules[rule].When, func(c abac.Condition) bool { return c.Op == abac.UserWithIn }) {
		l.add(l.ofRule(rule), NegativeCondition, Note, message, "where that matters, ask in a `when` for what those have who are to come in")
		return
	}
	if l.anybodyAnonymous() {
		message += ", and who is anonymous, too"
	}
	l.add(l.ofRule(rule), NegativeCondition, Warning, message,
		"ask for what those have who are to come in: `when user with <value> in "+m.Attribute+"`")
}
