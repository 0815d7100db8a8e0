package stackauth

import (
	"errors"
	"fmt"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

// Tenancy says how tenants are told apart.
type Tenancy struct {
	// single: every caller belongs to the tenant `id`. multi: every caller
	// must belong to a tenant, which the provider finds out; one without is
	// refused with 403.
	Mode string `json:"mode"`

	// The tenant of `single`: after trimming and lower-casing,
	// [a-z0-9][a-z0-9_-]{0,127}.
	ID string `json:"id,omitempty"`
}

const (
	tenancySingle = "single"
	tenancyMulti  = "multi"
)

func (t *Tenancy) check() error {
	switch {
	case t == nil:
		return nil
	case t.Mode == tenancySingle:
		_, err := abac.ParseTenant(t.ID)
		if err != nil {
			return fmt.Errorf("tenancy single %q: %w", t.ID, err)
		}
		return nil
	case t.Mode == tenancyMulti && t.ID != "":
		return fmt.Errorf("tenancy multi: unexpected %q", t.ID)
	case t.Mode != tenancyMulti:
		return fmt.Errorf("tenancy %q: expected single or multi", t.Mode)
	}
	return nil
}

// checkProvider refuses a provider whose tenants would be ignored, or that
// could never let anybody in.
func (t *Tenancy) checkProvider(p providers.Provider) error {
	switch {
	case t == nil:
		return nil
	case t.Mode == tenancySingle && p.YieldsTenant() && !tenantsAreOptional(p):
		return errors.New("tenancy single gives everybody its own tenant: take the provider's tenants away, or say tenancy multi")
	case t.Mode == tenancyMulti && !p.YieldsTenant():
		return errors.New("tenancy multi needs a tenant, which this provider does not yield: give it one (tenant_claim, or what it has instead)")
	}
	return nil
}

// tenantsAreOptional reports whether a provider could yield tenants, but has
// not been told to: whose keys are in a file, say, which may name some or none.
func tenantsAreOptional(p providers.Provider) bool {
	optional, ok := p.(interface{ TenantsAreOptional() bool })
	return ok && optional.TenantsAreOptional()
}

// demanded reports whether every caller must belong to a tenant.
func (t *Tenancy) demanded() bool { return t != nil && t.Mode == tenancyMulti }

// assign returns the user with the tenant that it has here.
func (t *Tenancy) assign(u *abac.User) (*abac.User, *refusal) {
	switch {
	case t == nil:
		return u, nil
	case t.Mode == tenancySingle:
		// The user of an answer is shared by requests: it gets a copy.
		own, err := abac.NewUser(u.Principal, t.ID, u.Attributes)
		if err != nil {
			return nil, tenantRequired.because(err.Error())
		}
		return own, nil
	case u.Tenant == "":
		return nil, tenantRequired.because("caller has no tenant")
	}
	return u, nil
}
