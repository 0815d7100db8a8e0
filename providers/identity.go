package providers

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// identity turns claims into a user, as the options say.
type identity struct {
	principals []claimPath
	prefix     string
	tenant     *claimPath
	attributes []attributeSource

	// given says to take every member of the claims for an attribute of its
	// name, besides attributes.
	given bool

	// leftOut is told how many of them have a name that no attribute can have.
	leftOut func(int)
}

func newIdentity(c *Common, defaults Defaults) (identity, error) {
	id := identity{prefix: c.PrincipalPrefix}
	names := c.PrincipalClaim
	if len(names) > 0 && len(defaults.PrincipalClaim) == 0 {
		return id, fmt.Errorf("principal_claim has no meaning for %s, which knows the principal", defaults.Type)
	}
	if len(names) == 0 {
		names = defaults.PrincipalClaim
		if c.compat && defaults.OGXPrincipalClaim != nil {
			names = defaults.OGXPrincipalClaim
		}
	}
	for _, name := range names {
		path, err := parseClaimPath(name)
		if err != nil {
			return id, fmt.Errorf("principal_claim: %w", err)
		}
		id.principals = append(id.principals, path)
	}
	if c.TenantClaim != "" {
		path, err := parseClaimPath(c.TenantClaim)
		if err != nil {
			return id, fmt.Errorf("tenant_claim: %w", err)
		}
		id.tenant = &path
	}
	mapping := c.ClaimsMapping
	switch {
	case c.mapsAsOGX(defaults):
		mapping = append(slices.Clone(defaults.OGX), mapping...)
		id.given = defaults.OGX == nil
	case mapping == nil:
		mapping = defaults.Mapping
		id.given = defaults.Mapping == nil
	}
	var err error
	id.attributes, err = compileMapping(mapping, c.ClaimsPreset == presetOGX || c.compat)
	return id, err
}

// errNoPrincipal says that none of the principal claims is there.
var errNoPrincipal = errors.New("no claim to take the principal from")

func (id *identity) user(claims map[string]any) (*abac.User, error) {
	principal, err := id.principal(claims)
	if err != nil {
		return nil, err
	}
	tenant, err := id.tenantOf(claims)
	if err != nil {
		return nil, err
	}
	return id.named(principal, tenant, claims)
}

// named returns the user of a known principal and tenant, with the attributes
// that the claims give.
func (id *identity) named(principal, tenant string, claims map[string]any) (*abac.User, error) {
	list := make([]abac.Attribute, 0, len(id.attributes))
	left := 0
	if id.given {
		for name, v := range claims {
			if abac.CheckAttributeName(name) != nil {
				left++
				continue
			}
			if values := valuesOf(v, true); len(values) > 0 {
				list = append(list, abac.Attribute{Name: name, Values: values})
			}
		}
	}
	if left > 0 && id.leftOut != nil {
		id.leftOut(left)
	}
	for _, source := range id.attributes {
		if values := source.values(claims); len(values) > 0 {
			list = append(list, abac.Attribute{Name: source.attribute, Values: values})
		}
	}
	return abac.NewUser(id.prefix+principal, tenant, abac.NewAttributes(list...))
}

// principal returns the first principal claim that is there. One from another
// claim than the first carries the claim's name, so that different people stay
// different: a client_id "alice" is not the sub "alice".
func (id *identity) principal(claims map[string]any) (string, error) {
	for i, path := range id.principals {
		v := path.find(claims)
		if v == nil {
			continue
		}
		value, ok := v.(string)
		if !ok || value == "" {
			return "", fmt.Errorf("claim %s is not a string with something in it", path.written)
		}
		// Looked at here, too: behind a prefix an edge blank is not at the edge.
		if strings.TrimSpace(value) != value {
			return "", fmt.Errorf("claim %s begins or ends with a blank", path.written)
		}
		own := ""
		if i > 0 {
			own = path.written + ":"
		}
		if id.reads(own+value, own) {
			return "", fmt.Errorf("claim %s could be taken for a principal from another claim", path.written)
		}
		return own + value, nil
	}
	return "", errNoPrincipal
}

// reads reports whether principal, made with the prefix own, looks like one
// that another claim's prefix made: a sub "client_id:x" beside a client_id "x".
func (id *identity) reads(principal, own string) bool {
	for i, path := range id.principals {
		if i == 0 {
			continue
		}
		other := path.written + ":"
		if len(other) > len(own) && strings.HasPrefix(principal, other) {
			return true
		}
	}
	return false
}

func (id *identity) tenantOf(claims map[string]any) (string, error) {
	if id.tenant == nil {
		return "", nil
	}
	switch v := id.tenant.find(claims).(type) {
	case nil:
		return "", nil
	case string:
		return abac.ParseTenant(v)
	}
	return "", fmt.Errorf("claim %s is not a string", id.tenant.written)
}
