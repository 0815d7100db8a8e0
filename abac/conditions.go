package abac

import "fmt"

func checkConditions(kind string, list []Condition) error {
	if list != nil && len(list) == 0 {
		return fmt.Errorf("%s is empty: leave it out", kind)
	}
	for _, c := range list {
		if err := c.Check(); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// conditions are the `when` and `unless` of one rule.
type conditions struct {
	forbids bool
	// unlessAll: the rule does not apply only if all of `unless` hold, as
	// upstream has it for resources; otherwise if any does.
	unlessAll bool

	when   []compiledCondition
	unless []compiledCondition
}

// compiledCondition is a condition whose operator is a number: comparing texts
// would take longer than all the rest.
type compiledCondition struct {
	op        opcode
	slot      uint8 // of the attribute, for what is asked of the caller alone
	mark      uint64
	value     string
	attribute string
}

type opcode uint8

const (
	opWithIn opcode = iota
	opWithNotIn
	opInOwners
	opNotInOwners
	opIsOwner
	opIsNotOwner
	opIsAnonymous
	opIsUnowned
)

var opcodes = map[Operator]opcode{
	UserWithIn:        opWithIn,
	UserWithNotIn:     opWithNotIn,
	UserInOwners:      opInOwners,
	UserNotInOwners:   opNotInOwners,
	UserIsOwner:       opIsOwner,
	UserIsNotOwner:    opIsNotOwner,
	UserIsAnonymous:   opIsAnonymous,
	ResourceIsUnowned: opIsUnowned,
}

func (s *slots) compileConditions(effect Effect, when, unless []Condition, unlessAll bool) conditions {
	return conditions{
		forbids: effect == Forbid, unlessAll: unlessAll,
		when: s.compileList(when), unless: s.compileList(unless),
	}
}

func (s *slots) compileList(list []Condition) []compiledCondition {
	compiled := make([]compiledCondition, 0, len(list))
	for _, c := range list {
		slot := uint8(maxSlots)
		if c.Op == UserWithIn || c.Op == UserWithNotIn {
			slot = s.of(c.Attribute)
		}
		compiled = append(compiled, compiledCondition{opcodes[c.Op], slot, markOf(c.Value), c.Value, c.Attribute})
	}
	return compiled
}

// whyNot returns why the rule does not apply to the user, or that it does. A nil
// user is anonymous: every condition but `user is anonymous` counts against it,
// so that being nobody never gets anybody further than a credential would.
func (c *conditions) whyNot(a *asker, r *Resource) Step {
	for i := range c.when {
		if !c.when[i].holds(a, r, c.forbids) {
			return Step{Reason: WhenDoesNotHold, Condition: i}
		}
	}
	held := 0
	for i := range c.unless {
		if !c.unless[i].holds(a, r, !c.forbids) {
			continue
		}
		if held++; !c.unlessAll || held == len(c.unless) {
			return Step{Reason: UnlessHolds, Condition: i}
		}
	}
	return Step{Reason: Applies}
}

// holds reports whether the condition is true of the user and the resource,
// which is nil for a route; of somebody anonymous, whether it counts as true.
func (c *compiledCondition) holds(a *asker, r *Resource, ofAnonymous bool) bool {
	if a.user == nil {
		return ofAnonymous || c.op == opIsAnonymous
	}
	switch c.op {
	case opWithIn:
		return a.has(c)
	case opWithNotIn:
		return !a.has(c)
	case opIsAnonymous:
		return false
	default:
		return c.holdsOf(a.user, r) // a route has no owner, and no condition about one
	}
}

func (c *compiledCondition) holdsOf(u *User, r *Resource) bool {
	switch c.op {
	case opInOwners:
		return r.owner != nil && u.Attributes.share(&r.owner.Attributes, c.attribute)
	case opNotInOwners:
		return r.owner == nil || !u.Attributes.share(&r.owner.Attributes, c.attribute)
	case opIsOwner:
		return r.owner != nil && r.owner.Principal == u.Principal
	case opIsNotOwner:
		return r.owner == nil || r.owner.Principal != u.Principal
	default: // opIsUnowned
		return r.owner == nil
	}
}
