package abac

import (
	"strings"
	"testing"
)

func TestPrincipalsThatReadTheSameEverywhereAreAccepted(t *testing.T) {
	for _, principal := range []string{
		"alice", "Alice", "github:1", "alice@example.com", "f:1-2:bob", "CN=a,O=b", "Jürgen €", "a b", "名前", "𝄞",
		"a\u0301", strings.Repeat("p", 256),
	} {
		u, err := NewUser(principal, "", Attributes{})
		if err != nil {
			t.Errorf("%q: %v", principal, err)
			continue
		}
		// Byte for byte: what a rule compares is what the token said.
		if u.Principal != principal || u.Tenant != "" || u.Attributes.JSON() != "{}" {
			t.Errorf("%q: user is %+v", principal, u)
		}
	}
}

// Cases 76 to 83: each of these is somebody else, or an error, to one server
// further on.
func TestPrincipalsThatAnotherServerReadsDifferentlyAreRefused(t *testing.T) {
	for _, tc := range []struct{ principal, want string }{
		{"", "principal is empty"}, // upstream: no authentication
		{strings.Repeat("p", 257), "principal has 257 bytes, more than 256"},
		{strings.Repeat("é", 129), "principal has 258 bytes, more than 256"},
		{"a\xff", "principal is not valid UTF-8"},
		{" admin ", "principal begins or ends with a blank"}, // trimmed on the wire
		{"admin ", "principal begins or ends with a blank"},
		{"\tadmin", "principal begins or ends with a blank"},
		{"admin\u00a0", "principal begins or ends with a blank"},
		{"admin\r\nX-Admin: 1", "principal has the unprintable character U+000D"},
		{"admin\nx", "principal has the unprintable character U+000A"},
		{"admin\x00x", "principal has the unprintable character U+0000"},
		{"admin\x7fx", "principal has the unprintable character U+007F"},
		{"admin\u0085x", "principal has the unprintable character U+0085"},
		{"ad\u200bmin", "principal has the unprintable character U+200B"}, // zero width space
		{"ad\u202emin", "principal has the unprintable character U+202E"}, // right-to-left override
		{"\ufeffadmin", "principal has the unprintable character U+FEFF"}, // byte order mark
		{"ad\u00admin", "principal has the unprintable character U+00AD"}, // soft hyphen
		{"ad\u2028min", "principal has the unprintable character U+2028"}, // line separator
		{"ad\u2029min", "principal has the unprintable character U+2029"},
		{"ad\ue000min", "principal has the unprintable character U+E000"},
		{"ad\U000e0061min", "principal has the unprintable character U+E0061"}, // tag letter a
	} {
		u, err := NewUser(tc.principal, "", Attributes{})
		if err == nil || err.Error() != tc.want || u != nil {
			t.Errorf("%q: user %v, error %v; want %s", tc.principal, u, err, tc.want)
		}
	}
}

func TestTenantsAreBroughtToTheirCanonicalForm(t *testing.T) {
	for tenant, want := range map[string]string{
		"acme": "acme", " Acme\n": "acme", "ACME-1_x": "acme-1_x", "0": "0",
		strings.Repeat("a", 128): strings.Repeat("a", 128),
		// Upstream's Python lower-cases the Kelvin sign to k as well.
		"\u212aube": "kube",
	} {
		if got, err := ParseTenant(tenant); err != nil || got != want {
			t.Errorf("ParseTenant(%q) = %q, %v; want %q", tenant, got, err, want)
		}
		if u, err := NewUser("alice", tenant, Attributes{}); err != nil || u.Tenant != want {
			t.Errorf("NewUser with tenant %q: %v, %v", tenant, u, err)
		}
	}
}

func TestTenantsThatAreNoneAreRefused(t *testing.T) {
	const form = "tenant is not of the form [a-z0-9][a-z0-9_-]*"
	for tenant, want := range map[string]string{
		"":                       "tenant is empty",
		" \t ":                   "tenant is empty",
		strings.Repeat("a", 129): "tenant has 129 bytes, more than 128",
		"-acme":                  form,
		"_acme":                  form,
		"a.b":                    form,
		"a/b":                    form,
		"a b":                    form,
		"acmé":                   form,
		"acme\x00":               form,
		// Go lower-cases the dotted capital I to i, Python to two characters:
		// "İbm" must not become the tenant ibm.
		"\u0130bm": form,
	} {
		if got, err := ParseTenant(tenant); err == nil || err.Error() != want || got != "" {
			t.Errorf("ParseTenant(%q) = %q, %v; want %s", tenant, got, err, want)
		}
		if tenant == "" {
			continue // means no tenant to NewUser
		}
		if u, err := NewUser("alice", tenant, Attributes{}); err == nil || u != nil {
			t.Errorf("NewUser with tenant %q: %v, %v", tenant, u, err)
		}
	}
}
