package abac

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPrincipal is the longest principal, in bytes. Longer ones are refused
// and never cut off: two callers must not become one.
const maxPrincipal = 256

// maxTenant is the longest tenant, in bytes (upstream's own limit).
const maxTenant = 128

// User is who calls: a persistent identity, the tenant it belongs to, and the
// attributes that rules are written about. It is made by NewUser and not
// changed afterwards.
type User struct {
	// Principal is the persistent identity of the caller, never empty. It is
	// compared byte for byte: no case folding, no normalization.
	Principal string

	// Tenant is the caller's tenant in its canonical form, or empty.
	Tenant string

	// Attributes are the caller's roles, teams, projects, namespaces and
	// whatever else the configuration maps.
	Attributes Attributes
}

// NewUser returns the user with the given identity. The tenant is brought to
// its canonical form (see ParseTenant); an empty one means no tenant.
//
// It fails for a principal that could be read differently further on: an
// empty one (upstream takes it for "no authentication"), one with edge blanks
// (trimmed on the wire, so that " admin" would arrive as "admin"), control,
// format or unassigned characters, invalid UTF-8, or more than 256 bytes.
func NewUser(principal, tenant string, attributes Attributes) (*User, error) {
	if err := checkPrincipal(principal); err != nil {
		return nil, err
	}
	if tenant != "" {
		canonical, err := ParseTenant(tenant)
		if err != nil {
			return nil, err
		}
		tenant = canonical
	}
	return &User{Principal: principal, Tenant: tenant, Attributes: attributes}, nil
}

// isNobody reports whether the user is anonymous. A user without a principal,
// which NewUser does not make, has no attributes either: to upstream it would be
// "no authentication", which may do everything.
func (u *User) isNobody() bool { return u == nil || u.Principal == "" }

func checkPrincipal(principal string) error {
	switch {
	case principal == "":
		return fmt.Errorf("principal is empty")
	case len(principal) > maxPrincipal:
		return fmt.Errorf("principal has %d bytes, more than %d", len(principal), maxPrincipal)
	case !utf8.ValidString(principal):
		return fmt.Errorf("principal is not valid UTF-8")
	case strings.TrimSpace(principal) != principal:
		return fmt.Errorf("principal begins or ends with a blank")
	}
	for _, c := range principal {
		// Zl and Zp (line separators) are graphic to nobody, so they go with
		// the control (Cc) and format (Cf) characters.
		if !unicode.IsGraphic(c) {
			return fmt.Errorf("principal has the unprintable character %U", c)
		}
	}
	return nil
}

// ParseTenant returns the canonical form of a tenant as upstream has it:
// trimmed, lower-cased, and then [a-z0-9][a-z0-9_-]{0,127}.
func ParseTenant(tenant string) (string, error) {
	canonical := strings.ToLower(strings.TrimSpace(tenant))
	if canonical == "" {
		return "", fmt.Errorf("tenant is empty")
	}
	if strings.ContainsRune(tenant, 'İ') {
		// Go makes an i of it; upstream's Python makes two characters, which
		// are no tenant. Another's tenant must not be had by spelling.
		return "", fmt.Errorf("tenant is not of the form [a-z0-9][a-z0-9_-]*")
	}
	if len(canonical) > maxTenant {
		return "", fmt.Errorf("tenant has %d bytes, more than %d", len(canonical), maxTenant)
	}
	for i := range len(canonical) {
		c := canonical[i]
		alphanumeric := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !alphanumeric && (i == 0 || c != '-' && c != '_') {
			return "", fmt.Errorf("tenant is not of the form [a-z0-9][a-z0-9_-]*")
		}
	}
	return canonical, nil
}
