package abac

import (
	"strings"
	"testing"
	"time"
)

func TestExpressionsThatDoNotParseAreErrors(t *testing.T) {
	for source, want := range map[string]string{
		"":                "expression is empty",
		"a(":              "expression \"a(\": error parsing regexp: missing closing ): `a(`",
		"[a":              "expression \"[a\": error parsing regexp: missing closing ]: `[a`",
		`a\`:              "expression \"a\\\\\": error parsing regexp: trailing backslash at end of expression: ``",
		"a**":             "expression \"a**\": error parsing regexp: invalid nested repetition operator: `**`",
		"a{1000}{1000}":   "expression \"a{1000}{1000}\": error parsing regexp: invalid nested repetition operator: `{1000}{1000}`",
		"(a{1000}){1000}": "expression \"(a{1000}){1000}\": error parsing regexp: invalid repeat count: `{1000}`",
		"a{1001}":         "expression \"a{1001}\": error parsing regexp: invalid repeat count: `{1001}`",
		"\xff":            "expression \"\\xff\": error parsing regexp: invalid UTF-8: `\xff`",
		// Wrapped in a group these would compile, and match what they do not say.
		"a)|(b":    "expression \"a)|(b\": error parsing regexp: unexpected ): `a)|(b`",
		"a)|.*|(b": "expression \"a)|.*|(b\": error parsing regexp: unexpected ): `a)|.*|(b`",
	} {
		for _, s := range []span{whole, fromStart} {
			_, err := compileExpression(source, s)
			checkError(t, source, err, want)
		}
	}
	// \Q without \E reaches to the end, and would swallow what makes it the whole.
	for s, want := range map[span]string{
		whole:     "expression \"a\\\\Qb\": error parsing regexp: missing closing ): `\\A(?:a\\Qb)\\z`",
		fromStart: "expression \"a\\\\Qb\": error parsing regexp: missing closing ): `\\A(?:a\\Qb)`",
	} {
		_, err := compileExpression(`a\Qb`, s)
		checkError(t, "unended literal", err, want)
	}
}

func TestExpressionsMatchTheWholeInAPermitAndFromTheStartInAForbid(t *testing.T) {
	for _, tc := range []struct {
		source, text     string
		whole, fromStart bool
	}{
		{"/v1/models", "/v1/models", true, true},
		{"/v1/models", "/v1/models/secret", false, true},
		{"/v1/models", "/x/v1/models", false, false},
		{"^/v1/models$", "/v1/models", true, true},
		{"^/v1/models$", "/v1/models/x", false, false},
		{"/v1/a|/v1/b", "/v1/bc", false, true}, // the anchors are of both
		{"/v1/a|/v1/b", "/x/v1/b", false, false},
		{"(?i)/v1/a", "/V1/A", true, true},
		{"/v1/(?i)a", "/v1/A", true, true}, // from there on
		{"/v1/(?i)a", "/V1/A", false, false},
		{"/v1/(?i:a)b", "/v1/Ab", true, true},
		{"/v1/(?i:a)b", "/v1/AB", false, false},
		{"(?-i:a)", "A", false, false},
		{"(?s)a.b", "a\nb", true, true},
		{"a.b", "a\nb", false, false},
		{"a.*", "a\nb", false, true}, // no dot is a line feed: the whole ends there
		{"(?m)^b", "a\nb", false, false},
		{"(?m)a$", "a\nb", false, true},
		{"(?U)a+", "aaa", true, true},
		{"|b", "a", false, true}, // it says nothing as well
		// A line feed at the end, where `$` of Python matches too.
		{"a", "a\n", false, true},
		{"a$", "a\n", false, true},
		{"a$", "a\n\n", false, false},
		{"a$|x", "a\n", false, true},
		{"(a$)", "a\n", false, true},
		{"^a$", "a\nb", false, false},
		{`a\z`, "a", true, true},
		{`a\z`, "a\n", false, false}, // \Z of Python does not
		{`a$|b\z`, "a\n", false, true},
		{`a$|b\z`, "b\n", false, false},
		{`a\$`, "a\n", false, false},
		{`a[$]`, "a\n", false, false},
		{`a\n`, "a\n", true, true},
		{`a\s`, "a\n", true, true},
	} {
		for s, want := range map[span]bool{whole: tc.whole, fromStart: tc.fromStart} {
			e, err := compileExpression(tc.source, s)
			if err != nil {
				t.Errorf("%q: %v", tc.source, err)
				continue
			}
			if got := e.matches(tc.text); got != want {
				t.Errorf("%q on %q (whole: %t): %t, want %t", tc.source, tc.text, s, got, want)
			}
		}
	}
}

func TestSpansFollowTheEffectAndWhoseReadingHolds(t *testing.T) {
	for _, tc := range []struct {
		effect Effect
		compat Compat
		want   span
	}{
		{Permit, CompatNone, whole},
		{Permit, CompatOGX, fromStart},
		{Forbid, CompatNone, fromStart},
		{Forbid, CompatOGX, fromStart},
	} {
		if got := spanOf(tc.effect, tc.compat); got != tc.want {
			t.Errorf("%s, compat %q: whole is %t", tc.effect, tc.compat, got)
		}
	}
}

// Case 188. What keeps a backtracking engine busy until the sun is out takes
// milliseconds here; the bound is for a machine that has much else to do.
func TestAdversarialExpressionsDoNotTakeTheMachine(t *testing.T) {
	long := "/" + strings.Repeat("a", 15<<10)
	for _, source := range []string{"/((a*)*)*b", "/(a|a)*b", "/(a|aa)+$b", "/(.*)*x", "/(a+)+$b", "/" + strings.Repeat("a?", 500) + strings.Repeat("a", 500) + "b"} {
		p := mustRoutes(t, []RouteRule{{Effect: Forbid, Paths: []string{"regex:" + source}}, {Effect: Permit}}, CompatNone)
		start := time.Now()
		if d := p.Decide(RouteQuestion{Method: "GET", Path: long}); !d.Allowed || d.Rule != 1 {
			t.Errorf("%.20s: %+v", source, d)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%.20s: took %v", source, took)
		}
	}
}
