package policylint

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
)

// checkForbids finds forbids that something like what they name gets around.
func (l *linter) checkForbids() {
	for i := range l.routes {
		r := &l.routes[i]
		if !r.forbids {
			continue
		}
		if l.block.Rules[i].ByPath {
			l.add(l.ofRule(i), ForbidByMatcher, Warning,
				"Caddy's matchers read a path otherwise than rules do: with a slash at its end it is another one to `path`, and in another case to `path_regexp`",
				"name the paths in the line of the forbid, which reads them widely, and leave `match` for the rest")
		}
		for j := range r.patterns {
			p := &r.patterns[j]
			if p.engine == nil || p.dead != "" || l.takenOff(p) != "" {
				continue
			}
			if p.ok && !p.set.prefix && p.set.text != "/" && !p.isOfAnother() {
				l.checkBelow(i, p)
			}
			l.checkAbove(i, p)
		}
	}
}

// checkBelow reports a forbid of a path that leaves free what is below it.
func (l *linter) checkBelow(rule int, p *pathPattern) {
	below := plain{text: p.set.text + "/", prefix: true, fold: true}
	permitted := false
	for i := range l.routes {
		for j := range l.routes[i].patterns {
			switch other := &l.routes[i].patterns[j]; {
			case other.dead != "":
			case other.forbids && (other.ok && other.set.covers(below) || other.expression != nil && other.matches(below.text+"x")):
				return
			case !other.forbids && other.outline().overlaps(below) && l.letsIn(i, rule):
				permitted = true
			}
		}
	}
	if !permitted {
		return
	}
	l.add(l.ofRule(rule), ForbidExactPath, Warning,
		fmt.Sprintf("`%s` forbids this one path; `%s/…` is not forbidden, and a permit is about it", p.source, p.set.text),
		fmt.Sprintf("write `%s %s/*`, or `%s*` to forbid all that begins so", p.set.text, p.set.text, p.set.text))
}

// checkAbove reports a forbid of what is below a path that leaves free the path
// itself: who asks for it with a slash at the end, which is taken off, asks for
// what looks forbidden.
func (l *linter) checkAbove(rule int, p *pathPattern) {
	var free []string
	for _, path := range p.parents() {
		if l.isLeftFree(rule, path) {
			free = append(free, path)
		}
	}
	if free == nil {
		return
	}
	advice := fmt.Sprintf("write `%s %s/*`, or `%s*` to forbid all that begins so", free[0], free[0], free[0])
	if p.expression != nil {
		advice = fmt.Sprintf("name %s in the line, too, or end the expression with `(?:/|$)` in place of the slash", backquoted(free))
	}
	severity := Warning
	if l.routes[rule].methods != allMethods {
		severity = Note // of what is done to a list, and to its members, methods differ
	}
	l.add(l.ofRule(rule), ForbidBelowOnly, severity,
		fmt.Sprintf("`%s` forbids what is below %s, and not the path itself: one trailing slash of a request is taken off, so `%s/` is not forbidden, and a permit is about it",
			p.source, backquoted(free), free[0]), advice)
}

// parents returns paths of which the pattern has all that is below them, and not
// themselves.
func (p *pathPattern) parents() []string {
	begins := []sample{{text: p.set.text}}
	if p.expression != nil {
		begins = samplesOf(p.expression.withoutRest())
	} else if !p.set.prefix {
		return nil
	}
	var paths []string
	for _, begin := range begins {
		path, found := strings.CutSuffix(begin.text, "/")
		if !found || path == "" || begin.invented || slices.Contains(paths, path) {
			continue
		}
		if !p.matches(path) && p.matches(path+"/x") && p.matches(path+"/y") && p.matches(path+"/x/y") {
			paths = append(paths, path)
		}
	}
	return paths
}

// withoutRest returns the parts of the expression but for what stands for
// anything at its end.
func (e *expression) withoutRest() []*syntax.Regexp {
	row := e.parts
	for len(row) > 0 && isEnd(row[len(row)-1]) {
		row = row[:len(row)-1]
	}
	if last := len(row) - 1; last >= 0 && (row[last].Op == syntax.OpStar || row[last].Op == syntax.OpPlus) {
		row = row[:last]
	}
	return row
}

// isLeftFree reports whether a permit that does not name the path lets callers
// in to it whom the forbid is about.
func (l *linter) isLeftFree(rule int, path string) bool {
	if slices.ContainsFunc(l.block.Public, func(source string) bool { return publicSet(source).covers(plain{text: path}) }) {
		return false
	}
	free := false
	for i := range l.routes {
		r := &l.routes[i]
		for j := range r.patterns {
			switch p := &r.patterns[j]; {
			case p.dead != "" || !p.mayMatch(path):
			case r.forbids, p.ok && !p.set.prefix:
				return false // it is thought of
			case l.letsIn(i, rule):
				free = true
			}
		}
	}
	return free
}

// letsIn reports whether a permit may let in whom a forbid is about.
func (l *linter) letsIn(permit, forbid int) bool {
	p, f := &l.routes[permit], &l.routes[forbid]
	return p.methods&f.methods != 0 && l.bothApply(p, f)
}
