package abac

import "fmt"

// Options are how a policy is read.
type Options struct {
	// Compat says whose reading holds where ours and upstream's differ.
	Compat Compat

	// OwnerMatch is of the default policy. Empty: OwnerMatchAll.
	OwnerMatch OwnerMatch

	// Unowned is of the default policy. nil: models may be read. With CompatOGX
	// it is about anonymous callers alone: everybody else does anything with what
	// nobody owns.
	Unowned []Unowned
}

// Policy decides about resources. It is made by NewPolicy, and safe for
// concurrent use.
//
// Before any rule, a resource whose owner has a tenant is out of reach of every
// caller whose tenant is another, or who has none. Then the first rule that
// applies decides, and where none does, nobody may. A policy without rules is
// the default policy: the owner may, and whoever shares the owner's attributes
// (see OwnerMatch); what nobody owns is as Options.Unowned says; and everybody
// who is somebody may create.
type Policy struct {
	rules   []Rule
	list    []compiledRule
	keys    []ruleKey // one for each
	options Options
	unowned unownedActions
	slots   slots
	made    bool // the zero Policy is what a forgotten error leaves behind
}

// NewPolicy compiles the rules. An error names the rule by its number.
func NewPolicy(rules []Rule, o Options) (*Policy, error) {
	if err := o.Compat.Check(); err != nil {
		return nil, err
	}
	if err := o.OwnerMatch.Check(); err != nil {
		return nil, err
	}
	if o.Unowned == nil {
		o.Unowned = defaultUnowned
	}
	p := &Policy{rules: rules, list: make([]compiledRule, 0, len(rules)), options: o, made: true}
	var err error
	if p.unowned, err = compileUnowned(o.Unowned); err != nil {
		return nil, err
	}
	for i := range rules {
		c, err := compileRule(&rules[i], o.Compat, &p.slots)
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		p.list = append(p.list, c)
		p.keys = append(p.keys, resourceKey(i, &c))
	}
	return p, nil
}

// Decide decides whether the user, nil for somebody anonymous, may do the action
// with the resource. It allocates nothing but what expressions do.
func (p *Policy) Decide(u *User, a Action, r Resource) Decision {
	if u.isNobody() {
		u = nil
	}
	if d := p.beforeRules(u, a.bit(), &r); d.Cause != NoRuleApplied {
		return d
	}
	var who asker
	who.seat(u, p.slots)
	for i := 0; ; i++ {
		if i = nextKey(p.keys, i, r.name, uint8(a.bit()), &who); i == len(p.keys) {
			return Decision{Cause: NoRuleApplied, Rule: -1}
		}
		if rule := &p.list[i]; rule.whyNot(&who, a.bit(), &r).Reason == Applies {
			return rule.decision(i)
		}
	}
}

// Explain decides, and says of each rule why it did or did not apply. It asks
// every rule itself.
func (p *Policy) Explain(u *User, a Action, r Resource) Decision {
	if u.isNobody() {
		u = nil
	}
	d := p.beforeRules(u, a.bit(), &r)
	if d.Cause != NoRuleApplied {
		return d
	}
	var who asker
	who.seat(u, p.slots)
	steps := make([]Step, 0, len(p.list))
	for i := range p.list {
		step := p.list[i].whyNot(&who, a.bit(), &r)
		steps = append(steps, step)
		if step.Reason == Applies {
			d = p.list[i].decision(i)
			break
		}
	}
	d.Steps = steps
	return d
}

// beforeRules decides what is not for rules, or says that none applied yet.
func (p *Policy) beforeRules(u *User, action actionSet, r *Resource) Decision {
	switch {
	case !p.made || action == 0 || r.name == "" || len(r.name) > maxKeyed:
		return Decision{Rule: -1}
	case p.acrossTenants(u, r):
		return Decision{Cause: OtherTenant, Rule: -1}
	case len(p.list) == 0:
		return p.byDefault(u, action, r)
	}
	return Decision{Cause: NoRuleApplied, Rule: -1}
}

// acrossTenants reports whether the resource belongs to a tenant that is not the
// user's.
func (p *Policy) acrossTenants(u *User, r *Resource) bool {
	if r.owner == nil || r.owner.Tenant == "" {
		return false
	}
	if u == nil || u.Tenant == "" {
		return p.options.Compat != CompatOGX || u == nil
	}
	return u.Tenant != r.owner.Tenant
}

// byDefault is the policy that holds where there are no rules.
func (p *Policy) byDefault(u *User, action actionSet, r *Resource) Decision {
	upstream := p.options.Compat == CompatOGX
	because := func(allowed bool, yes, no Cause) Decision {
		if allowed {
			return Decision{Allowed: true, Cause: yes, Rule: -1}
		}
		return Decision{Cause: no, Rule: -1}
	}
	switch {
	case action == Create.bit() && (!upstream || u == nil):
		return because(u != nil, ByCreating, CreatingAnonymously)
	case r.owner == nil:
		return because(upstream && u != nil || p.unowned.allow(r.Type(), action), ByNobody, OwnedByNobody)
	case u == nil:
		return because(false, BySharing, NothingShared)
	case u.Principal == r.owner.Principal:
		return because(true, ByOwner, NothingShared)
	}
	return because(p.options.OwnerMatch.shares(u, r.owner, p.options.Compat), BySharing, NothingShared)
}

// Len returns the number of rules.
func (p *Policy) Len() int { return len(p.rules) }

// Name returns the description of a rule, or else its effect and number.
func (p *Policy) Name(rule int) string {
	return nameOf(p.rules[rule].Effect, rule, p.rules[rule].Description)
}

// Why says a step of the rule in words.
func (p *Policy) Why(rule int, s Step) string {
	return s.explain(p.rules[rule].When, p.rules[rule].Unless)
}
