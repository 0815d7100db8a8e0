package abac

import (
	"fmt"
	"testing"
)

// A policy about more attributes than it has slots, asked by callers with few
// and with many values of each, and values of the same mark.
func TestEveryAttributeIsLookedUpWithAndWithoutASlot(t *testing.T) {
	var rules []RouteRule
	for i := range 2 * maxSlots {
		rules = append(rules, RouteRule{Effect: Permit, When: []Condition{{UserWithIn, "wanted", fmt.Sprint("a", i)}}})
	}
	p := mustRoutes(t, rules, CompatNone)
	if len(p.slots) != maxSlots {
		t.Fatalf("%d slots", len(p.slots))
	}
	for i := range 2 * maxSlots {
		name := fmt.Sprint("a", i)
		for values, want := range map[string]bool{
			"": false, "wanted": true, "waaaed": false, "Wanted": false, "wanted ": false, "d": false,
		} {
			if values == "waaaed" && markOf(values) != markOf("wanted") {
				t.Fatal("the marks differ, so the values are told by them")
			}
			for _, list := range [][]string{{values}, {"x", values}, append(numbered("group-", 50), values)} {
				d := p.Decide(RouteQuestion{User: user("u", "", Attribute{name, list}, Attribute{"other", []string{"wanted"}}), Path: "/"})
				if d.Allowed != want || want && d.Rule != i {
					t.Errorf("%s in %s of %d: %+v", values, name, len(list), d)
				}
			}
		}
	}
	if d := p.Decide(RouteQuestion{User: user("u", ""), Path: "/"}); d.Allowed {
		t.Errorf("without attributes: %+v", d)
	}
}

// The names of attributes that only owners are asked for take no slot away.
func TestSlotsAreForWhatTheCallerIsAskedFor(t *testing.T) {
	p := mustPolicy(t, []Rule{
		{Effect: Permit, Actions: Actions, When: []Condition{{Op: UserInOwners, Attribute: "teams"}, {Op: UserIsOwner}}},
		{Effect: Permit, Actions: Actions, When: []Condition{{UserWithNotIn, "a", "roles"}}, Unless: []Condition{{UserWithIn, "a", "projects"}}},
	}, Options{})
	if len(p.slots) != 2 || p.slots[0] != "roles" || p.slots[1] != "projects" {
		t.Errorf("slots are %v", p.slots)
	}
}

// The bit of an empty value is as good as any other; none would say that every
// caller may have it.
func TestEveryValueHasExactlyOneMark(t *testing.T) {
	for _, value := range append(numbered("v", 300), "", "é", "\xff", "a") {
		if mark := markOf(value); mark == 0 || mark&(mark-1) != 0 {
			t.Errorf("%q: %b", value, mark)
		}
	}
	p := mustRoutes(t, []RouteRule{{Effect: Permit, When: []Condition{{UserWithIn, "a", "roles"}}}}, CompatNone)
	if d := p.Decide(RouteQuestion{User: user("u", "", Attribute{"roles", []string{""}}), Path: "/"}); d.Allowed {
		t.Errorf("%+v", d)
	}
}
