//go:build integration

package differential

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// answer is what the oracle says of a case.
type answer struct {
	Refused string `json:"refused"` // why OGX does not load the rules
	Allowed bool   `json:"allowed"`
	Matches []int  `json:"matches"` // of the expressions of the case, in their order
}

func (a *answer) outcome() string {
	switch {
	case a.Refused != "":
		return NotLoaded
	case a.Allowed:
		return Allowed
	}
	return Denied
}

// outcomeOf returns our outcome, and on what it rests. What explains a decision
// goes another way than what makes it, and has to come to the same.
func outcomeOf(decided, explained abac.Decision) (outcome, because string) {
	if decided.Allowed != explained.Allowed || decided.Cause != explained.Cause || decided.Rule != explained.Rule {
		return "decided one way and explained another", ""
	}
	outcome, because = Denied, decided.Cause.String()
	if decided.Allowed {
		outcome = Allowed
	}
	if decided.Cause == abac.ByRule {
		because = "a later rule"
		if decided.Rule == 0 {
			because = "the first rule"
		}
	}
	return outcome, because
}

func moreIsAllowed(ours, upstream string) bool { return ours == Allowed && upstream != Allowed }

// oneOrMany is written as OGX's files have it: a list, or one by itself.
func oneOrMany(d Draw, list []string) any {
	switch {
	case len(list) == 0:
		return nil
	case len(list) == 1 && d.Chance(50):
		return list[0]
	}
	return list
}

// listOf returns what oneOrMany was given, also after a round through JSON.
func listOf(v any) []string {
	switch v := v.(type) {
	case nil:
	case string:
		return []string{v}
	case []string:
		return v
	case []any:
		list := make([]string, 0, len(v))
		for _, element := range v {
			list = append(list, element.(string))
		}
		return list
	default:
		panic(fmt.Sprintf("neither one nor many: %#v", v))
	}
	return nil
}

// Condition makes a condition that has to do with the user.
func (d Draw) Condition(u *User, ofOwners bool) string {
	if ofOwners {
		return One(d, []string{
			"user is owner", "user is not owner", "resource is unowned",
			"user in owners " + d.Category(), "user in owners " + d.Category(), "user not in owners " + d.Category(),
		})
	}
	category, value := d.Has(u)
	if d.Chance(25) {
		return "user with " + value + " not in " + category
	}
	return "user with " + value + " in " + category
}

// Conditions makes the `when` and `unless` of a rule, of which it has one at
// most.
func (d Draw) Conditions(u *User, percentOfOwners int) (when, unless any) {
	kind := d.IntN(100)
	if kind < 35 {
		return nil, nil
	}
	list := make([]string, 0, 3)
	for range One(d, []int{1, 1, 1, 2, 2, 3}) {
		list = append(list, d.Condition(u, d.Chance(percentOfOwners)))
	}
	if kind < 70 {
		return oneOrMany(d, list), nil
	}
	return nil, oneOrMany(d, list)
}

// conditionsOf gives the conditions to our parser, word by word, as a Caddyfile
// does.
func conditionsOf(written any) ([]abac.Condition, error) {
	if written == nil {
		return nil, nil
	}
	list := []abac.Condition{}
	for _, text := range listOf(written) {
		c, err := abac.ParseCondition(strings.Fields(text))
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

func ourUser(u *User) *abac.User {
	if u == nil {
		return nil
	}
	list := make([]abac.Attribute, 0, len(u.Attributes))
	for name, values := range u.Attributes {
		list = append(list, abac.Attribute{Name: name, Values: values})
	}
	user, err := abac.NewUser(u.Principal, u.Tenant, abac.NewAttributes(list...))
	if err != nil {
		panic("a user that cannot be: " + err.Error())
	}
	return user
}

// holds is OGX's reading of a condition, of a user that is there.
func holds(condition string, u, owner *User) bool {
	words := strings.Split(condition, " ")
	share := func(category string) bool {
		return owner != nil && slices.ContainsFunc(owner.Attributes[category], func(v string) bool {
			return slices.Contains(u.Attributes[category], v)
		})
	}
	switch {
	case len(words) == 5 && words[1] == "with" && words[3] == "in":
		return slices.Contains(u.Attributes[words[4]], words[2])
	case len(words) == 6 && words[1] == "with":
		return !slices.Contains(u.Attributes[words[5]], words[2])
	case len(words) == 4 && words[1] == "in":
		return share(words[3])
	case len(words) == 5 && words[1] == "not":
		return !share(words[4])
	case condition == "user is owner":
		return owner != nil && owner.Principal == u.Principal
	case condition == "user is not owner":
		return owner == nil || owner.Principal != u.Principal
	case condition == "resource is unowned":
		return owner == nil
	}
	panic("a condition that cannot be: " + condition)
}

// withoutOne returns copies of the list, each without one element.
func withoutOne[T any](list []T) [][]T {
	var all [][]T
	for i := range list {
		all = append(all, slices.Delete(slices.Clone(list), i, i+1))
	}
	return all
}
