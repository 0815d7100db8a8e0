package policylint

import "github.com/caddy-stack-auth/caddy-stack-auth/abac"

// fact is something that may be true of a caller or not, whatever else is.
type fact struct {
	shared           bool // a value of the attribute is the owner's, too; otherwise: the caller has the value
	attribute, value string
}

// literal is a fact, or that it is none.
type literal struct {
	fact
	not bool
}

func (l literal) opposite() literal { return literal{l.fact, !l.not} }

// clause holds if any of its literals does.
type clause []literal

// world is what is fixed before facts are looked at: everybody who asks is in
// one of them.
type world struct {
	anonymous bool
	owner     ownership // of the resource; of a route nobody
}

type ownership uint8

const (
	ownedByNobody ownership = iota
	ownedByCaller
	ownedByOther
)

// truth is what a world makes of a condition.
type truth uint8

const (
	depends truth = iota // on a literal
	always
	never
)

func truthOf(holds bool) truth {
	if holds {
		return always
	}
	return never
}

// reduce returns what is left of a condition in a world. It says what
// abac.compiledCondition.holds does.
func reduce(c abac.Condition, w world, ofAnonymous bool) (literal, truth) {
	if w.anonymous {
		return literal{}, truthOf(ofAnonymous || c.Op == abac.UserIsAnonymous)
	}
	owned := w.owner != ownedByNobody
	switch c.Op {
	case abac.UserWithIn, abac.UserWithNotIn:
		return literal{fact{false, c.Attribute, c.Value}, c.Op == abac.UserWithNotIn}, depends
	case abac.UserInOwners, abac.UserNotInOwners:
		if !owned {
			return literal{}, truthOf(c.Op == abac.UserNotInOwners)
		}
		return literal{fact{true, c.Attribute, ""}, c.Op == abac.UserNotInOwners}, depends
	case abac.UserIsOwner:
		return literal{}, truthOf(w.owner == ownedByCaller)
	case abac.UserIsNotOwner:
		return literal{}, truthOf(w.owner != ownedByCaller)
	case abac.ResourceIsUnowned:
		return literal{}, truthOf(!owned)
	default: // user is anonymous
		return literal{}, never
	}
}

// conditions are those of one rule.
type conditions struct {
	forbids      bool
	when, unless []abac.Condition
	unlessAll    bool // the rule does not apply only if all of unless hold
}

// needs returns what must hold for the rule to apply in a world: all of the
// clauses. false: it never does.
func (c *conditions) needs(w world) ([]clause, bool) {
	var all []clause
	for _, condition := range c.when {
		switch l, t := reduce(condition, w, c.forbids); t {
		case never:
			return nil, false
		case depends:
			all = append(all, clause{l})
		case always:
		}
	}
	var none clause // of them holds, or not all do
	open := false
	for _, condition := range c.unless {
		switch l, t := reduce(condition, w, !c.forbids); {
		case t == always && !c.unlessAll:
			return nil, false
		case t == never:
			open = true
		case t == depends && c.unlessAll:
			none = append(none, l.opposite())
		case t == depends:
			all = append(all, clause{l.opposite()})
		}
	}
	if c.unlessAll && len(c.unless) > 0 && !open {
		if none == nil {
			return nil, false
		}
		all = append(all, none)
	}
	return all, true
}

// satisfiable reports whether the clauses can all hold. false is certain; true
// is, too, if at most one of them has more than one literal.
func satisfiable(clauses []clause) bool {
	known := make(map[fact]bool, len(clauses))
	for _, c := range clauses {
		if len(c) != 1 {
			continue
		}
		if not, there := known[c[0].fact]; there && not != c[0].not {
			return false
		}
		known[c[0].fact] = c[0].not
	}
	for _, c := range clauses {
		possible := false
		for _, l := range c {
			not, there := known[l.fact]
			possible = possible || !there || not == l.not
		}
		if !possible {
			return false
		}
	}
	return true
}

// implies reports whether, wherever the first clauses hold, the others do. true
// is certain.
func implies(given, wanted []clause) bool {
	return len(without([][]clause{given}, wanted)) == 0
}

// requiredClause is what is known of everybody who passed a line of require.
func requiredClause(q abac.Requirement) clause {
	c := make(clause, 0, len(q.Values))
	for _, value := range q.Values {
		c = append(c, literal{fact{false, q.Attribute, value}, false})
	}
	return c
}
