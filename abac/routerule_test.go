package abac

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestRouteRulesThatCouldNotBeMeantAreErrors(t *testing.T) {
	is := []Condition{{UserWithIn, "a", "roles"}}
	for _, tc := range []struct {
		name string
		rule RouteRule
		want string // empty: none
	}{
		{"all of it", RouteRule{Effect: Permit, Paths: []string{"/a", "/b*", "*", "regex:/c"}, Methods: []string{"GET"}, When: is, Unless: is, Description: "why, é"}, ""},
		{"the least", RouteRule{Effect: Forbid}, ""},
		{"no effect", RouteRule{}, `effect "": expected permit or forbid`},
		{"no paths", RouteRule{Effect: Permit, Paths: []string{}}, "paths is empty: leave it out for all"},
		{"an empty path", RouteRule{Effect: Permit, Paths: []string{"/a", ""}}, `path pattern "": expected a leading slash, or a single *`},
		{"no leading slash", RouteRule{Effect: Forbid, Paths: []string{"v1"}}, `path pattern "v1": expected a leading slash, or a single *`},
		{"an empty expression", RouteRule{Effect: Forbid, Paths: []string{"regex:"}}, "expression is empty"},
		{"an expression in capitals", RouteRule{Effect: Forbid, Paths: []string{"REGEX:/a"}}, `path pattern "REGEX:/a": expected a leading slash, or a single *`},
		{"no methods", RouteRule{Effect: Permit, Methods: []string{}}, "methods is empty: leave it out for all"},
		{"an owner", RouteRule{Effect: Permit, When: []Condition{{Op: UserIsOwner}}}, `when: condition "user is owner" is about owners, and a route has none`},
		{"no owner", RouteRule{Effect: Permit, Unless: []Condition{is[0], {Op: ResourceIsUnowned}}}, `unless: condition "resource is unowned" is about owners, and a route has none`},
		{"the attributes of owners", RouteRule{Effect: Forbid, When: []Condition{{Op: UserNotInOwners, Attribute: "teams"}}}, `when: condition "user not in owners teams" is about owners, and a route has none`},
		{"a long description", RouteRule{Effect: Permit, Description: strings.Repeat("d", 256)}, ""},
		{"a longer description", RouteRule{Effect: Permit, Description: strings.Repeat("d", 257)}, "description has 257 bytes, more than 256"},
		{"a line break in the description", RouteRule{Effect: Permit, Description: "a\r\nX-Admin: 1"}, `description "a\r\nX-Admin: 1" has a control character, or a blank at its edge`},
		{"a blank at the edge of the description", RouteRule{Effect: Permit, Description: "a "}, `description "a " has a control character, or a blank at its edge`},
		{"a description of DEL", RouteRule{Effect: Permit, Description: "a\x7f"}, `description "a\x7f" has a control character, or a blank at its edge`},
	} {
		checkError(t, tc.name, tc.rule.Check(), tc.want)
		want := tc.want
		if want != "" {
			want = "rule 2: " + want
		}
		_, err := NewRoutePolicy([]RouteRule{{Effect: Permit}, tc.rule}, CompatOGX)
		checkError(t, tc.name, err, want)
	}
}

func TestRouteRulesSurviveJSON(t *testing.T) {
	checkJSON(t, RouteRule{Effect: Permit}, `{"effect":"permit"}`)
	checkJSON(t, RouteRule{
		Effect: Forbid, Paths: []string{"/v1/a*", "regex:/b"}, Methods: []string{"GET"}, When: []Condition{{UserWithIn, "a b", "roles"}},
		Unless: []Condition{{Op: UserIsAnonymous}}, Description: "why", Guard: func(any, Effect) (bool, error) { return false, nil },
	}, `{"effect":"forbid","paths":["/v1/a*","regex:/b"],"methods":["GET"],"when":[{"op":"user_with_in","value":"a b","attribute":"roles"}],`+
		`"unless":[{"op":"user_is_anonymous"}],"description":"why"}`)
}

// What a template left empty must not make a rule about everything.
func TestRouteRulesWithEmptyListsInJSONAreErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{"effect":"permit","paths":[]}`:   "paths is empty: leave it out for all",
		`{"effect":"permit","paths":[""]}`: `path pattern "": expected a leading slash, or a single *`,
		`{"effect":"permit","methods":[]}`: "methods is empty: leave it out for all",
		`{"effect":"permit","when":[]}`:    "when is empty: leave it out",
		`{"effect":"permit","when":[{}]}`:  `when: condition "": expected an operator such as user_with_in`,
		`{"effect":"forbid","unless":[]}`:  "unless is empty: leave it out",
		`{"paths":["/a"]}`:                 `effect "": expected permit or forbid`,
		`{"effect":""}`:                    `effect "": expected permit or forbid`,
	} {
		var r RouteRule
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		checkError(t, text, r.Check(), want)
	}
}

// A guard is Caddy's matchers: asked last, with the request and the effect, and
// what it cannot tell denies, in a permit and in a forbid.
func TestGuardsAreAskedLastAndTheirErrorsDeny(t *testing.T) {
	broken := errors.New("matcher is broken")
	type answer struct {
		matched bool
		err     error
	}
	for _, tc := range []struct {
		name    string
		effect  Effect
		answer  answer
		path    string
		u       *User
		want    Decision
		asked   bool
		reasons []Reason
	}{
		{"matches", Permit, answer{true, nil}, "/a", user("u", ""), Decision{Allowed: true, Cause: ByRule, Rule: 0}, true, []Reason{Applies}},
		{"matches, of a forbid", Forbid, answer{true, nil}, "/a", user("u", ""), Decision{Cause: ByRule, Rule: 0}, true, []Reason{Applies}},
		{"does not match", Permit, answer{false, nil}, "/a", user("u", ""), Decision{Allowed: true, Cause: ByRule, Rule: 1}, true, []Reason{OtherRequest, Applies}},
		{"does not match, of a forbid", Forbid, answer{false, nil}, "/a", user("u", ""), Decision{Allowed: true, Cause: ByRule, Rule: 1}, true, []Reason{OtherRequest, Applies}},
		{"fails", Permit, answer{false, broken}, "/a", user("u", ""), Decision{Cause: RuleFailed, Rule: 0, Err: broken}, true, []Reason{CannotTell}},
		{"fails, of a forbid", Forbid, answer{false, broken}, "/a", user("u", ""), Decision{Cause: RuleFailed, Rule: 0, Err: broken}, true, []Reason{CannotTell}},
		{"fails and says that it matches", Permit, answer{true, broken}, "/a", user("u", ""), Decision{Cause: RuleFailed, Rule: 0, Err: broken}, true, []Reason{CannotTell}},
		{"would fail on another path", Permit, answer{false, broken}, "/b", user("u", ""), Decision{Allowed: true, Cause: ByRule, Rule: 1}, false, []Reason{OtherPath, Applies}},
		{"would fail for somebody else", Permit, answer{false, broken}, "/a", user("u", "", Attribute{"roles", []string{"guest"}}), Decision{Allowed: true, Cause: ByRule, Rule: 1}, false, []Reason{UnlessHolds, Applies}},
	} {
		asked := false
		guard := func(request any, effect Effect) (bool, error) {
			asked = true
			if request != "the request" || effect != tc.effect {
				t.Errorf("%s: asked about %v and %s", tc.name, request, effect)
			}
			return tc.answer.matched, tc.answer.err
		}
		rule := RouteRule{Effect: tc.effect, Paths: []string{"/a"}, Unless: []Condition{{UserWithIn, "guest", "roles"}}, Guard: guard}
		p := mustRoutes(t, []RouteRule{rule, {Effect: Permit}}, CompatNone)
		q := RouteQuestion{User: tc.u, Method: "GET", Path: tc.path, Request: "the request"}
		got, explained := p.Decide(q), p.Explain(q)
		if got.Allowed != tc.want.Allowed || got.Cause != tc.want.Cause || got.Rule != tc.want.Rule || !errors.Is(got.Err, tc.want.Err) || asked != tc.asked {
			t.Errorf("%s: %+v, asked: %t; want %+v", tc.name, got, asked, tc.want)
		}
		var reasons []Reason
		for _, step := range explained.Steps {
			reasons = append(reasons, step.Reason)
		}
		if explained.Allowed != got.Allowed || explained.Cause != got.Cause || !errors.Is(explained.Err, tc.want.Err) || !slices.Equal(reasons, tc.reasons) {
			t.Errorf("%s: explained %+v", tc.name, explained)
		}
	}
}
