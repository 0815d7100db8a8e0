package abac

import (
	"fmt"
	"slices"
)

// OwnerMatch says who, by default, shares a resource with its owner.
type OwnerMatch string

const (
	// OwnerMatchAll: whoever has, of every attribute that the owner had, at least
	// one value in common, and one of these attributes is another than roles: a
	// role that everybody holds must not make everybody a co-owner. This is the
	// default.
	OwnerMatchAll OwnerMatch = "all"

	// OwnerMatchAny: whoever has a value of one attribute other than roles in
	// common with the owner.
	OwnerMatchAny OwnerMatch = "any"
)

const roles = "roles"

// upstreamCategories are the only attributes that upstream's default policy is
// about.
var upstreamCategories = []string{roles, "teams", "projects", "namespaces"}

// Check returns an error unless m is one of the above, or empty for the default.
func (m OwnerMatch) Check() error {
	if m != "" && m != OwnerMatchAll && m != OwnerMatchAny {
		return fmt.Errorf("owner_match %q: expected %s or %s", string(m), OwnerMatchAll, OwnerMatchAny)
	}
	return nil
}

// shares reports whether the user shares what the owner owns. Without attributes
// an owner shares with nobody.
func (m OwnerMatch) shares(u, owner *User, compat Compat) bool {
	if compat == CompatOGX {
		return slices.ContainsFunc(upstreamCategories, func(name string) bool {
			return u.Attributes.share(&owner.Attributes, name)
		})
	}
	distinctive := false
	for i := range owner.Attributes.list {
		name := owner.Attributes.list[i].Name
		common := u.Attributes.share(&owner.Attributes, name)
		switch {
		case m == OwnerMatchAny && common && name != roles:
			return true
		case m != OwnerMatchAny && !common:
			return false
		}
		distinctive = distinctive || name != roles
	}
	return m != OwnerMatchAny && distinctive
}
