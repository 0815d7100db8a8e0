package abac

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestWhatNobodyOwnsIsAsUnownedSays(t *testing.T) {
	for _, tc := range []struct {
		name    string
		unowned []Unowned
		allowed map[string][]Action // by type
	}{
		{"by default models are read", nil, map[string][]Action{"model": {Read}, "file": nil}},
		{"nothing", []Unowned{}, map[string][]Action{"model": nil, "file": nil}},
		{"none", []Unowned{{}}, map[string][]Action{"model": nil, "file": nil}},
		{"of all types", []Unowned{{Actions: []Action{Read, Delete}}}, map[string][]Action{"model": {Read, Delete}, "file": {Read, Delete}}},
		{
			"of one type, and of the others",
			[]Unowned{{Actions: []Action{Update}, Types: []string{"model"}}, {Actions: []Action{Read}}},
			map[string][]Action{"model": {Update}, "file": {Read}},
		},
		{
			"none of one type",
			[]Unowned{{Types: []string{"model"}}, {Actions: []Action{Read}}},
			map[string][]Action{"model": nil, "file": {Read}},
		},
		{
			"of two types, in two entries",
			[]Unowned{{Actions: []Action{Read}, Types: []string{"model", "file"}}, {Actions: []Action{Delete}, Types: []string{"file"}}},
			map[string][]Action{"model": {Read}, "file": {Read, Delete}, "prompt": nil, "Model": nil},
		},
		{"creating, of which everybody may who is somebody", []Unowned{{Actions: []Action{Create}}}, map[string][]Action{"model": nil}},
	} {
		p := mustPolicy(t, nil, Options{Unowned: tc.unowned})
		for kind, actions := range tc.allowed {
			for _, action := range []Action{Read, Update, Delete} {
				want, cause := false, OwnedByNobody
				for _, a := range actions {
					if a == action {
						want, cause = true, ByNobody
					}
				}
				for _, u := range []*User{user("u", ""), user("u", "acme"), nil} {
					if d := p.Decide(u, action, NewResource(kind, "x", nil)); d.Allowed != want || d.Cause != cause || d.Rule != -1 {
						t.Errorf("%s: %s %s a %s: %+v, want %t", tc.name, u.describe(), action, kind, d, want)
					}
				}
			}
		}
	}
}

// To upstream, anybody does anything with it; to us never somebody anonymous.
func TestInCompatWhatNobodyOwnsIsEverybodysWhoIsSomebody(t *testing.T) {
	for _, unowned := range [][]Unowned{nil, {}, {{}}, {{Actions: []Action{Read}}}, {{Actions: []Action{Create}}}} {
		p := mustPolicy(t, nil, Options{Compat: CompatOGX, Unowned: unowned})
		for _, action := range Actions {
			resource := NewResource("model", "m", nil)
			if d := p.Decide(user("u", ""), action, resource); !d.Allowed || d.Cause != ByNobody {
				t.Errorf("%s with unowned %v: %+v", action, unowned, d)
			}
			want := action == Read && (unowned == nil || len(unowned) == 1 && slices.Equal(unowned[0].Actions, []Action{Read}))
			if d := p.Decide(nil, action, resource); d.Allowed != want {
				t.Errorf("%s by nobody with unowned %v: %+v, want %t", action, unowned, d, want)
			}
		}
	}
}

func TestUnownedThatCouldNotBeMeantIsAnError(t *testing.T) {
	for text, want := range map[string]string{
		`{"actions":["read"],"types":["model"]}`: "",
		`{"actions":["read"]}`:                   "",
		`{"types":["model"]}`:                    "",
		`{}`:                                     "",
		`{"actions":["list"]}`:                   `unowned: action "list": expected some of create, read, update, delete`,
		`{"actions":[""]}`:                       `unowned: action "": expected some of create, read, update, delete`,
		`{"actions":["read"],"types":[]}`:        "unowned: types is empty: leave it out for all",
		`{"actions":["read"],"types":[""]}`:      "unowned: a type is empty",
	} {
		var u Unowned
		if err := json.Unmarshal([]byte(text), &u); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		_, err := NewPolicy(nil, Options{Unowned: []Unowned{{}, u}})
		checkError(t, text, err, want)
		if want == "" {
			checkJSON(t, u, text)
		}
	}
}
