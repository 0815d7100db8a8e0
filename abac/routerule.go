package abac

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// RouteRule permits or forbids routes. The first rule that applies decides.
type RouteRule struct {
	// permit or forbid.
	Effect Effect `json:"effect"`

	// Which paths: exact, with a trailing `*` for a prefix, `*` for all, or
	// `regex:` and an RE2 expression, which in a permit matches the whole path
	// and in a forbid from its start. A forbid matches in any case. Default: all.
	Paths []string `json:"paths,omitempty"`

	// Which methods: GET, POST, PUT, PATCH, DELETE, OPTIONS. HEAD, and what opens
	// a WebSocket, count as GET. Default: all.
	Methods []string `json:"methods,omitempty"`

	// The rule applies only if all of these hold.
	When []Condition `json:"when,omitempty"`

	// The rule does not apply if any of these holds.
	Unless []Condition `json:"unless,omitempty"`

	// What the rule is for, in logs and placeholders. Default: its effect and
	// number.
	Description string `json:"description,omitempty"`

	// Guard is asked last whether the rule applies to the request; nil for yes.
	// An error denies the request, whatever the rule would do.
	Guard Guard `json:"-"`
}

// Guard reports whether a rule with the effect applies to the request, which is
// whatever the caller of the policy has for one.
type Guard func(request any, effect Effect) (bool, error)

// Check returns an error if the rule could not be meant as it is written.
func (r *RouteRule) Check() error {
	_, err := compileRouteRule(r, CompatNone, new(slots))
	return err
}

// compiledRoute is a rule in the form in which it is evaluated.
type compiledRoute struct {
	conditions
	effect   Effect
	patterns []routePattern // nil: every path
	methods  methodSet
	guard    Guard
}

func compileRouteRule(r *RouteRule, compat Compat, s *slots) (compiledRoute, error) {
	c := compiledRoute{effect: r.Effect, conditions: s.compileConditions(r.Effect, r.When, r.Unless, false), guard: r.Guard}
	if err := r.Effect.check(); err != nil {
		return c, err
	}
	if r.Paths != nil && len(r.Paths) == 0 {
		return c, errors.New("paths is empty: leave it out for all")
	}
	for _, text := range r.Paths {
		p, err := parseRoutePattern(text, r.Effect, compat)
		if err != nil {
			return c, err
		}
		c.patterns = append(c.patterns, p)
	}
	var err error
	if c.methods, err = parseMethods(r.Methods); err != nil {
		return c, err
	}
	if r.Methods != nil && len(r.Methods) == 0 {
		return c, errors.New("methods is empty: leave it out for all")
	}
	if err := checkRouteConditions("when", r.When); err != nil {
		return c, err
	}
	if err := checkRouteConditions("unless", r.Unless); err != nil {
		return c, err
	}
	return c, checkDescription(r.Description)
}

func checkRouteConditions(kind string, list []Condition) error {
	for _, condition := range list {
		if condition.AboutOwners() {
			return fmt.Errorf("%s: condition %q is about owners, and a route has none", kind, condition)
		}
	}
	return checkConditions(kind, list)
}

const maxDescription = 256

// checkDescription refuses what could end a line of a log or a header.
func checkDescription(text string) error {
	if len(text) > maxDescription {
		return fmt.Errorf("description has %d bytes, more than %d", len(text), maxDescription)
	}
	if strings.ContainsFunc(text, unicode.IsControl) || strings.TrimSpace(text) != text {
		return fmt.Errorf("description %q has a control character, or a blank at its edge", text)
	}
	return nil
}

func (c *compiledRoute) whyNot(a *asker, q *RouteQuestion, path routePath, method methodSet) (Step, error) {
	if c.methods != 0 && c.methods&method == 0 {
		return Step{Reason: OtherMethod}, nil
	}
	if c.patterns != nil && !c.matchesPath(path) {
		return Step{Reason: OtherPath}, nil
	}
	step := c.conditions.whyNot(a, nil)
	if step.Reason != Applies || c.guard == nil {
		return step, nil
	}
	matched, err := c.guard(q.Request, c.effect)
	switch {
	case err != nil:
		return Step{Reason: CannotTell}, err
	case !matched:
		return Step{Reason: OtherRequest}, nil
	}
	return step, nil
}

// decision is that of the rule, which applies or, with an error, failed.
func (c *compiledRoute) decision(index int, err error) Decision {
	if err != nil {
		return Decision{Cause: RuleFailed, Rule: index, Err: err}
	}
	return Decision{Allowed: !c.forbids, Cause: ByRule, Rule: index}
}

func (c *compiledRoute) matchesPath(path routePath) bool {
	for i := range c.patterns {
		if c.patterns[i].matches(path) {
			return true
		}
	}
	return false
}
