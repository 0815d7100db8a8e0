package abac

import "fmt"

// Action is what is done with a resource.
type Action string

// The actions.
const (
	Create Action = "create"
	Read   Action = "read"
	Update Action = "update"
	Delete Action = "delete"
)

// Actions are all actions.
var Actions = []Action{Create, Read, Update, Delete}

// actionSet is a set of actions.
type actionSet uint8

func (a Action) bit() actionSet {
	switch a {
	case Create:
		return 1
	case Read:
		return 2
	case Update:
		return 4
	case Delete:
		return 8
	}
	return 0
}

func parseActions(list []Action) (actionSet, error) {
	var set actionSet
	for _, a := range list {
		bit := a.bit()
		if bit == 0 {
			return 0, fmt.Errorf("action %q: expected some of create, read, update, delete", string(a))
		}
		set |= bit
	}
	return set, nil
}

// Resource is something of a stack that callers use: a model, a file, a vector
// store, a response. It is made by NewResource; of the zero Resource no policy
// allows anything.
type Resource struct {
	name  string // type::id
	kind  int    // the length of the type
	owner *User
}

// NewResource returns the resource of a type, such as model, with the id, which
// is compared byte for byte. The owner is who made it, with the attributes and
// the tenant of that time; nil if nobody owns it.
func NewResource(kind, id string, owner *User) Resource {
	return Resource{name: kind + separator + id, kind: len(kind), owner: owner}
}

const separator = "::"

// Type returns the type, such as model.
func (r Resource) Type() string { return r.name[:r.kind] }

// ID returns the id.
func (r Resource) ID() string {
	if r.name == "" {
		return ""
	}
	return r.name[r.kind+len(separator):]
}

// Owner returns the owner, nil if there is none.
func (r Resource) Owner() *User { return r.owner }

// String returns `type::id`, as rules name it.
func (r Resource) String() string { return r.name }
