package abac

import "testing"

func TestForbidsMatchInAnyCaseAndPermitsAsTheyAreWritten(t *testing.T) {
	for _, tc := range []struct {
		pattern, path  string
		permit, forbid bool
	}{
		{"*", "/V1", true, true},
		{"/v1/admin", "/v1/admin", true, true},
		{"/v1/admin", "/V1/Admin", false, true},
		{"/V1/ADMIN", "/v1/admin", false, true},
		{"/v1/admin", "/V1/Admins", false, false},
		{"/v1/admin", "/V1/Admi", false, false},
		{"/v1/admin", "/v1/bdmin", false, false},
		{"/v1/admin", "/v1/admix", false, false},
		{"/v1/admin*", "/V1/ADMIN", false, true},
		{"/v1/admin*", "/V1/ADMINS/x", false, true},
		{"/v1/admin*", "/V1/ADMI", false, false},
		{"/v1/@", "/v1/`", false, false}, // differ by the bit of case, and are no letters
		{"/v1/[", "/v1/{", false, false},
		// Characters of other lengths that are one in another case. Each of them
		// is another character of the same length to whoever compares bytes.
		{"/v1/kiss", "/v1/\u212aiss", false, true}, // Kelvin sign
		{"/v1/\u212aiss", "/v1/kiss", false, true},
		{"/v1/kiss", "/v1/ki\u017f\u017f", false, true}, // long s
		{"/v1/kiss*", "/v1/\u212ai\u017f\u017fes", false, true},
		{"/v1/ki\u017fs*", "/v1/KISSES", false, true},
		{"/v1/kiss*", "/v1/\u212ai\u017f", false, false},
		{"/v1/kiss", "/v1/\u212ai\u017f\u017fes", false, false},
		{"/v1/admin", "/v1/adm\u0130n", false, true}, // an i in lower case
		{"/v1/admin", "/V1/ADM\u0131N", false, true}, // an I in upper case
		{"/v1/adm\u0131n*", "/v1/adm\u0130n/x", false, true},
		{"/v1/straße", "/v1/STRASSE", false, false}, // no server does that
		{"/v1/é", "/v1/É", false, true},
		{"/v1/É*", "/v1/éa", false, true},
		{"/v1/é", "/v1/e", false, false},
		{"/v1/é", "/v1/x", false, false},
		{"/v1/ß", "/v1/\u1e9e", false, true},
		{"/v1/ǆ", "/v1/ǅ", false, true}, // of three
		// Expressions: the whole in a permit, from the start in a forbid.
		{"regex:/v1/admin", "/v1/admin", true, true},
		{"regex:/v1/admin", "/v1/admin/x", false, true},
		{"regex:/v1/admin", "/V1/ADMIN/x", false, true},
		{"regex:/v1/admin", "/x/v1/admin", false, false},
		{"regex:/v1/(admin|inspect)/", "/v1/Inspect/routes", false, true},
		{"regex:/v1/(admin|inspect)/", "/v1/inspector", false, false},
		{"regex:/v1/[^a-z]+", "/v1/7", true, true},
		{"regex:/v1/[^a-z]+", "/v1/ADMIN", true, true}, // folded it would not
		{"regex:/v1/[^A-Z]+x", "/V1/adminx", false, true},
		{"regex:/v1/[^A-Z]+x", "/v1/ADMINx", false, true}, // in lower case it does
		{"regex:(?-i)/v1/admin", "/V1/ADMIN", false, true},
		{"regex:/V1/ADMIN", "/v1/admin", false, true},
		{"regex:/v1/kiss", "/v1/\u212ai\u017fs", false, true},
		{"regex:/v1/admin", "/v1/adm\u0130n", false, true},
		{"regex:/v1/admin", "/V1/ADM\u0131N", false, true},
		{"regex:/v1/admin", "/v1/é", false, false},
		{"regex:/v1/admin$", "/v1/ADMIN", false, true},
		{"regex:/v1/admin$", "/v1/ADMINS", false, false},
	} {
		for _, compat := range []Compat{CompatNone, CompatOGX} {
			q := RouteQuestion{Method: "GET", Path: tc.path}
			forbid := mustRoutes(t, []RouteRule{{Effect: Forbid, Paths: []string{tc.pattern}}, {Effect: Permit}}, compat)
			for name, d := range map[string]Decision{"decided": forbid.Decide(q), "explained": forbid.Explain(q)} {
				if d.Allowed == tc.forbid {
					t.Errorf("forbid %q (compat %q) of %q %s: %+v, want it to apply: %t", tc.pattern, compat, tc.path, name, d, tc.forbid)
				}
			}
			if compat == CompatOGX {
				continue // see below
			}
			permit := mustRoutes(t, []RouteRule{{Effect: Permit, Paths: []string{tc.pattern}}}, compat)
			for name, d := range map[string]Decision{"decided": permit.Decide(q), "explained": permit.Explain(q)} {
				if d.Allowed != tc.permit {
					t.Errorf("permit %q of %q %s: %+v, want %t", tc.pattern, tc.path, name, d, tc.permit)
				}
			}
		}
	}
}

func TestPermitsOfUpstreamMatchExpressionsFromTheStartAndInTheCaseInWhichTheyAreWritten(t *testing.T) {
	for _, tc := range []struct {
		pattern, path string
		want          bool
	}{
		{"regex:/v1/models", "/v1/models/secret", true},
		{"regex:/v1/models$", "/v1/models/secret", false},
		{"regex:/v1/models", "/V1/models", false},
		{"regex:/v1/models", "/x/v1/models", false},
		{"/v1/models", "/v1/models/secret", false},
		{"/v1/models*", "/v1/models/secret", true},
		{"/v1/models*", "/v1/Models", false},
	} {
		p := mustRoutes(t, []RouteRule{{Effect: Permit, Paths: []string{tc.pattern}}}, CompatOGX)
		if got := p.Decide(RouteQuestion{Method: "GET", Path: tc.path}).Allowed; got != tc.want {
			t.Errorf("permit %q of %q: %t, want %t", tc.pattern, tc.path, got, tc.want)
		}
	}
}
