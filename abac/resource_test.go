package abac

import "testing"

func TestResourcesAreNamedByTypeAndId(t *testing.T) {
	owner := user("alice", "acme")
	for _, tc := range []struct {
		r                Resource
		kind, id, string string
		owner            *User
	}{
		{NewResource("model", "vllm/llama", owner), "model", "vllm/llama", "model::vllm/llama", owner},
		{NewResource("model", "a::b", nil), "model", "a::b", "model::a::b", nil},
		{NewResource("sql_record::files", "1", nil), "sql_record::files", "1", "sql_record::files::1", nil},
		{NewResource("model", "", nil), "model", "", "model::", nil},
		{NewResource("model", "é\n", nil), "model", "é\n", "model::é\n", nil},
		{Resource{}, "", "", "", nil},
	} {
		if tc.r.Type() != tc.kind || tc.r.ID() != tc.id || tc.r.String() != tc.string || tc.r.Owner() != tc.owner {
			t.Errorf("%q: type %q, id %q, owner %v", tc.r, tc.r.Type(), tc.r.ID(), tc.r.Owner())
		}
	}
}

// The zero Resource and an action that is none are what a forgotten error leaves
// behind.
func TestOfNothingAndForNothingNothingIsAllowed(t *testing.T) {
	all := []Rule{{Effect: Permit, Actions: Actions}}
	everything := []Unowned{{Actions: Actions}}
	for _, rules := range [][]Rule{nil, all} {
		for _, compat := range []Compat{CompatNone, CompatOGX} {
			p := mustPolicy(t, rules, Options{Compat: compat, Unowned: everything})
			for _, action := range append([]Action{"", "Read", "list", "*"}, Actions...) {
				r := NewResource("model", "m", nil)
				if action.bit() != 0 {
					r = Resource{}
				}
				for _, d := range []Decision{p.Decide(user("u", ""), action, r), p.Explain(user("u", ""), action, r)} {
					if d.Allowed || d.Cause != Undecided || d.Rule != -1 {
						t.Errorf("%q of %q with %d rules: %+v", action, r, len(rules), d)
					}
				}
			}
		}
	}
}

func TestActionsAreFour(t *testing.T) {
	const expected = ": expected some of create, read, update, delete"
	for _, tc := range []struct {
		actions []Action
		want    string
	}{
		{Actions, ""},
		{[]Action{Read, Read}, ""},
		{nil, "expected actions: some of create, read, update, delete"},
		{[]Action{}, "expected actions: some of create, read, update, delete"},
		{[]Action{""}, `action ""` + expected},
		{[]Action{Read, "READ"}, `action "READ"` + expected},
		{[]Action{"*"}, `action "*"` + expected},
	} {
		r := Rule{Effect: Permit, Actions: tc.actions}
		checkError(t, "actions", r.Check(CompatNone), tc.want)
	}
	for _, action := range Actions {
		p := mustPolicy(t, []Rule{{Effect: Permit, Actions: []Action{action}}}, Options{})
		for _, asked := range Actions {
			if d := p.Decide(user("u", ""), asked, NewResource("model", "m", nil)); d.Allowed != (asked == action) {
				t.Errorf("%s where %s is permitted: %+v", asked, action, d)
			}
		}
	}
}
