package abac

import (
	"fmt"
	"strconv"
)

// RoutePolicy is an ordered list of route rules, of which the first that applies
// decides. It is made by NewRoutePolicy, and safe for concurrent use. Without
// rules it allows everything; with rules and none that applies, nothing.
type RoutePolicy struct {
	rules []RouteRule
	names []string // made once: every decision that a rule makes is noted by it
	list  []compiledRoute
	keys  []ruleKey
	slots slots
	made  bool // the zero RoutePolicy is what a forgotten error leaves behind
}

// NewRoutePolicy compiles the rules. An error names the rule by its number.
func NewRoutePolicy(rules []RouteRule, compat Compat) (*RoutePolicy, error) {
	if err := compat.Check(); err != nil {
		return nil, err
	}
	p := &RoutePolicy{rules: rules, list: make([]compiledRoute, 0, len(rules)), made: true}
	for i := range rules {
		c, err := compileRouteRule(&rules[i], compat, &p.slots)
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		p.list = append(p.list, c)
		p.names = append(p.names, nameOf(rules[i].Effect, i, rules[i].Description))
		p.keys = append(p.keys, routeKeys(i, &c)...)
	}
	return p, nil
}

// RouteQuestion is a request to a route.
type RouteQuestion struct {
	// User is who asks; nil is somebody anonymous.
	User *User

	// Method is the HTTP method.
	Method string

	// Path is the canonical path (see CanonicalPath).
	Path string

	// Request is what guards are asked about.
	Request any
}

// Decide decides. It allocates nothing but what guards and expressions do.
func (p *RoutePolicy) Decide(q RouteQuestion) Decision {
	if len(p.list) == 0 || len(q.Path) > maxKeyed || !isASCII(q.Path) {
		return p.decide(&q, nil) // keys are about bytes
	}
	path, method := routePath{q.Path, true}, countedMethod(q.Method)
	var who asker
	who.seat(q.User, p.slots)
	asked := -1
	for i := 0; ; i++ {
		if i = nextKey(p.keys, i, q.Path, uint8(method), &who); i == len(p.keys) {
			return Decision{Cause: NoRuleApplied, Rule: -1}
		}
		if p.keys[i].rule == asked {
			continue
		}
		asked = p.keys[i].rule
		rule := &p.list[asked]
		if step, err := rule.whyNot(&who, &q, path, method); step.Reason == Applies || err != nil {
			return rule.decision(asked, err)
		}
	}
}

// Explain decides, and says of each rule why it did or did not.
func (p *RoutePolicy) Explain(q RouteQuestion) Decision {
	steps := make([]Step, 0, len(p.list))
	d := p.decide(&q, &steps)
	d.Steps = steps
	return d
}

// decide asks every rule itself, one after the other.
func (p *RoutePolicy) decide(q *RouteQuestion, steps *[]Step) Decision {
	switch {
	case !p.made:
		return Decision{Rule: -1}
	case len(p.list) == 0:
		return Decision{Allowed: true, Cause: NoRules, Rule: -1}
	}
	path, method := routePath{q.Path, isASCII(q.Path)}, countedMethod(q.Method)
	var who asker
	who.seat(q.User, p.slots)
	for i := range p.list {
		step, err := p.list[i].whyNot(&who, q, path, method)
		if steps != nil {
			*steps = append(*steps, step)
		}
		if step.Reason == Applies || err != nil {
			return p.list[i].decision(i, err)
		}
	}
	return Decision{Cause: NoRuleApplied, Rule: -1}
}

// Len returns the number of rules.
func (p *RoutePolicy) Len() int { return len(p.rules) }

// Name returns the description of a rule, or else its effect and number.
func (p *RoutePolicy) Name(rule int) string { return p.names[rule] }

// Why says a step of the rule in words.
func (p *RoutePolicy) Why(rule int, s Step) string {
	return s.explain(p.rules[rule].When, p.rules[rule].Unless)
}

func nameOf(effect Effect, index int, description string) string {
	if description != "" {
		return description
	}
	return string(effect) + " " + strconv.Itoa(index+1)
}
