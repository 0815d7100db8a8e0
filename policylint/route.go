package policylint

import (
	"slices"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// methods are what a rule can be of, each a bit.
var methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

const allMethods = 1<<6 - 1

// route is a route rule, taken apart.
type route struct {
	conditions
	patterns []pathPattern // never none
	methods  uint8
	matched  bool // by Caddy's matchers, too, of which nothing is known
}

func readRoute(r *RouteRule, compat abac.Compat) (route, error) {
	parsed := route{
		conditions: conditions{forbids: r.Effect == abac.Forbid, when: r.When, unless: r.Unless},
		matched:    r.Matched,
	}
	for _, source := range r.Paths {
		p, err := readPathPattern(source, r.Effect, compat)
		if err != nil {
			return parsed, err
		}
		parsed.patterns = append(parsed.patterns, p)
	}
	if r.Paths == nil {
		parsed.patterns = []pathPattern{everyPath}
	}
	for _, name := range r.Methods {
		parsed.methods |= 1 << slices.Index(methods, name)
	}
	if parsed.methods == 0 {
		parsed.methods = allMethods
	}
	return parsed, nil
}

// isDead reports whether no path is one of the rule's.
func (r *route) isDead() bool {
	return !slices.ContainsFunc(r.patterns, func(p pathPattern) bool { return p.dead == "" })
}

func (r *route) isUnconditional() bool {
	return len(r.when) == 0 && len(r.unless) == 0 && !r.matched
}

func (r *route) isOfEveryPath() bool {
	return slices.ContainsFunc(r.patterns, func(p pathPattern) bool { return p.covers(&everyPath) })
}

// worldsOfRoutes are those of whoever gets as far as the rules.
func (l *linter) worldsOfRoutes() []world {
	if l.anybodyAnonymous() {
		return []world{{}, {anonymous: true}}
	}
	return []world{{}}
}

// anybodyAnonymous reports whether anonymous callers get as far as the rules.
func (l *linter) anybodyAnonymous() bool {
	return l.block.AllowAnonymous && !l.block.TenancyMulti && len(l.required) == 0
}

// needsOf returns what holds wherever the conditions do in a world, and whether
// they ever do.
func (l *linter) needsOf(c *conditions, w world) ([]clause, bool) {
	needs, possible := c.needs(w)
	if !possible {
		return nil, false
	}
	if !w.anonymous {
		needs = append(needs, l.required...)
	}
	return needs, satisfiable(needs)
}

// covering is by which rules before it a pattern of a rule is never reached.
type covering struct {
	complete bool
	by       []int // indexes
}

// coveringOf looks for rules before the rule that apply, to every path of the
// pattern, whatever the method, wherever the rule does.
func (l *linter) coveringOf(rule int, p *pathPattern, worlds []world) covering {
	c := covering{complete: true}
	r := &l.routes[rule]
	for _, w := range worlds {
		needs, possible := l.needsOf(&r.conditions, w)
		if !possible {
			continue
		}
		by, all := decidedBefore(needs, r.methods, func(yield func(decider) bool) {
			for i := range rule {
				earlier := &l.routes[i]
				if earlier.matched || r.methods&earlier.methods == 0 || !earlier.coversPath(p) {
					continue
				}
				if wanted, ever := earlier.needs(w); ever && !yield(decider{i, earlier.methods, wanted}) {
					return
				}
			}
		})
		c.by = append(c.by, by...)
		c.complete = c.complete && all
	}
	slices.Sort(c.by)
	c.by = slices.Compact(c.by)
	return c
}

func (r *route) coversPath(p *pathPattern) bool {
	return slices.ContainsFunc(r.patterns, func(own pathPattern) bool { return own.covers(p) })
}
