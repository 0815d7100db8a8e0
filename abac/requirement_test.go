package abac

import "testing"

func TestRequirementsHoldForCallersWithOneOfTheValues(t *testing.T) {
	user, err := NewUser("alice", "", NewAttributes(
		Attribute{"roles", []string{"developer", "reader"}},
		Attribute{"teams", []string{"ml"}},
	))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		q    Requirement
		u    *User
		want bool
	}{
		{"one of two", Requirement{"roles", []string{"admin", "reader"}}, user, true},
		{"none", Requirement{"roles", []string{"admin"}}, user, false},
		{"value of another attribute", Requirement{"roles", []string{"ml"}}, user, false},
		{"attribute that the caller lacks", Requirement{"projects", []string{"ml"}}, user, false},
		{"value in another case", Requirement{"roles", []string{"Reader"}}, user, false},
		{"part of a value", Requirement{"roles", []string{"read"}}, user, false},
		{"principal is not an attribute", Requirement{"roles", []string{"alice"}}, user, false},
		{"nobody", Requirement{"roles", []string{"reader"}}, nil, false},
		{"anonymous", Requirement{"roles", []string{"reader"}}, &User{}, false},
		{"without a principal", Requirement{"roles", []string{"reader"}}, &User{Attributes: user.Attributes}, false},
		// An empty list of values can be met by nobody, and not by everybody.
		{"no values", Requirement{"roles", nil}, user, false},
	} {
		if got := tc.q.Holds(tc.u); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}

func TestRequirementsThatCouldNotBeMeantAreErrors(t *testing.T) {
	for _, tc := range []struct {
		q    Requirement
		want string // empty: none
	}{
		{Requirement{"roles", []string{"a"}}, ""},
		{Requirement{"roles", nil}, `attribute "roles": expected at least one value`},
		{Requirement{"roles", []string{"a", ""}}, `attribute "roles": a value is empty`},
		{Requirement{"id", []string{"a"}}, `attribute name "id" is taken: it names the principal`},
		{Requirement{"", []string{"a"}}, `attribute name "": expected 1 to 64 characters`},
	} {
		err := tc.q.Check()
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || err.Error() != tc.want) {
			t.Errorf("%v: error %v, want %q", tc.q, err, tc.want)
		}
	}
}

// Rules are evaluated for every request.
func TestHoldsAllocatesNothing(t *testing.T) {
	user := &User{Principal: "alice", Attributes: NewAttributes(Attribute{"roles", []string{"a", "b"}})}
	q := Requirement{"roles", []string{"x", "b"}}
	if n := testing.AllocsPerRun(100, func() { q.Holds(user) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
