package ogximport

import (
	"slices"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// routeRule is a rule of route_policy, with what it was before it was changed.
type routeRule struct {
	rule
	patterns    []routePattern
	conditional bool
	never       bool
}

// importRoutes reads route_policy. A policy that is there refuses what no rule
// is about, and must not become one that is not there.
func (im *importer) importRoutes(v value) {
	if !v.isList() {
		im.refuse(v, "expected a list of rules")
		im.routes.line("forbid")
		return
	}
	if len(v.items()) == 0 {
		im.publishRoutes(nil)
		return
	}
	var rules []routeRule
	for _, item := range v.items() {
		rules = append(rules, im.routeRule(item))
	}
	im.publishRoutes(rules)
	if im.routes.String() != "" {
		im.note(v, "leaves no way to %s for callers whom OGX does not know, and OGX knows nobody there, whatever they show: "+
			"the first rule forbids it to everybody", "/v1/health or /v1/version")
	}
	permits, forbids := false, false
	for i := range rules {
		r := &rules[i]
		if im.writeRoute(r) {
			permits = permits || r.effect == abac.Permit
			forbids = forbids || r.effect == abac.Forbid
		}
	}
	if !permits && im.routes.String() == "" {
		im.routes.line("forbid")
		im.note(v, "permits nothing: everything is forbidden")
	}
	if forbids {
		im.note(v, "forbids paths in any case, here: OGX answers 404 to other cases, except in names of models, files and the like")
	}
}

func (im *importer) routeRule(v value) (r routeRule) {
	r.rule = im.rule(v)
	r.conditional = r.isConditional()
	if r.effect != "" {
		im.routeScope(&r)
	}
	r.never = im.fold(&r.when, &r.unless)
	return r
}

func (im *importer) routeScope(r *routeRule) {
	before := len(im.refusals)
	scope, ok := im.mapping(r.scope)
	if !ok {
		r.refused = true
		return
	}
	paths, there := scope.get("paths")
	if !there || paths.isNull() || paths.isMapping() {
		im.refuse(r.scope, "expected paths: OGX does not start without")
		r.refused = true
		return
	}
	items := []value{paths}
	if paths.isList() {
		items = paths.items()
	}
	for _, item := range items {
		text, ok := im.knownPath(item)
		if !ok {
			r.refused = true
			continue
		}
		p := im.routePattern(item, text, r.effect)
		r.refused = r.refused || p.refused
		r.patterns = append(r.patterns, p)
	}
	im.describedInside(scope, &r.rule)
	im.unknown(scope, string(r.effect))
	r.refused = r.refused || len(im.refusals) > before
}

// knownPath is known for a path, which may be empty.
func (im *importer) knownPath(v value) (string, bool) {
	if n := v.target(); !v.isList() && !v.isMapping() && n.Value == "" && scalarKind(n) == kindText {
		return "", true
	}
	return im.known(v)
}

// writeRoute writes a rule, and reports whether it did.
func (im *importer) writeRoute(r *routeRule) bool {
	if r.refused {
		if r.effect == abac.Permit {
			return false
		}
		if slices.ContainsFunc(r.patterns, func(p routePattern) bool { return p.refused }) || r.effect == "" || len(r.patterns) == 0 {
			r.patterns = []routePattern{{token: "*"}}
		}
		r.widen()
	} else if r.never {
		return false
	}
	var tokens []string
	for _, p := range r.patterns {
		if p.token != "" && !slices.Contains(tokens, p.token) {
			tokens = append(tokens, p.token)
		}
	}
	if len(tokens) == 0 {
		if !r.refused {
			im.note(r.scope, "matches no path that there is: the rule is left out")
		}
		return false
	}
	r.write(&im.routes, tokens, nil)
	return true
}

// openRoutes are the routes that OGX answers without credentials, since October
// 2025.
var openRoutes = []string{"/v1/health", "/v1/version"}

// publishRoutes makes the open routes public that the rules let pass. There
// OGX knows nobody, not even somebody with a good token, so that rules with a
// condition are passed over.
func (im *importer) publishRoutes(rules []routeRule) {
	if im.age.first { // they were not, then
		return
	}
	var closed []string
	for _, route := range openRoutes {
		if allowsNobody(rules, route) {
			im.public = append(im.public, route)
		} else {
			closed = append(closed, route)
		}
	}
	if len(closed) == 0 {
		return
	}
	// In front of all others. Only GET is open in OGX, and there is no other.
	r := rule{effect: abac.Forbid, description: "OGX knows nobody here, and no rule permits it to nobody"}
	r.write(&im.routes, closed, nil)
}

// allowsNobody decides a route as OGX does where it knows nobody.
func allowsNobody(rules []routeRule, route string) bool {
	if len(rules) == 0 {
		return true
	}
	for i := range rules {
		r := &rules[i]
		if r.conditional {
			continue
		}
		if r.refused && r.effect != abac.Permit {
			return false // it may be about this one
		}
		if slices.ContainsFunc(r.patterns, func(p routePattern) bool { return p.matches != nil && p.matches(route) }) {
			return r.effect == abac.Permit
		}
	}
	return false
}
