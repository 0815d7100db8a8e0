package abac

import "fmt"

// Effect is what a rule does with what it applies to.
type Effect string

// The two effects. The zero value is neither, and an error.
const (
	Permit Effect = "permit"
	Forbid Effect = "forbid"
)

func (e Effect) check() error {
	if e != Permit && e != Forbid {
		return fmt.Errorf("effect %q: expected %s or %s", string(e), Permit, Forbid)
	}
	return nil
}
