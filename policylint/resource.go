package policylint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// resourceRule is a rule of the access policy, taken apart.
type resourceRule struct {
	conditions
	principal string
	actions   uint8
	pattern   resourcePattern
}

// resourcePattern is the resource of a rule as a set of `type::id`.
type resourcePattern struct {
	source     string // empty: all
	set        plain
	ok         bool
	expression *expression
	engine     *abac.Policy
	dead       string
}

const separator = "::"

func readResourceRule(r *abac.Rule, compat abac.Compat) (resourceRule, error) {
	parsed := resourceRule{
		conditions: conditions{forbids: r.Effect == abac.Forbid, when: r.When, unless: r.Unless, unlessAll: compat == abac.CompatOGX},
		principal:  string(r.Principal),
	}
	for _, a := range r.Actions {
		parsed.actions |= 1 << slices.Index(abac.Actions, a)
	}
	var err error
	parsed.pattern, err = readResourcePattern(string(r.Resource), r.Effect, compat)
	return parsed, err
}

func readResourcePattern(source string, effect abac.Effect, compat abac.Compat) (resourcePattern, error) {
	p := resourcePattern{source: source, set: everything, ok: true}
	if source == "" {
		return p, nil
	}
	rule := abac.Rule{Effect: effect, Actions: abac.Actions, Resource: abac.Given(source)}
	var err error
	if p.engine, err = abac.NewPolicy([]abac.Rule{rule}, abac.Options{Compat: compat}); err != nil {
		return p, err
	}
	if text, found := strings.CutPrefix(source, expressionPrefix); found {
		if p.expression, err = readExpression(text, effect == abac.Permit && compat != abac.CompatOGX); err != nil {
			return p, err
		}
		p.set, p.ok = p.expression.resource()
		return p, nil
	}
	if compat == abac.CompatOGX {
		p.set = plain{text: source}
		if strings.HasSuffix(source, separator+"*") {
			p.set = plain{text: source[:len(source)-1], prefix: true}
		}
		if !strings.Contains(source, separator) {
			p.dead = "with `compat ogx` it is the whole of `<type>::<id>`, and it has no `::`"
		}
		return p, nil
	}
	text, prefix := strings.CutSuffix(source, "*")
	p.set = plain{text: text, prefix: prefix}
	return p, nil
}

func (p *resourcePattern) outline() plain {
	if p.expression == nil {
		return p.set
	}
	text, rest := p.expression.lead()
	exact := p.expression.whole && (len(rest) == 0 || len(rest) == 1 && isEnd(rest[0]))
	return plain{text: text, prefix: !exact}
}

// covers reports whether every resource of the other pattern is one of this.
// true is certain.
func (p *resourcePattern) covers(other *resourcePattern) bool {
	switch {
	case p.source == "", other.dead != "":
		return true
	case p.expression != nil && other.expression != nil && p.source == other.source &&
		(!p.expression.whole || other.expression.whole):
		return true
	}
	outline := other.outline()
	if p.ok && p.set.covers(outline) {
		return true
	}
	if p.expression == nil || outline.prefix {
		return false
	}
	kind, id, found := strings.Cut(outline.text, separator)
	if !found {
		return false
	}
	return p.engine.Decide(nil, abac.Read, abac.NewResource(kind, id, nil)).Cause == abac.ByRule
}

// worldsOfResources are those of whoever asks about a resource.
func (l *linter) worldsOfResources() []world {
	worlds := []world{{owner: ownedByNobody}, {owner: ownedByCaller}, {owner: ownedByOther}}
	if l.anybodyAnonymous() {
		worlds = append(worlds, world{anonymous: true})
	}
	return worlds
}

// isFor reports whether a rule of the principal is for everybody in the world for
// whom the other is.
func (r *resourceRule) isFor(other *resourceRule, w world) bool {
	if w.anonymous {
		return r.principal == "" || r.forbids
	}
	return r.principal == "" || r.principal == other.principal
}

// reaches reports whether there is anybody in the world for whom the rule is.
func (r *resourceRule) reaches(w world) bool {
	return !w.anonymous || r.principal == "" || r.forbids
}

// checkResourcesReached finds rules of the access policy that never decide.
func (l *linter) checkResourcesReached() {
	worlds := l.worldsOfResources()
	for i := range l.resources {
		r := &l.resources[i]
		mine := slices.DeleteFunc(slices.Clone(worlds), func(w world) bool { return !r.reaches(w) })
		switch {
		case r.pattern.dead != "": // said of the pattern
		case !l.everHolds(&r.conditions, mine):
			l.addNeverApplies(l.ofResourceRule(i), &r.conditions, mine)
		case l.addDuplicateResource(i):
		default:
			l.addShadowedResource(i, mine)
		}
	}
}

func (l *linter) addDuplicateResource(rule int) bool {
	b := &l.block.AccessPolicy[rule]
	for i := range rule {
		a := &l.block.AccessPolicy[i]
		if a.Effect == b.Effect && a.Principal == b.Principal && a.Resource == b.Resource && sameSet(a.Actions, b.Actions) &&
			sameSet(a.When, b.When) && sameSet(a.Unless, b.Unless) {
			l.add(l.ofResourceRule(rule), DuplicateRule, Warning, fmt.Sprintf("%s says the same already", l.ofResourceRule(i)),
				"take one of them out, or correct what was to be different")
			return true
		}
	}
	return false
}

// addShadowedResource reports a rule before which other rules have decided, be
// it one for some actions or callers, and another for the rest.
func (l *linter) addShadowedResource(rule int, worlds []world) {
	r := &l.resources[rule]
	var by []int
	for _, w := range worlds {
		needs, possible := l.needsOf(&r.conditions, w)
		if !possible {
			continue
		}
		some, all := decidedBefore(needs, r.actions, func(yield func(decider) bool) {
			for i := range rule {
				earlier := &l.resources[i]
				if r.actions&earlier.actions == 0 || !earlier.isFor(r, w) || !earlier.pattern.covers(&r.pattern) {
					continue
				}
				if wanted, ever := earlier.needs(w); ever && !yield(decider{i, earlier.actions, wanted}) {
					return
				}
			}
		})
		if !all {
			return
		}
		by = append(by, some...)
	}
	slices.Sort(by)
	by = slices.Compact(by)
	same := !slices.ContainsFunc(by, func(i int) bool { return l.resources[i].forbids != r.forbids })
	l.addShadowedRule(l.ofResourceRule(rule), r.forbids, same, l.names(by, l.ofResourceRule))
}
