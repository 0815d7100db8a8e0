package abac

import "slices"

// maxSlots is how many attributes a policy looks up once for all its rules. The
// others, if it is about more, are looked up each time.
const maxSlots = 8

// slots number the attributes that the conditions of a policy are about.
type slots []string

// of returns the slot of the attribute, given if it is new; maxSlots for those
// that get none.
func (s *slots) of(attribute string) uint8 {
	i := slices.Index(*s, attribute)
	if i < 0 {
		if i = len(*s); i < maxSlots {
			*s = append(*s, attribute)
		}
	}
	return uint8(min(i, maxSlots))
}

// asker is who asks, with the places of the attributes of a policy's slots.
type asker struct {
	user   *User // nil: somebody anonymous
	places [maxSlots]int

	// marks are the marks of the values of each: a value whose mark is not among
	// them is not there, and most are told from that. The last is of all that have
	// no slot: anything may be there.
	marks [maxSlots + 1]uint64
}

const anyMark = ^uint64(0)

// markOf returns one bit of 64, by the length and the ends of the value.
func markOf(value string) uint64 {
	if value == "" {
		return 1
	}
	return 1 << ((len(value)*11 + int(value[0])*3 + int(value[len(value)-1])) & 63)
}

// seat looks up the attributes of the slots.
func (a *asker) seat(u *User, s slots) {
	a.marks[maxSlots] = anyMark
	if u.isNobody() {
		for i := range a.marks {
			a.marks[i] = anyMark
		}
		return
	}
	a.user = u
	for i, name := range s {
		place := u.Attributes.index(name)
		if a.places[i] = place; place < 0 {
			continue
		}
		if u.Attributes.sorted[place] != nil {
			a.marks[i] = anyMark // too many to mark for each request
			continue
		}
		for _, v := range u.Attributes.list[place].Values {
			a.marks[i] |= markOf(v)
		}
	}
}

// has reports whether the user, who is somebody, has the value that the
// condition is about.
func (a *asker) has(c *compiledCondition) bool {
	if a.marks[c.slot]&c.mark == 0 {
		return false
	}
	var i int
	if c.slot < maxSlots {
		i = a.places[c.slot]
	} else {
		i = a.user.Attributes.index(c.attribute)
	}
	return i >= 0 && a.user.Attributes.hasAt(i, c.value)
}
