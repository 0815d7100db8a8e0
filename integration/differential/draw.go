//go:build integration

package differential

import (
	"math/rand/v2"
	"slices"
)

// Draw draws by chance.
type Draw struct{ *rand.Rand }

// Chance is true in so many of a hundred cases.
func (d Draw) Chance(percent int) bool { return d.IntN(100) < percent }

// One returns one of the list.
func One[T any](d Draw, list []T) T { return list[d.IntN(len(list))] }

// Between returns a number from low to high.
func (d Draw) Between(low, high int) int { return low + d.IntN(high-low+1) }

// User is a caller or an owner.
type User struct {
	Principal  string              `json:"principal"`
	Tenant     string              `json:"tenant"`
	Attributes map[string][]string `json:"attributes"`
}

var (
	principals = []string{"alice", "bob", "Alice", "ünï", "svc:job/1", "github:7", "a,b", "carol smith", `"quoted"`, "*"}
	tenants    = []string{"acme", "globex", "acme-2"}

	// The two letters i of Turkish are left out everywhere: Python takes them for
	// an i where case does not count, and RE2 does not.
	values = []string{
		"admin", "user", "dev", "ops", "ml", "Admin", "not", "in", "owners", "owner", "with",
		"ä", "日本", "a,b", `"q"`, `x\y`, "*", "%41", "/", "team::red", "ſ", "\u212a", "e\u0301",
	}
	// Those that no condition of OGX can name: it reads words.
	unspeakable = []string{"", " admin", "dev ops", "a\nb", "x\u00a0y", "\t", "\u2028"}

	categories = []string{
		"roles", "teams", "projects", "namespaces", "org", "cost-center", "_private", "Roles", "scope", "region", "zone", "n0",
	}
)

// Principal returns a principal.
func (d Draw) Principal() string { return One(d, principals) }

// Tenant returns a tenant, or none.
func (d Draw) Tenant() string {
	if d.Chance(45) {
		return ""
	}
	return One(d, tenants)
}

// Category returns the name of an attribute: mostly one of the four that OGX's
// default policy knows.
func (d Draw) Category() string {
	if d.Chance(75) {
		return categories[d.IntN(4)]
	}
	return One(d, categories)
}

// Value returns a value that a condition can name: mostly one of a few.
func (d Draw) Value() string {
	if d.Chance(60) {
		return values[d.IntN(4)]
	}
	return One(d, values)
}

// User returns a caller, with up to four categories, or one with values enough
// to be looked up in another way.
func (d Draw) User() *User {
	u := &User{Principal: d.Principal(), Tenant: d.Tenant()}
	if d.Chance(10) {
		return u
	}
	u.Attributes = make(map[string][]string)
	for range d.IntN(5) {
		n := d.IntN(5)
		if d.Chance(2) {
			n = 40
		}
		list := make([]string, 0, n)
		for range n {
			if d.Chance(5) {
				list = append(list, One(d, unspeakable))
			} else {
				list = append(list, d.Value())
			}
		}
		u.Attributes[d.Category()] = list
	}
	return u
}

// Has returns a category and a value of the user's that a condition can name;
// any others if there is none.
func (d Draw) Has(u *User) (category, value string) {
	if u != nil && d.Chance(70) {
		for _, name := range categories {
			if list := u.Attributes[name]; len(list) > 0 && d.Chance(60) {
				if v := One(d, list); Speakable(v) {
					return name, v
				}
			}
		}
	}
	return d.Category(), d.Value()
}

// Speakable reports whether a condition of OGX can name the value.
func Speakable(value string) bool { return !slices.Contains(unspeakable, value) }
