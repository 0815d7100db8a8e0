package stackauth

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// Requirements are what every caller of a block must have: all of them.
type Requirements []abac.Requirement

// UnmarshalJSON implements json.Unmarshaler. Without requirements every caller
// may: that is said by leaving them out, and not by what is left of a template.
func (l *Requirements) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return errNoRequirements
	}
	return json.Unmarshal(b, (*[]abac.Requirement)(l))
}

var errNoRequirements = errors.New("require is empty, and would require nothing: leave it out for that")

func (l Requirements) check() error {
	if l != nil && len(l) == 0 {
		return errNoRequirements
	}
	for i, q := range l {
		if err := q.Check(); err != nil {
			return fmt.Errorf("require %d: %w", i+1, err)
		}
	}
	return nil
}
