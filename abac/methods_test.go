package abac

import "testing"

func TestMethodsOfARuleAreThoseThatARuleCanBeAbout(t *testing.T) {
	const expected = ": expected some of GET, POST, PUT, PATCH, DELETE, OPTIONS"
	for _, tc := range []struct {
		methods []string
		want    string // empty: none
	}{
		{ruleMethods, ""},
		{[]string{"GET", "GET"}, ""},
		{[]string{"HEAD"}, `method "HEAD" counts as GET: write GET`},
		{[]string{"POST", "CONNECT"}, `method "CONNECT" counts as GET: write GET`},
		{[]string{"get"}, `method "get"` + expected},
		{[]string{"TRACE"}, `method "TRACE"` + expected},
		{[]string{""}, `method ""` + expected},
		{[]string{"*"}, `method "*"` + expected},
		{[]string{}, "methods is empty: leave it out for all"},
	} {
		r := RouteRule{Effect: Permit, Methods: tc.methods}
		checkError(t, "methods", r.Check(), tc.want)
	}
}

// Case 191, and a WebSocket over HTTP/2 that begins as CONNECT: what is GET to
// the stack is GET to the rules, permitted and forbidden.
func TestHEADAndCONNECTCountAsGET(t *testing.T) {
	for _, tc := range []struct {
		methods []string
		method  string
		applies bool
	}{
		{nil, "GET", true},
		{nil, "HEAD", true},
		{nil, "CONNECT", true},
		{nil, "DELETE", true},
		{[]string{"GET"}, "GET", true},
		{[]string{"GET"}, "HEAD", true},
		{[]string{"GET"}, "CONNECT", true},
		{[]string{"GET"}, "POST", false},
		{[]string{"GET"}, "OPTIONS", false},
		{[]string{"POST"}, "GET", false},
		{[]string{"POST"}, "HEAD", false},
		{[]string{"POST"}, "CONNECT", false},
		{[]string{"POST", "DELETE"}, "DELETE", true},
		{[]string{"PUT", "PATCH"}, "DELETE", false},
		// No such request gets this far; it is 405 before.
		{[]string{"GET"}, "get", false},
		{[]string{"GET"}, "", false},
		{[]string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, "TRACE", false},
	} {
		for _, effect := range []Effect{Permit, Forbid} {
			p := mustRoutes(t, []RouteRule{{Effect: effect, Methods: tc.methods}}, CompatNone)
			d := p.Decide(RouteQuestion{User: &User{Principal: "alice"}, Method: tc.method, Path: "/"})
			if applied := d.Cause == ByRule; applied != tc.applies || d.Allowed != (applied && effect == Permit) {
				t.Errorf("%s with methods %v of %s: %+v", effect, tc.methods, tc.method, d)
			}
		}
	}
}
