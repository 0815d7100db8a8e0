package abac

import "testing"

func TestResourcePatternsMatchTypeAndId(t *testing.T) {
	for _, tc := range []struct {
		pattern        string
		resource       string // of the type model
		permit, forbid bool
		permitUpstream bool
		forbidUpstream bool
	}{
		{"", "llama", true, true, true, true},
		{"model::llama", "llama", true, true, true, true},
		{"model::llama", "llama-secret", false, false, false, false},
		{"model::llama", "Llama", false, false, false, false}, // byte for byte, in a forbid too
		{"model::llama", "lla", false, false, false, false},
		{"model::*", "llama", true, true, true, true},
		{"model::*", "", true, true, true, true},
		{"file::*", "llama", false, false, false, false},
		{"models::*", "llama", false, false, false, false},
		{"mode::*", "l", false, false, false, false},
		// A prefix is a literal id to upstream.
		{"model::llama-*", "llama-3", true, true, false, false},
		{"model::llama-*", "llama-*", true, true, true, true},
		{"model::llama-*", "llama", false, false, false, false},
		{"model::a::*", "a::b", true, true, true, true},
		// Expressions.
		{"regex:model::llama", "llama", true, true, true, true},
		{"regex:model::llama", "llama-secret", false, true, true, true},
		{"regex:odel::llama", "llama", false, false, false, false},
		{"regex:model::(a|b)", "bc", false, true, true, true},
		{"regex:model::a|file::b", "ab", false, true, true, true},
		{"regex:model::a|odel::b", "b", false, false, false, false},
		{"regex:model::llama$", "llama\n", false, true, true, true},
		{"regex:model::llama$", "llama\nx", false, false, false, false},
		{`regex:model::llama\z`, "llama\n", false, false, false, false},
		{"regex:MODEL::llama", "llama", false, false, false, false}, // of ids case is never folded
		{"regex:(?i)MODEL::llama", "LLAMA", true, true, true, true},
		{"regex:model::.*", "a\nb", false, true, true, true},
	} {
		resource := NewResource("model", tc.resource, nil)
		for _, want := range []struct {
			effect  Effect
			compat  Compat
			applies bool
		}{
			{Permit, CompatNone, tc.permit},
			{Forbid, CompatNone, tc.forbid},
			{Permit, CompatOGX, tc.permitUpstream},
			{Forbid, CompatOGX, tc.forbidUpstream},
		} {
			p := mustPolicy(t, []Rule{{Effect: want.effect, Actions: Actions, Resource: Given(tc.pattern)}}, Options{Compat: want.compat})
			for name, d := range map[string]Decision{
				"decided":   p.Decide(user("u", ""), Read, resource),
				"explained": p.Explain(user("u", ""), Read, resource),
			} {
				if applied := d.Cause == ByRule; applied != want.applies || d.Allowed != (applied && want.effect == Permit) {
					t.Errorf("%s %q (compat %q) of %q %s: %+v, want it to apply: %t", want.effect, tc.pattern, want.compat, resource, name, d, want.applies)
				}
			}
		}
	}
}

func TestResourcePatternsThatCouldNotBeMeantAreErrors(t *testing.T) {
	const form = ": expected <type>::<id>, <type>::<prefix>* or regex:<expression>; leave it out for all"
	for pattern, want := range map[string]struct{ ours, upstream string }{
		"*":                 {`resource "*"` + form, ""},
		"model":             {`resource "model"` + form, ""},
		"model*":            {`resource "model*"` + form, ""},
		"model:llama":       {`resource "model:llama"` + form, ""},
		"::llama":           {`resource "::llama"` + form, ""},
		"::*":               {`resource "::*"` + form, ""},
		"mod*::llama":       {`resource "mod*::llama"` + form, ""},
		"Regex:model::.*":   {`resource "Regex:model::.*"` + form, ""},
		"regex model::a":    {`resource "regex model::a"` + form, ""},
		" model::a":         {`resource " model::a"` + form, ""},
		"modèle::a":         {`resource "modèle::a"` + form, ""},
		"{type}::a":         {`resource "{type}::a"` + form, ""},
		"vector_store-2::a": {"", ""},
		"model::*-instruct": {`resource "model::*-instruct": a * is only allowed at the end`, ""},
		"model::llama**":    {`resource "model::llama**": a * is only allowed at the end`, ""},
		"model::":           {`resource "model::" has no id: write model::* for all`, ""},
		"model::\xff":       {`resource "model::\xff" is not valid UTF-8`, `resource "model::\xff" is not valid UTF-8`},
		"regex:":            {"expression is empty", "expression is empty"},
		"regex:a)|(b": {
			"expression \"a)|(b\": error parsing regexp: unexpected ): `a)|(b`",
			"expression \"a)|(b\": error parsing regexp: unexpected ): `a)|(b`",
		},
	} {
		for _, effect := range []Effect{Permit, Forbid} {
			r := Rule{Effect: effect, Actions: Actions, Resource: Given(pattern)}
			checkError(t, pattern, r.Check(CompatNone), want.ours)
			checkError(t, pattern+" in compat", r.Check(CompatOGX), want.upstream)
		}
	}
	// What upstream takes for itself matches what is called so, and nothing more.
	for _, pattern := range []Given{"*", "model*", "model:llama", "mod*::llama", "model::*-instruct"} {
		p := mustPolicy(t, []Rule{{Effect: Permit, Actions: Actions, Resource: pattern}}, Options{Compat: CompatOGX})
		if d := p.Decide(user("u", ""), Read, NewResource("model", "llama", nil)); d.Allowed {
			t.Errorf("%s: %+v", pattern, d)
		}
	}
}
