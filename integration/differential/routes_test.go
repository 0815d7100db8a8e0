//go:build integration

package differential

import (
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// routeCase is a request to a route, in the form in which the oracle is asked.
type routeCase struct {
	Path  string      `json:"path"` // once decoded
	User  *User       `json:"user"` // nil: anonymous
	Rules []routeRule `json:"rules"`

	Expressions []expression `json:"expressions"` // of the rules

	// InvalidUTF8: where the path has U+FFFD, the request had a byte that is no
	// UTF-8; so OGX's server decodes it.
	InvalidUTF8 bool `json:"invalid_utf8,omitempty"`

	// Several cases ask the same policy, for it takes longer to compile than to
	// decide: it is kept here, by compat.
	compiled *[2]compiledRoutes
}

type compiledRoutes struct {
	done   bool
	policy *abac.RoutePolicy
	err    error
}

type routeRule struct {
	Permit *routeScope `json:"permit,omitempty"`
	Forbid *routeScope `json:"forbid,omitempty"`
	When   any         `json:"when,omitempty"`
	Unless any         `json:"unless,omitempty"`
}

type routeScope struct {
	Paths any `json:"paths"`
}

func (r *routeRule) scope() (scope *routeScope, forbids bool) {
	if r.Forbid != nil {
		return r.Forbid, true
	}
	return r.Permit, false
}

// The rows that routes show.
const (
	ambiguousPath Set = 1 << iota
	forbidAnyCase
	permitWholePath
	badExpression
	anonymous
	expressions
	routeOwnerCondition
)

var routeRows = []Row{
	{Bit: ambiguousPath, Name: "ambiguous-path"},
	{Bit: forbidAnyCase, Name: "forbid-any-case"},
	{Bit: permitWholePath, Name: "permit-whole-path", Compat: true},
	{Bit: badExpression, Name: "bad-expression"},
	{Bit: anonymous, Name: "anonymous"},
	{Bit: expressions, Name: "expressions"},
	{Bit: routeOwnerCondition, Name: "route-owner-condition"},
}

func TestRoutesAreDecidedAsUpstreamDoesButForTheTable(t *testing.T) {
	c := Comparison[routeCase, answer]{
		Kind:      "routes",
		Rows:      routeRows,
		NewBatch:  newRoutes,
		Upstream:  (*answer).outcome,
		Reference: referenceRoute,
		Ours:      ourRoute,
		Looser:    moreIsAllowed,
		Smaller:   smallerRoute,
	}
	c.Run(t, "../ogx/ogx.sh")
}

func boolBit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func ourPolicy(c *routeCase, compat bool) (*abac.RoutePolicy, error) {
	rules := make([]abac.RouteRule, 0, len(c.Rules))
	for i := range c.Rules {
		scope, forbids := c.Rules[i].scope()
		rule := abac.RouteRule{Effect: abac.Permit, Paths: listOf(scope.Paths)}
		if forbids {
			rule.Effect = abac.Forbid
		}
		var err error
		if rule.When, err = conditionsOf(c.Rules[i].When); err != nil {
			return nil, err
		}
		if rule.Unless, err = conditionsOf(c.Rules[i].Unless); err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return abac.NewRoutePolicy(rules, compatOf(compat))
}

func compatOf(compat bool) abac.Compat {
	if compat {
		return abac.CompatOGX
	}
	return abac.CompatNone
}

func ourRoute(c *routeCase, compat bool) (outcome, because string) {
	if c.compiled == nil {
		c.compiled = new([2]compiledRoutes)
	}
	p := &c.compiled[boolBit(compat)]
	if !p.done {
		p.policy, p.err = ourPolicy(c, compat)
		p.done = true
	}
	if p.err != nil {
		return NotLoaded, NotLoaded
	}
	path := c.Path
	if c.InvalidUTF8 {
		path = strings.ReplaceAll(path, "\ufffd", "\xff")
	}
	path, err := abac.CanonicalPath(path)
	if err != nil {
		return Ambiguous, Ambiguous
	}
	question := abac.RouteQuestion{User: ourUser(c.User), Method: "POST", Path: path}
	return outcomeOf(p.policy.Decide(question), p.policy.Explain(question))
}

func smallerRoute(c routeCase) []routeCase {
	var all []routeCase
	for _, rules := range withoutOne(c.Rules) {
		s := c
		s.Rules, s.Expressions, s.compiled = rules, []expression{}, nil
		for i := range rules {
			scope, _ := rules[i].scope()
			for _, pattern := range listOf(scope.Paths) {
				if source, found := strings.CutPrefix(pattern, "regex:"); found {
					s.Expressions = append(s.Expressions, find(c.Expressions, source))
				}
			}
		}
		all = append(all, s)
	}
	return all
}

func find(list []expression, source string) expression {
	for _, e := range list {
		if e.Source == source {
			return e
		}
	}
	panic("an expression of which nothing is known: " + source)
}
