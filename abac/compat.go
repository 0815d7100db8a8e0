package abac

import "fmt"

// Compat says whose reading of a policy holds where ours and upstream's differ.
type Compat string

const (
	// CompatNone is our own reading: a permit reads narrowly, a forbid widely.
	CompatNone Compat = ""

	// CompatOGX reads as Llama Stack (OGX) does, for policies that come from
	// there: an expression in a permit matches from its start and not the whole,
	// `type::prefix*` is a literal id, a resource rule with several `unless` does
	// not apply only if all of them hold, the default policy takes any one of
	// roles, teams, projects and namespaces for shared, whoever has no tenant
	// reaches what tenants own, and anybody does anything with what nobody owns.
	CompatOGX Compat = "ogx"
)

// Check returns an error unless c is one of the above.
func (c Compat) Check() error {
	if c != CompatNone && c != CompatOGX {
		return fmt.Errorf("compat %q: expected %s", string(c), CompatOGX)
	}
	return nil
}
