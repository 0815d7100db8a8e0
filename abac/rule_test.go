package abac

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestRulesThatCouldNotBeMeantAreErrors(t *testing.T) {
	is := []Condition{{Op: UserInOwners, Attribute: "teams"}}
	for _, tc := range []struct {
		name string
		rule Rule
		want string // empty: none
	}{
		{"all of it", Rule{Permit, "alice", Actions, "model::*", is, is, "why"}, ""},
		{"the least", Rule{Effect: Forbid, Actions: []Action{Delete}}, ""},
		{"no effect", Rule{Actions: Actions}, `effect "": expected permit or forbid`},
		{"no actions", Rule{Effect: Permit}, "expected actions: some of create, read, update, delete"},
		{"an action that is none", Rule{Effect: Permit, Actions: []Action{"list"}}, `action "list": expected some of create, read, update, delete`},
		{"a principal that nobody has", Rule{Effect: Permit, Principal: " alice", Actions: Actions}, `principal " alice": principal begins or ends with a blank`},
		{"a principal with a line break", Rule{Effect: Permit, Principal: "a\nb", Actions: Actions}, `principal "a\nb": principal has the unprintable character U+000A`},
		{"a resource without a type", Rule{Effect: Permit, Actions: Actions, Resource: "llama"}, `resource "llama": expected <type>::<id>, <type>::<prefix>* or regex:<expression>; leave it out for all`},
		{"an empty when", Rule{Effect: Permit, Actions: Actions, When: []Condition{}}, "when is empty: leave it out"},
		{"an empty unless", Rule{Effect: Permit, Actions: Actions, Unless: []Condition{}}, "unless is empty: leave it out"},
		{"a long description", Rule{Effect: Permit, Actions: Actions, Description: strings.Repeat("d", 257)}, "description has 257 bytes, more than 256"},
	} {
		for _, compat := range []Compat{CompatNone, CompatOGX} {
			want := tc.want
			if tc.name == "a resource without a type" && compat == CompatOGX {
				want = ""
			}
			checkError(t, tc.name, tc.rule.Check(compat), want)
			if want != "" {
				want = "rule 2: " + want
			}
			_, err := NewPolicy([]Rule{{Effect: Permit, Actions: Actions}, tc.rule}, Options{Compat: compat})
			checkError(t, tc.name, err, want)
		}
	}
}

func TestRulesSurviveJSON(t *testing.T) {
	checkJSON(t, Rule{Effect: Permit, Actions: []Action{Read}}, `{"effect":"permit","actions":["read"]}`)
	checkJSON(t, Rule{
		Effect: Forbid, Principal: "alice", Actions: Actions, Resource: "model::llama-*", When: []Condition{{Op: UserIsOwner}},
		Unless: []Condition{{Op: ResourceIsUnowned}}, Description: "why",
	}, `{"effect":"forbid","principal":"alice","actions":["create","read","update","delete"],"resource":"model::llama-*",`+
		`"when":[{"op":"user_is_owner"}],"unless":[{"op":"resource_is_unowned"}],"description":"why"}`)
}

// What a template left empty must not make a rule for everybody, or about
// everything.
func TestRulesWithEmptyMembersInJSONAreErrors(t *testing.T) {
	const empty = "principal or resource is empty: leave it out for all"
	for text, want := range map[string]string{
		`{"effect":"permit","actions":["read"],"principal":""}`:         empty,
		`{"effect":"permit","actions":["read"],"principal": "" }`:       empty,
		`{"effect":"permit","actions":["read"],"principal":null}`:       "principal is null: give it a value, or leave it out",
		`{"effect":"permit","actions":["read"],"resource":""}`:          empty,
		`{"effect":"permit","actions":["read"],"resource":null}`:        "resource is null: give it a value, or leave it out",
		`{"effect":"permit","actions":[]}`:                              "expected actions: some of create, read, update, delete",
		`{"effect":"permit","actions":null}`:                            "actions is null: give it a value, or leave it out",
		`{"effect":"permit"}`:                                           "expected actions: some of create, read, update, delete",
		`{"effect":"permit","actions":[""]}`:                            `action "": expected some of create, read, update, delete`,
		`{"effect":"permit","actions":["read"],"when":[]}`:              "when is empty: leave it out",
		`{"effect":"permit","actions":["read"],"unless":[]}`:            "unless is empty: leave it out",
		`{"actions":["read"]}`:                                          `effect "": expected permit or forbid`,
		`{"effect":"permit","actions":["read"],"principal":"alice"}`:    "",
		`{"effect":"forbid","actions":["read"],"resource":"model::\n"}`: "", // an id may be that
	} {
		var r Rule
		err := json.Unmarshal([]byte(text), &r)
		if err == nil {
			err = r.Check(CompatNone)
		}
		checkError(t, text, err, want)
	}
	for _, text := range []string{`{"principal":7}`, `{"resource":["model::*"]}`, `{"principal":{}}`} {
		var r Rule
		if err := json.Unmarshal([]byte(text), &r); err == nil {
			t.Errorf("%s is %+v", text, r)
		}
	}
}

// What is forbidden to somebody is forbidden to whoever does not say who they
// are, and what is permitted to somebody is not permitted to them.
func TestPrincipalsAreComparedByteForByte(t *testing.T) {
	for _, tc := range []struct {
		name           string
		u              *User
		permit, forbid bool
	}{
		{"the same", user("alice", ""), true, true},
		{"in another tenant", user("alice", "other"), true, true},
		{"in another case", user("Alice", ""), false, false},
		{"somebody else", user("bob", "", Attribute{"roles", []string{"alice"}}), false, false},
		{"a longer one", user("alice2", ""), false, false},
		{"nobody", nil, false, true},
		{"without a principal", user("", ""), false, true},
	} {
		for effect, want := range map[Effect]bool{Permit: tc.permit, Forbid: tc.forbid} {
			for _, compat := range []Compat{CompatNone, CompatOGX} {
				p := mustPolicy(t, []Rule{{Effect: effect, Principal: "alice", Actions: Actions}}, Options{Compat: compat})
				d := p.Decide(tc.u, Read, NewResource("model", "m", nil))
				if applied := d.Cause == ByRule; applied != want || d.Allowed != (applied && effect == Permit) {
					t.Errorf("%s: %s (compat %q): %+v, want it to apply: %t", tc.name, effect, compat, d, want)
				}
			}
		}
	}
}
