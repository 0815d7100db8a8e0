package abac

import (
	"errors"
	"fmt"
	"slices"
)

// Unowned says what anyone may do with resources that nobody owns.
type Unowned struct {
	// Which actions: create, read, update, delete. Empty: none.
	Actions []Action `json:"actions,omitempty"`

	// Of which types of resources. Default: all that no other entry names.
	Types []string `json:"types,omitempty"`
}

// defaultUnowned lets everybody use the models that the stack's own
// configuration has, and nothing else that has no owner: it may be somebody's
// whom the gateway has not seen making it.
var defaultUnowned = []Unowned{{Actions: []Action{Read}, Types: []string{"model"}}}

// unownedActions are the actions by type.
type unownedActions struct {
	byType map[string]actionSet
	others actionSet
}

func compileUnowned(list []Unowned) (unownedActions, error) {
	c := unownedActions{byType: make(map[string]actionSet)}
	for _, entry := range list {
		set, err := parseActions(entry.Actions)
		if err != nil {
			return c, fmt.Errorf("unowned: %w", err)
		}
		if entry.Types != nil && len(entry.Types) == 0 {
			return c, errors.New("unowned: types is empty: leave it out for all")
		}
		if slices.Contains(entry.Types, "") {
			return c, errors.New("unowned: a type is empty")
		}
		if len(entry.Types) == 0 {
			c.others |= set
		}
		for _, name := range entry.Types {
			c.byType[name] |= set
		}
	}
	return c, nil
}

func (c *unownedActions) allow(kind string, action actionSet) bool {
	set, named := c.byType[kind]
	if !named {
		set = c.others
	}
	return set&action != 0
}
