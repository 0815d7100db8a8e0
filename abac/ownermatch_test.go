package abac

import "testing"

func TestOwnerMatchIsAllOrAny(t *testing.T) {
	for match, want := range map[OwnerMatch]string{
		"": "", OwnerMatchAll: "", OwnerMatchAny: "",
		"All":  `owner_match "All": expected all or any`,
		"none": `owner_match "none": expected all or any`,
	} {
		checkError(t, string(match), match.Check(), want)
		_, err := NewPolicy(nil, Options{OwnerMatch: match})
		checkError(t, string(match), err, want)
	}
}

func TestWhoSharesWithAnOwner(t *testing.T) {
	with := func(list ...Attribute) *User { return user("bob", "", list...) }
	attribute := func(name string, values ...string) Attribute { return Attribute{name, values} }
	red, blue := attribute("teams", "red"), attribute("teams", "blue")
	dev, stack := attribute("roles", "dev"), attribute("projects", "stack")
	for _, tc := range []struct {
		name          string
		u, owner      *User
		all, any, ogx bool
	}{
		{"nothing and nothing", with(), with(), false, false, false},
		{"an owner without attributes", with(red, dev), with(), false, false, false},
		{"an owner with an empty category", with(red), with(attribute("teams")), false, false, false},
		{"a caller without attributes", with(), with(red), false, false, false},
		{"a caller with an empty category", with(attribute("teams")), with(red), false, false, false},
		{"the same team", with(red), with(red), true, true, true},
		{"another team", with(blue), with(red), false, false, false},
		{"one of two teams", with(attribute("teams", "x", "red")), with(attribute("teams", "red", "y")), true, true, true},
		{"a team in another case", with(attribute("teams", "Red")), with(red), false, false, false},
		{"a role alone", with(dev), with(dev), false, false, true},
		{"a role alone of two", with(dev, blue), with(dev), false, false, true},
		{"a role, and another team", with(dev, blue), with(dev, red), false, false, true},
		{"a team, and another role", with(attribute("roles", "ops"), red), with(dev, red), false, true, true},
		{"a team, and no role", with(red), with(dev, red), false, true, true},
		{"a role and a team", with(dev, red), with(dev, red), true, true, true},
		{"a role and a team, and more", with(dev, red, stack), with(dev, red), true, true, true},
		{"a team, and a project too few", with(red), with(red, stack), false, true, true},
		{"a team, and an empty project", with(red), with(red, attribute("projects")), true, true, true},
		{"the value in another category", with(attribute("projects", "red")), with(red), false, false, false},
		{"a namespace", with(attribute("namespaces", "ns")), with(attribute("namespaces", "ns")), true, true, true},
		{"a category that upstream does not know", with(attribute("region", "eu")), with(attribute("region", "eu")), true, true, false},
		{"roles in capitals are no roles", with(attribute("Roles", "dev")), with(attribute("Roles", "dev")), true, true, false},
		{"nobody", nil, with(red), false, false, false},
	} {
		resource := NewResource("file", "f", tc.owner)
		tc.owner.Principal = "alice"
		for _, want := range []struct {
			o       Options
			allowed bool
		}{
			{Options{}, tc.all},
			{Options{OwnerMatch: OwnerMatchAll}, tc.all},
			{Options{OwnerMatch: OwnerMatchAny}, tc.any},
			{Options{Compat: CompatOGX}, tc.ogx},
			{Options{Compat: CompatOGX, OwnerMatch: OwnerMatchAll}, tc.ogx},
		} {
			for _, action := range []Action{Read, Update, Delete} {
				cause := NothingShared
				if want.allowed {
					cause = BySharing
				}
				if d := mustPolicy(t, nil, want.o).Decide(tc.u, action, resource); d.Allowed != want.allowed || d.Cause != cause || d.Rule != -1 {
					t.Errorf("%s: %s with %+v: %+v, want %t", tc.name, action, want.o, d, want.allowed)
				}
			}
		}
	}
}

// Long lists are looked up in the one of the two that is sorted.
func TestManyGroupsAreSharedAsFewAre(t *testing.T) {
	few, many := []string{"x", "group-99"}, numbered("group-", 100)
	other := append(numbered("other-", 100), "group-3")
	for _, tc := range []struct {
		a, b []string
		want bool
	}{
		{few, many, true},
		{few[:1], many, false},
		{other, many, true},
		{other[:100], many, false},
		{other, few, false},
	} {
		for _, pair := range [][2][]string{{tc.a, tc.b}, {tc.b, tc.a}} {
			u, owner := user("bob", "", Attribute{"teams", pair[0]}), user("alice", "", Attribute{"teams", pair[1]})
			if got := mustPolicy(t, nil, Options{}).Decide(u, Read, NewResource("file", "f", owner)).Allowed; got != tc.want {
				t.Errorf("%d and %d groups: %t, want %t", len(pair[0]), len(pair[1]), got, tc.want)
			}
		}
	}
}
