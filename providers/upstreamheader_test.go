package providers

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// usualProxy is a block that takes everything there is from 10.0.0.0/8.
const usualProxy = `principal_header X-User
	attributes_header X-Attributes
	attribute_header X-Roles roles
	attribute_header X-Teams teams
	tenant_header X-Tenant
	trusted_proxies 10.0.0.0/8 ::1`

// present shows headers to the provider as the handler does. Lines are
// `Name: value`.
func present(t testing.TB, p *UpstreamHeader, peer string, lines ...string) Answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	c := Credential{Headers: make(http.Header)}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		c.Headers.Add(name, value)
	}
	return p.Authenticate(r, c)
}

func TestATrustedProxySaysWhoCalls(t *testing.T) {
	p := newKind[*UpstreamHeader](t, "upstream_header", usualProxy)
	for name, tc := range map[string]struct {
		lines []string
		want  string // principal|tenant|attributes, or the reason of a no, or "not mine"
	}{
		"the principal alone":       {[]string{"X-User: alice"}, "alice||{}"},
		"with blanks inside":        {[]string{"X-User: Alice Liddell"}, "Alice Liddell||{}"},
		"with blanks around":        {[]string{"X-User:  alice \t"}, "alice||{}"},
		"UTF-8":                     {[]string{"X-User: ünal"}, "ünal||{}"},
		"nobody":                    {[]string{"X-Roles: admin"}, "not mine"},
		"nobody, empty":             {[]string{"X-User: ", "X-Roles: admin"}, "not mine"},
		"not UTF-8":                 {[]string{"X-User: \xe9"}, "principal is not valid UTF-8"},
		"a line separator":          {[]string{"X-User: a\u2028b"}, "principal has the unprintable character U+2028"},
		"too long":                  {[]string{"X-User: " + strings.Repeat("a", 257)}, "principal has 257 bytes, more than 256"},
		"attributes":                {[]string{"X-User: a", `X-Attributes: {"roles":["r1","r2"],"team":"t one"}`}, `a||{"roles":["r1","r2"],"team":["t one"]}`},
		"attributes, none":          {[]string{"X-User: a", `X-Attributes: {}`}, `a||{}`},
		"attributes, no JSON":       {[]string{"X-User: a", `X-Attributes: roles=admin`}, "header X-Attributes: expected a JSON object"},
		"attributes, a list":        {[]string{"X-User: a", `X-Attributes: ["admin"]`}, "header X-Attributes: expected a JSON object"},
		"attributes, cut off":       {[]string{"X-User: a", `X-Attributes: {"roles":["r1"`}, "header X-Attributes: decoding JSON: syntax error at byte 14"},
		"attributes, twice":         {[]string{"X-User: a", `X-Attributes: {"roles":["r"],"\u0072oles":["admin"]}`}, "header X-Attributes: decoding JSON: a member name is there twice"},
		"attributes, a number":      {[]string{"X-User: a", `X-Attributes: {"roles":[1]}`}, "header X-Attributes: a list has an element that is not a string"},
		"attributes, null":          {[]string{"X-User: a", `X-Attributes: {"roles":null}`}, "header X-Attributes: a member is neither a string nor a list of strings"},
		"attributes, an object":     {[]string{"X-User: a", `X-Attributes: {"roles":{"a":["b"]}}`}, "header X-Attributes: a member is neither a string nor a list of strings"},
		"attributes, bytes behind":  {[]string{"X-User: a", `X-Attributes: {} {}`}, "header X-Attributes: decoding JSON: bytes after the object"},
		"attributes of a bad name":  {[]string{"X-User: a", `X-Attributes: {"id":"root","a b":"c","roles":"r"}`}, `a||{"roles":["r"]}`},
		"attributes beyond 32 KiB":  {[]string{"X-User: a", `X-Attributes: {"roles":["` + strings.Repeat("r", 32<<10) + `"]}`}, "header X-Attributes: it has 32782 bytes, more than 32768"},
		"one attribute, plain":      {[]string{"X-User: a", "X-Roles: ml user, admin"}, `a||{"roles":["ml user, admin"]}`},
		"one attribute, a list":     {[]string{"X-User: a", `X-Roles: ["r1", "r2"]`}, `a||{"roles":["r1","r2"]}`},
		"one attribute, a string":   {[]string{"X-User: a", `X-Roles: "r1"`}, `a||{"roles":["r1"]}`},
		"one attribute, no list":    {[]string{"X-User: a", `X-Roles: [ops] team`}, `a||{"roles":["[ops] team"]}`},
		"one attribute, two values": {[]string{"X-User: a", `X-Roles: ["r1"],"x":"y"`}, `a||{"roles":["[\"r1\"],\"x\":\"y\""]}`},
		"one attribute, numbers":    {[]string{"X-User: a", `X-Roles: [1]`}, "header X-Roles: the list has an element that is not a string"},
		"one attribute, nothing":    {[]string{"X-User: a", `X-Roles: []`, "X-Teams: "}, `a||{}`},
		"both add up":               {[]string{"X-User: a", `X-Attributes: {"roles":["r1"],"teams":"t1"}`, `X-Roles: ["r2","r1"]`, "X-Teams: t2"}, `a||{"roles":["r1","r2"],"teams":["t1","t2"]}`},
		"a tenant":                  {[]string{"X-User: a", "X-Tenant:  Acme "}, "a|acme|{}"},
		"a tenant that is none":     {[]string{"X-User: a", "X-Tenant: a b"}, "header X-Tenant: tenant is not of the form [a-z0-9][a-z0-9_-]*"},
		"an empty tenant":           {[]string{"X-User: a", "X-Tenant: "}, "a||{}"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := present(t, p, "10.1.2.3:4567", tc.lines...)
			var got string
			switch a := answer.(type) {
			case *Yes:
				got = a.User.Principal + "|" + a.User.Tenant + "|" + a.User.Attributes.JSON()
				want := tc.want
				if strings.Contains(want, "ü") || strings.Contains(want, "{") {
					got, want = normalJSON(t, got), normalJSON(t, want)
				}
				if got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				return
			case *No:
				got = a.Reason
			default:
				got = describe(answer)
			}
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// normalJSON sorts the members of the object behind the last bar.
func normalJSON(t *testing.T, s string) string {
	t.Helper()
	i := strings.LastIndex(s, "|{")
	var v any
	if err := json.Unmarshal([]byte(s[i+1:]), &v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return s[:i+1] + string(b)
}

// Cases 155 and 157: headers from anybody else say nothing, even if the
// handler should hand them over.
func TestOnlyTheTCPPeerMakesAHeaderCount(t *testing.T) {
	p := newKind[*UpstreamHeader](t, "upstream_header", usualProxy)
	for peer, want := range map[string]bool{
		"10.0.0.1:80":            true,
		"[::ffff:10.0.0.1]:80":   true,
		"[::1]:80":               true,
		"11.0.0.1:80":            false,
		"[::2]:80":               false,
		"[fe80::1%eth0]:80":      false,
		"127.0.0.1:80":           false,
		"@":                      false,
		"":                       false,
		"10.0.0.1":               false, // no port: nothing that Go's server writes
		"/run/10.0.0.1:80":       false,
		"10.0.0.1.evil:80":       false,
		"[10.0.0.1]:80":          false,
		"localhost:80":           false,
		"010.0.0.1:80":           false,
		"10.0.0.1:80, 1.2.3.4:5": false,
	} {
		_, yes := present(t, p, peer, "X-User: alice", "X-Forwarded-For: 10.0.0.1").(*Yes)
		if yes != want {
			t.Errorf("%s: believed is %t", peer, yes)
		}
	}
}

// A client of a Unix socket may bind its own end to any name, an address among
// them.
func TestAUnixSocketIsTrustedByItsNameOnly(t *testing.T) {
	over := func(p *UpstreamHeader, local net.Addr, peer string) bool {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = peer
		return p.Trusts(r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local)))
	}
	const header = "principal_header X-User\ntrusted_proxies "
	networks := newKind[*UpstreamHeader](t, "upstream_header", header+"10.0.0.0/8")
	unix := newKind[*UpstreamHeader](t, "upstream_header", header+"unix")
	socket, port := &net.UnixAddr{Name: "/run/caddy.sock", Net: "unix"}, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 80}
	for _, tc := range []struct {
		p     *UpstreamHeader
		local net.Addr
		peer  string
		want  bool
	}{
		{unix, socket, "@", true},
		{unix, socket, "", true},
		{unix, socket, "/run/proxy.sock", true},
		{unix, port, "10.0.0.1:80", false},
		{unix, port, "@", false},
		{networks, socket, "@", false},
		{networks, socket, "10.0.0.1:80", false},
		{networks, port, "10.0.0.1:80", true},
	} {
		if got := over(tc.p, tc.local, tc.peer); got != tc.want {
			t.Errorf("%q from %q over %s: trusted is %t", tc.p.TrustedProxies, tc.peer, tc.local.Network(), got)
		}
	}
}

func TestPrivateRangesAreThoseOfCaddy(t *testing.T) {
	p := newKind[*UpstreamHeader](t, "upstream_header", "principal_header X-User\ntrusted_proxies private_ranges 203.0.113.7")
	for peer, want := range map[string]bool{
		"192.168.1.1:1": true, "172.16.0.1:1": true, "10.9.9.9:1": true, "127.0.0.2:1": true, "[fd00::1]:1": true, "[::1]:1": true,
		"203.0.113.7:1": true, "203.0.113.8:1": false, "172.32.0.1:1": false, "[fe80::1]:1": false, "0.0.0.0:1": false,
	} {
		if _, yes := present(t, p, peer, "X-User: alice").(*Yes); yes != want {
			t.Errorf("%s: believed is %t", peer, yes)
		}
	}
}

func TestCommonOptionsApplyToHeaders(t *testing.T) {
	base := "principal_header X-User\nattributes_header X-Attributes\ntrusted_proxies 10.0.0.1\n"
	lines := []string{"X-User: a", `X-Attributes: {"groups":["g1","g 2"],"scope":"x admin","org":"Acme"}`}
	for options, want := range map[string]string{
		"":                        `a||{"groups":["g1","g 2"],"org":["Acme"],"scope":["x admin"]}`,
		"principal_prefix proxy:": `proxy:a||{"groups":["g1","g 2"],"org":["Acme"],"scope":["x admin"]}`,
		"claims_mapping {\ngroups teams\nscope scopes\n}": `a||{"scopes":["x","admin"],"teams":["g1","g 2"]}`,
		"claims_mapping {\n}":                             `a||{}`,
		"tenant_claim org\nclaims_mapping {\n}":           `a|acme|{}`,
		"claims_mapping ogx":                              `a||{"groups":["g1","g 2"],"org":["Acme"],"scope":["x admin"]}`,
	} {
		p := newKind[*UpstreamHeader](t, "upstream_header", base+options)
		yes := present(t, p, "10.0.0.1:1", lines...).(*Yes)
		if got := yes.User.Principal + "|" + yes.User.Tenant + "|" + yes.User.Attributes.JSON(); got != want {
			t.Errorf("%q: got %s, want %s", options, got, want)
		}
	}
}

func TestSourceHeadersAreAllThatAreNamed(t *testing.T) {
	p := newKind[*UpstreamHeader](t, "upstream_header", usualProxy)
	want := []string{"X-User", "X-Attributes", "X-Tenant", "X-Roles", "X-Teams"}
	if got := p.SourceHeaders(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if !p.YieldsTenant() || newKind[*UpstreamHeader](t, "upstream_header", "principal_header X\ntrusted_proxies ::1").YieldsTenant() {
		t.Error("a tenant header is what yields tenants")
	}
}

func TestMistakesOfUpstreamHeaderAreErrorsOfTheConfiguration(t *testing.T) {
	const ok = "principal_header X-User\ntrusted_proxies 10.0.0.1\n"
	for lines, want := range map[string]string{
		"trusted_proxies 10.0.0.1":                         "principal_header is required",
		"principal_header X-User":                          "trusted_proxies is required",
		ok + "principal_header Y":                          "principal_header is there twice",
		ok + "trusted_proxies proxy.example":               `trusted_proxies "proxy.example": expected an address`,
		ok + "trusted_proxies 10.0.0.0/33":                 `trusted_proxies "10.0.0.0/33": expected an address`,
		ok + "trusted_proxies {http.request.remote.host}":  `expected an address`,
		ok + "trusted_proxies":                             "wrong argument count",
		ok + "attributes_header X_User":                    "header X_User is there twice",
		ok + "attribute_header x.user roles":               "header x.user is there twice",
		ok + "attribute_header X-Roles":                    "attribute_header: expected <name> <attribute>",
		ok + "attribute_header X-Roles roles teams":        "attribute_header: expected <name> <attribute>",
		ok + "attribute_header X-Roles id":                 "attribute_header X-Roles: attribute",
		ok + "attribute_header X-Roles a.b":                "attribute_header X-Roles: attribute",
		ok + "tenant_header Authorization":                 "header Authorization means something else to HTTP",
		ok + "tenant_header content_length":                "header content_length means something else to HTTP",
		ok + "tenant_header \"a b\"":                       `"a b" is not the name of a header`,
		ok + "principal_claim sub":                         "principal_claim has no meaning for upstream_header",
		ok + "timeout 5s":                                  `unrecognized option "timeout" of provider upstream_header`,
		ok + "claims_mapping {\ngroups id\n}":              "claims_mapping: attribute",
		"principal_header \"\"\ntrusted_proxies 10.0.0.1":  "principal_header is empty",
		"principal_header X-User Y\ntrusted_proxies ::1":   "expected one value",
		"principal_header {env.NAME}\ntrusted_proxies ::1": `"{env.NAME}" is not the name of a header`,
	} {
		_, err := parseKind("upstream_header", lines)
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s\nerror is %v, want %q", lines, err, want)
		case err != nil && !strings.Contains(err.Error(), "Testfile:"):
			t.Errorf("error without a line: %v", err)
		}
	}
}

// Any bytes in any header: what is believed is what a plain reader of JSON
// finds there, or nothing.
func FuzzSourceHeaders(f *testing.F) {
	for _, seed := range []string{`{"roles":["a"]}`, `{"roles":"a","roles":"b"}`, `["a","b"]`, `"a"`, `[1]`, `["a"],"v":"b"`, "\xff", "{}"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, object, single string) {
		if claims, err := readAttributes(object); err == nil {
			var oracle map[string]any
			if json.Unmarshal([]byte(object), &oracle) != nil || len(oracle) != len(claims) {
				t.Errorf("%q was read as %v", object, claims)
			}
		}
		// As it comes from a header. Lone surrogates and broken UTF-8, which
		// encoding/json mends, are no JSON here.
		single = strings.Trim(single, " \t")
		values, err := readValues(single)
		if err != nil || single == "" || !utf8.ValidString(single) || strings.Contains(single, `\u`) || strings.ContainsAny(single, "\r\n") {
			return
		}
		var list []string
		var text string
		switch {
		case json.Unmarshal([]byte(single), &list) == nil && list != nil:
			if len(values) != len(list) {
				t.Errorf("%q was read as %q", single, values)
			}
		case json.Unmarshal([]byte(single), &text) == nil && single[0] == '"':
			if len(values) != 1 {
				t.Errorf("%q was read as %q", single, values)
			}
		case len(values) != 1 || values[0] != any(single):
			t.Errorf("%q was read as %q", single, values)
		}
	})
}
