package abac

import (
	"fmt"
	"slices"
)

// Requirement is one line of `require`: the caller has the attribute, and at
// least one of the values is among its values. Several requirements are joined
// by AND.
type Requirement struct {
	// The attribute that the caller must have, such as roles.
	Attribute string `json:"attribute"`

	// The values of which at least one must be among the caller's. Compared
	// byte for byte.
	Values []string `json:"values"`
}

// Check returns an error if the requirement could never be meant as it is
// written: a bad attribute name, no value, or an empty one.
func (q Requirement) Check() error {
	if err := CheckAttributeName(q.Attribute); err != nil {
		return err
	}
	if len(q.Values) == 0 {
		return fmt.Errorf("attribute %q: expected at least one value", q.Attribute)
	}
	if slices.Contains(q.Values, "") {
		return fmt.Errorf("attribute %q: a value is empty", q.Attribute)
	}
	return nil
}

// Holds reports whether the user meets the requirement. Nobody (nil, or an
// anonymous caller) never does.
func (q Requirement) Holds(u *User) bool {
	if u.isNobody() {
		return false
	}
	for _, wanted := range q.Values {
		if u.Attributes.Has(q.Attribute, wanted) {
			return true
		}
	}
	return false
}
