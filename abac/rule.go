package abac

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Rule permits or forbids actions on resources. The first rule that applies
// decides.
type Rule struct {
	// permit or forbid.
	Effect Effect `json:"effect"`

	// Whom the rule is for. Default: everybody.
	Principal Given `json:"principal,omitempty"`

	// Which actions: create, read, update, delete. Required.
	Actions []Action `json:"actions"`

	// Which resources: `<type>::<id>`, `<type>::<prefix>*`, or `regex:` and an
	// RE2 expression, which in a permit matches the whole of `type::id` and in a
	// forbid from its start. Default: all.
	Resource Given `json:"resource,omitempty"`

	// The rule applies only if all of these hold.
	When []Condition `json:"when,omitempty"`

	// The rule does not apply if any of these holds.
	Unless []Condition `json:"unless,omitempty"`

	// What the rule is for, in logs and placeholders. Default: its effect and
	// number.
	Description string `json:"description,omitempty"`
}

// Given is a text that narrows a rule where it is there. In JSON it is never
// empty: what a template left empty must not make a rule for everybody.
type Given string

// UnmarshalJSON implements json.Unmarshaler.
func (g *Given) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, (*string)(g)); err != nil {
		return err
	}
	if *g == "" { // or null
		return errors.New("principal or resource is empty: leave it out for all")
	}
	return nil
}

// Check returns an error if the rule could not be meant as it is written.
func (r *Rule) Check(compat Compat) error {
	_, err := compileRule(r, compat, new(slots))
	return err
}

// compiledRule is a rule in the form in which it is evaluated.
type compiledRule struct {
	conditions
	principal string // empty: everybody
	actions   actionSet
	all       bool // resources
	resource  resourcePattern
}

func compileRule(r *Rule, compat Compat, s *slots) (compiledRule, error) {
	c := compiledRule{
		conditions: s.compileConditions(r.Effect, r.When, r.Unless, compat == CompatOGX),
		principal:  string(r.Principal),
		all:        r.Resource == "",
	}
	if err := r.Effect.check(); err != nil {
		return c, err
	}
	var err error
	if c.actions, err = parseActions(r.Actions); err != nil {
		return c, err
	}
	if c.actions == 0 {
		return c, errNoActions
	}
	if r.Principal != "" {
		if err := checkPrincipal(string(r.Principal)); err != nil {
			return c, fmt.Errorf("principal %q: %w", r.Principal, err)
		}
	}
	if !c.all {
		if c.resource, err = parseResourcePattern(string(r.Resource), r.Effect, compat); err != nil {
			return c, err
		}
	}
	if err := checkConditions("when", r.When); err != nil {
		return c, err
	}
	if err := checkConditions("unless", r.Unless); err != nil {
		return c, err
	}
	return c, checkDescription(r.Description)
}

// whyNot returns why the rule does not apply, or that it does.
func (c *compiledRule) whyNot(a *asker, action actionSet, r *Resource) Step {
	switch {
	case c.actions&action == 0:
		return Step{Reason: OtherAction}
	case c.principal != "" && !c.isFor(a.user):
		return Step{Reason: OtherPrincipal}
	case !c.all && !c.resource.matches(r):
		return Step{Reason: OtherResource}
	}
	return c.conditions.whyNot(a, r)
}

// decision is that of the rule, which applies.
func (c *compiledRule) decision(index int) Decision {
	return Decision{Allowed: !c.forbids, Cause: ByRule, Rule: index}
}

// isFor reports whether the rule is for the user. What is forbidden to somebody
// is forbidden to callers who do not say who they are.
func (c *compiledRule) isFor(u *User) bool {
	if u == nil {
		return c.forbids
	}
	return u.Principal == c.principal
}
