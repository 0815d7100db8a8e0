package abac

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf16"
)

// maxAttributeName is the longest attribute name, in bytes.
const maxAttributeName = 64

// Attribute is one category of what is known about a caller, such as roles,
// with its values in the order in which the judge gave them.
type Attribute struct {
	Name   string
	Values []string
}

// Attributes is an immutable set of attributes, sorted by name. Its zero value
// is the empty set.
type Attributes struct {
	list []Attribute
	json string

	// sorted are the indexes of the values of each in the order of their bytes;
	// nil for the few that are sooner looked through. A set would be as fast, and
	// take more memory than the values.
	sorted [][]uint32
}

// few is the number of values up to which they are looked through.
const few = 16

// NewAttributes returns the set of the given attributes. Values of one name
// are joined in the order given, repeated values are dropped, and a name
// without values is left out. The values are copied: two attributes that came
// from one claim share nothing (upstream lets them leak into each other).
func NewAttributes(list ...Attribute) Attributes {
	var a Attributes
	// Sorted first, and stably: inserting each at its place would take the square
	// of their number, which a judge may have chosen.
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(x, y Attribute) int { return strings.Compare(x.Name, y.Name) })
	for _, given := range list {
		if len(given.Values) == 0 {
			continue
		}
		if n := len(a.list); n == 0 || a.list[n-1].Name != given.Name {
			a.list = append(a.list, Attribute{Name: given.Name})
		}
		last := &a.list[len(a.list)-1]
		last.Values = append(last.Values, given.Values...)
	}
	a.list = slices.Clip(a.list)
	a.sorted = make([][]uint32, len(a.list))
	for i := range a.list {
		a.list[i].Values = distinct(a.list[i].Values)
		a.sorted[i] = sortedIndexes(a.list[i].Values)
	}
	a.json = string(appendJSON(nil, a.list))
	return a
}

// distinct drops repeated values in place and keeps the order. A map is only
// worth its memory for the long lists of callers with many groups.
func distinct(values []string) []string {
	kept := values[:0]
	if len(values) <= few {
		for _, v := range values {
			if !slices.Contains(kept, v) {
				kept = append(kept, v)
			}
		}
		return slices.Clip(kept)
	}
	seen := make(map[string]struct{}, len(values))
	for _, v := range values {
		if _, again := seen[v]; !again {
			seen[v] = struct{}{}
			kept = append(kept, v)
		}
	}
	return slices.Clip(kept)
}

func sortedIndexes(values []string) []uint32 {
	if len(values) <= few {
		return nil
	}
	indexes := make([]uint32, len(values))
	for i := range indexes {
		indexes[i] = uint32(i)
	}
	slices.SortFunc(indexes, func(x, y uint32) int { return strings.Compare(values[x], values[y]) })
	return indexes
}

// Values returns the values of the named attribute, nil without any. The
// slice must not be changed.
func (a Attributes) Values(name string) []string {
	if i := a.index(name); i >= 0 {
		return a.list[i].Values
	}
	return nil
}

func (a *Attributes) index(name string) int {
	for i := range a.list {
		if a.list[i].Name == name {
			return i
		}
	}
	return -1
}

// Has reports whether value is among the values of the named attribute.
func (a Attributes) Has(name, value string) bool {
	i := a.index(name)
	return i >= 0 && a.hasAt(i, value)
}

func (a *Attributes) hasAt(i int, value string) bool {
	values, sorted := a.list[i].Values, a.sorted[i]
	if sorted == nil {
		return slices.Contains(values, value)
	}
	_, there := slices.BinarySearchFunc(sorted, value, func(index uint32, want string) int {
		return strings.Compare(values[index], want)
	})
	return there
}

// share reports whether a value of the named attribute is in both sets. The
// values of the one that has fewer are looked for in the other.
func (a *Attributes) share(other *Attributes, name string) bool {
	i, j := a.index(name), other.index(name)
	if i < 0 || j < 0 {
		return false
	}
	if len(a.list[i].Values) < len(other.list[j].Values) {
		a, i, other, j = other, j, a, i
	}
	for _, v := range other.list[j].Values {
		if a.hasAt(i, v) {
			return true
		}
	}
	return false
}

// All yields every attribute, sorted by name.
func (a Attributes) All() iter.Seq[Attribute] {
	return slices.Values(a.list)
}

// JSON returns the set as a JSON object of lists of strings, `{}` without
// any. It is ASCII throughout, so that it survives every hop of an HTTP
// header unchanged, and it was made once, with the set.
func (a Attributes) JSON() string {
	if a.json == "" {
		return "{}"
	}
	return a.json
}

// CheckAttributeName returns an error unless name may name an attribute:
// [A-Za-z_][A-Za-z0-9_-]{0,63}, and not "id", which is the placeholder of the
// principal.
func CheckAttributeName(name string) error {
	if name == "" || len(name) > maxAttributeName {
		return fmt.Errorf("attribute name %q: expected 1 to %d characters", name, maxAttributeName)
	}
	if name == "id" {
		return fmt.Errorf("attribute name %q is taken: it names the principal", name)
	}
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return fmt.Errorf("attribute name %q: expected letters, digits, _ and -, beginning with a letter or _", name)
		}
	}
	return nil
}

func appendJSON(b []byte, list []Attribute) []byte {
	b = append(b, '{')
	for i, attribute := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, attribute.Name)
		b = append(b, ':')
		b = AppendList(b, attribute.Values)
	}
	return append(b, '}')
}

// AppendList appends the values to b as a JSON list of strings in ASCII.
func AppendList(b []byte, values []string) []byte {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, v)
	}
	return append(b, ']')
}

// appendString appends s as a JSON string in ASCII: encoding/json leaves
// everything beyond ASCII and DEL as it is, and a header with either is read
// differently from server to server.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case ' ' <= c && c < 0x7f:
			b = append(b, byte(c))
		case c > 0xffff:
			high, low := utf16.EncodeRune(c)
			b = appendEscape(appendEscape(b, high), low)
		default:
			b = appendEscape(b, c)
		}
	}
	return append(b, '"')
}

func appendEscape(b []byte, c rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[c>>12&0xf], hex[c>>8&0xf], hex[c>>4&0xf], hex[c&0xf])
}
