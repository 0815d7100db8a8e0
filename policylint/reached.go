package policylint

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// checkRoutesReached finds route rules that never decide.
func (l *linter) checkRoutesReached() {
	worlds := l.worldsOfRoutes()
	for i := range l.routes {
		r := &l.routes[i]
		switch {
		case r.isDead(): // said of each pattern
		case !l.everHolds(&r.conditions, worlds):
			l.addNeverApplies(l.ofRule(i), &r.conditions, worlds)
		case l.addDuplicate(i):
		default:
			l.addShadowed(i, worlds)
		}
	}
}

func (l *linter) everHolds(c *conditions, worlds []world) bool {
	return slices.ContainsFunc(worlds, func(w world) bool { _, ever := l.needsOf(c, w); return ever })
}

func (l *linter) addNeverApplies(s subject, c *conditions, worlds []world) {
	effect := "lets nobody in"
	if c.forbids {
		effect = "forbids nothing"
	}
	l.add(s, RuleNeverApplies, Error, l.contradiction(c, worlds)+": the rule "+effect,
		"correct the condition that is not meant so, or take the rule out")
}

// contradiction says which conditions cannot hold together: the fewest of them.
func (l *linter) contradiction(c *conditions, worlds []world) string {
	type given struct {
		kind string
		abac.Condition
	}
	all := make([]given, 0, len(c.when)+len(c.unless))
	for _, w := range c.when {
		all = append(all, given{"when", w})
	}
	for _, u := range c.unless {
		all = append(all, given{"unless", u})
	}
	alone := func(some ...given) bool {
		part := conditions{forbids: c.forbids, unlessAll: c.unlessAll}
		for _, g := range some {
			if g.kind == "when" {
				part.when = append(part.when, g.Condition)
			} else {
				part.unless = append(part.unless, g.Condition)
			}
		}
		return !slices.ContainsFunc(worlds, func(w world) bool {
			needs, possible := part.needs(w)
			return possible && satisfiable(needs)
		})
	}
	for i, g := range all {
		if alone(g) {
			if g.Op == abac.UserIsAnonymous {
				return fmt.Sprintf("`%s %s`, and nobody is: the block has no allow_anonymous, or a `require` or `tenancy multi`, which nobody anonymous meets", g.kind, g)
			}
			return fmt.Sprintf("`%s %s` can never be so", g.kind, g)
		}
		for _, other := range all[:i] {
			if alone(other, g) {
				return fmt.Sprintf("`%s %s` and `%s %s` contradict each other", other.kind, other, g.kind, g)
			}
		}
	}
	if len(l.required) > 0 {
		return "the conditions contradict what `require` asks of everybody"
	}
	return "the conditions contradict each other"
}

// addDuplicate reports whether the rule is written before it in the same words.
func (l *linter) addDuplicate(rule int) bool {
	if l.routes[rule].matched {
		return false
	}
	for i := range rule {
		if !l.routes[i].matched && sameRule(&l.block.Rules[i].RouteRule, &l.block.Rules[rule].RouteRule) {
			l.add(l.ofRule(rule), DuplicateRule, Warning, fmt.Sprintf("%s says the same already", l.ofRule(i)),
				"take one of them out, or correct what was to be different")
			return true
		}
	}
	return false
}

func sameRule(a, b *abac.RouteRule) bool {
	return a.Effect == b.Effect && sameSet(a.Paths, b.Paths) && sameSet(a.Methods, b.Methods) &&
		sameSet(a.When, b.When) && sameSet(a.Unless, b.Unless)
}

// sameSet compares lists whose order means nothing.
func sameSet[T comparable](a, b []T) bool {
	for _, v := range a {
		if !slices.Contains(b, v) {
			return false
		}
	}
	for _, v := range b {
		if !slices.Contains(a, v) {
			return false
		}
	}
	return true
}

// addShadowed reports a rule, or paths of a rule, before which other rules have
// decided.
func (l *linter) addShadowed(rule int, worlds []world) {
	r := &l.routes[rule]
	var shadowed []int
	var by []int
	living := 0
	for i := range r.patterns {
		if r.patterns[i].dead != "" {
			continue
		}
		living++
		c := l.coveringOf(rule, &r.patterns[i], worlds)
		if !c.complete {
			continue
		}
		shadowed = append(shadowed, i)
		for _, earlier := range c.by {
			if !slices.Contains(by, earlier) {
				by = append(by, earlier)
			}
		}
	}
	if len(shadowed) == 0 {
		return
	}
	slices.Sort(by)
	same := !slices.ContainsFunc(by, func(i int) bool { return l.routes[i].forbids != r.forbids })
	if len(shadowed) == living {
		l.addShadowedRule(l.ofRule(rule), r.forbids, same, l.names(by, l.ofRule))
		return
	}
	var paths []string
	for _, i := range shadowed {
		paths = append(paths, r.patterns[i].source)
	}
	severity := Warning
	if same {
		severity = Note
	}
	l.add(l.ofRule(rule), PathShadowed, severity,
		fmt.Sprintf("%s: %s before it decides wherever this rule could", backquoted(paths), l.names(by, l.ofRule)),
		"take the path out, or put the rule in front")
}

func (l *linter) addShadowedRule(s subject, forbids, same bool, by string) {
	switch {
	case same:
		l.add(s, RuleShadowed, Warning, fmt.Sprintf("%s before it decides the same wherever this rule could: it changes nothing", by),
			"take the rule out, or put it in front if it is to be the one that is named in logs")
	case forbids:
		l.add(s, RuleShadowed, Error, fmt.Sprintf("%s before it decides wherever this rule could: it forbids nothing", by),
			"put the forbid in front: the first rule that applies decides")
	default:
		l.add(s, RuleShadowed, Error, fmt.Sprintf("%s before it decides wherever this rule could: it lets nobody in", by),
			"put the permit in front if it is to be an exception, or take it out: the first rule that applies decides")
	}
}

func (l *linter) names(rules []int, of func(int) subject) string {
	texts := make([]string, 0, len(rules))
	for _, i := range rules {
		texts = append(texts, of(i).String())
	}
	return strings.Join(texts, " and ")
}

// String names a rule by its number, and by its description if it has one.
func (s subject) String() string {
	kind, number := map[List]string{OfRules: "rule", OfAccessPolicy: "rule", OfRequire: "require", OfProviders: "provider"}[s.list], s.rule
	if s.list == OfProviders {
		return kind + " " + s.name
	}
	if strings.HasSuffix(s.name, fmt.Sprintf(" %d", number)) {
		return s.name
	}
	quotedName, _ := json.Marshal(s.name)
	return fmt.Sprintf("%s %d %s", kind, number, quotedName)
}

func backquoted(words []string) string {
	texts := make([]string, 0, len(words))
	for _, w := range words {
		texts = append(texts, quoted(w))
	}
	if last := len(texts) - 1; last > 0 {
		return strings.Join(texts[:last], ", ") + " and " + texts[last]
	}
	return strings.Join(texts, "")
}
