package policylint

import (
	"fmt"
	"slices"
)

// checkOrder finds forbids that come too late, forbids alone, and a permit at the
// end that makes those before it needless.
func (l *linter) checkOrder() {
	for i := range l.routes {
		if l.routes[i].forbids && !l.routes[i].isDead() {
			l.checkForbidComesFirst(i)
		}
	}
	l.checkLast()
	l.checkAnyPermit()
}

// checkForbidComesFirst looks for a permit in front of a forbid that is for the
// same paths and more. One that is for fewer is an exception, and meant to be in
// front.
func (l *linter) checkForbidComesFirst(rule int) {
	forbid := &l.routes[rule]
	if l.isShadowed(rule) {
		return // said already
	}
	for i := range rule {
		permit := &l.routes[i]
		if permit.forbids || permit.methods&forbid.methods == 0 {
			continue
		}
		covered := permit.writtenCover(forbid)
		if len(covered) == 0 || !l.bothApply(permit, forbid) {
			continue
		}
		s := l.ofRule(rule)
		advice := "put the forbid in front of it: the first rule that applies decides"
		switch {
		case permit.isUnconditional() && len(covered) == len(forbid.patterns) && permit.methods&forbid.methods == forbid.methods:
			l.add(s, ForbidAfterPermit, Error,
				fmt.Sprintf("%s before it lets everybody in to %s: only paths in another case are left to forbid", l.ofRule(i), backquoted(covered)), advice)
		case permit.isUnconditional():
			l.add(s, ForbidAfterPermit, Warning,
				fmt.Sprintf("%s before it lets everybody in to %s, with the methods that it is of", l.ofRule(i), backquoted(covered)), advice)
		case len(forbid.when)+len(forbid.unless) > 0:
			l.add(s, ForbidAfterPermit, Warning,
				fmt.Sprintf("%s before it lets callers in to %s whom this rule would forbid it", l.ofRule(i), backquoted(covered)),
				advice+", or give the permit the exception, too")
		case !l.permittedLater(rule):
			l.add(s, ForbidAfterPermit, Warning,
				fmt.Sprintf("%s before it lets callers in to %s, and no permit after it is about that: it changes nothing", l.ofRule(i), backquoted(covered)), advice)
		default:
			continue // an exception for some callers, and then a forbid for the rest
		}
		return
	}
}

func (l *linter) isShadowed(rule int) bool {
	return slices.ContainsFunc(l.found, func(f Finding) bool {
		return f.List == OfRules && f.Rule == rule+1 && (f.Code == RuleShadowed || f.Code == RuleNeverApplies || f.Code == DuplicateRule)
	})
}

// writtenCover returns the patterns of the other rule whose paths, in the case in
// which they are written, are all among this one's.
func (r *route) writtenCover(other *route) []string {
	var covered []string
	for i := range other.patterns {
		p := &other.patterns[i]
		if p.dead == "" && slices.ContainsFunc(r.patterns, func(own pathPattern) bool { return own.dead == "" && own.coversWritten(p) }) {
			covered = append(covered, p.source)
		}
	}
	return covered
}

// bothApply reports whether there may be callers to whom both rules apply.
func (l *linter) bothApply(a, b *route) bool {
	for _, w := range l.worldsOfRoutes() {
		one, ever := l.needsOf(&a.conditions, w)
		if !ever {
			continue
		}
		if other, ever := b.needs(w); ever && satisfiable(append(one, other...)) {
			return true
		}
	}
	return false
}

// permittedLater reports whether a permit after the rule may be about its paths.
func (l *linter) permittedLater(rule int) bool {
	r := &l.routes[rule]
	for i := rule + 1; i < len(l.routes); i++ {
		later := &l.routes[i]
		if later.forbids || later.methods&r.methods == 0 {
			continue
		}
		for j := range later.patterns {
			if slices.ContainsFunc(r.patterns, func(p pathPattern) bool { return p.mayOverlap(&later.patterns[j]) }) {
				return true
			}
		}
	}
	return false
}

// checkAnyPermit finds rules that refuse everybody everything, because none of
// them is a permit. Who closes a place on purpose forbids all of it.
func (l *linter) checkAnyPermit() {
	if len(l.routes) == 0 || slices.ContainsFunc(l.routes, func(r route) bool { return !r.forbids || r.isUnconditional() && r.isOfEveryPath() }) {
		return
	}
	where := "everywhere"
	if len(l.block.Public) > 0 {
		where = "wherever it is not public"
	}
	l.add(subject{list: OfRules}, NoPermit, Error,
		"there is no permit: what no rule is about is refused, so that everybody gets 403 "+where,
		"end with `permit`, alone in a line, if everybody may do what is not forbidden; or say with permits who may do what")
}

// checkLast finds a permit of everything for everybody after permits that ask
// for something.
func (l *linter) checkLast() {
	last := len(l.routes) - 1
	if last < 1 || l.routes[last].forbids || !l.routes[last].isUnconditional() || !l.routes[last].isOfEveryPath() || l.isShadowed(last) {
		return
	}
	for i := range last {
		if r := &l.routes[i]; !r.forbids && len(r.when) > 0 {
			l.add(l.ofRule(last), PermitAllLast, Note,
				fmt.Sprintf("it lets everybody in to everything that no forbid before it stops: what %s asks for, nobody needs", l.ofRule(i)),
				"leave the last permit out, and what no rule is about is refused; or take out the permits that it makes needless")
			return
		}
	}
}
