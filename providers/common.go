package providers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// Common holds the options that all providers share. Guests embed it and call
// SetUp first in Provision.
type Common struct {
	// The name of the provider in logs, errors and placeholders: 1 to 64 of
	// a-z, 0-9, _ and -. Default: the type. Must be unique in a block.
	Name string `json:"name,omitempty"`

	// Starts from a named mapping instead of the default one. The only name
	// is `ogx`: what OGX itself does, which maps identity (`sub`, `username`)
	// to `roles` too and splits every string on white space. A user called
	// admin gets the role admin with it, so it is never the default.
	ClaimsPreset string `json:"claims_preset,omitempty"`

	// Which claims become which attributes. Replaces the default mapping (an
	// empty list maps nothing); with `claims_preset` it is added to that.
	// Default: roles → roles, groups → teams, team → teams,
	// project → projects, tenant → namespaces, namespace → namespaces.
	ClaimsMapping []ClaimMapping `json:"claims_mapping,omitzero"`

	// The claims of which the first that is there is the principal. Default:
	// sub. A principal from another than the first is `<claim>:<value>`, so
	// that a client called alice is not alice.
	PrincipalClaim []string `json:"principal_claim,omitempty"`

	// Goes in front of every principal of this provider.
	PrincipalPrefix string `json:"principal_prefix,omitempty"`

	// The claim that holds the tenant. Default: none.
	TenantClaim string `json:"tenant_claim,omitempty"`

	kind     string // the module's name below Namespace
	compat   bool   // with OGX: what its documentation calls the default, where the options leave it open
	identity identity
	logger   *zap.Logger
	dropped  *rate.Sometimes
}

// Defaults are what a provider type presets of the common options.
type Defaults struct {
	// Type is the module's name below Namespace, and the default name.
	Type string
	// Mapping is the default claims mapping. nil means that every claim is an
	// attribute of its own name, unsplit.
	Mapping []ClaimMapping
	// OGX is the mapping of the preset `ogx`, for providers that OGX has; nil as
	// for Mapping.
	OGX []ClaimMapping
	// PrincipalClaim is the default list of principal claims; nil for a provider
	// that calls IdentifyAs.
	PrincipalClaim []string
	// OGXPrincipalClaim is the same with `compat ogx`; nil where OGX does not
	// differ.
	OGXPrincipalClaim []string
}

// SetUp checks the options and prepares what requests need. It belongs at the
// start of a guest's Provision.
func (c *Common) SetUp(ctx context.Context, defaults Defaults) error {
	c.kind = defaults.Type
	if c.Name == "" {
		c.Name = defaults.Type
	}
	if err := c.check(); err != nil {
		return err
	}
	c.compat, _ = ctx.Value(compatKey{}).(bool)
	c.logger = logger(ctx).With(zap.String("provider", c.Name))
	c.dropped = &rate.Sometimes{First: 1, Interval: time.Minute}
	if c.mapsAsOGX(defaults) && defaults.OGX != nil {
		c.logger.Warn("claims_mapping ogx maps identity into roles: a user called admin has the role admin")
	}
	var err error
	c.identity, err = newIdentity(c, defaults)
	c.identity.leftOut = c.warnLeftOut
	return err
}

func (c *Common) check() error {
	if c.Name != "" {
		if err := checkName(c.Name); err != nil {
			return err
		}
	}
	if c.ClaimsPreset != "" && c.ClaimsPreset != presetOGX {
		return fmt.Errorf("claims_mapping %q: the only preset is %s", c.ClaimsPreset, presetOGX)
	}
	if err := c.checkPrefix(); err != nil {
		return err
	}
	for _, m := range c.ClaimsMapping {
		if err := m.check(); err != nil {
			return fmt.Errorf("claims_mapping: %w", err)
		}
	}
	for _, claim := range c.PrincipalClaim {
		if _, err := parseClaimPath(claim); err != nil {
			return fmt.Errorf("principal_claim: %w", err)
		}
	}
	if c.TenantClaim != "" {
		if _, err := parseClaimPath(c.TenantClaim); err != nil {
			return fmt.Errorf("tenant_claim: %w", err)
		}
	}
	return nil
}

func (c *Common) checkPrefix() error {
	if HasPlaceholder(c.PrincipalPrefix) {
		return fmt.Errorf("principal_prefix %q: placeholders are not resolved here", c.PrincipalPrefix)
	}
	// What no principal could begin with would refuse everybody.
	if _, err := abac.NewUser(c.PrincipalPrefix+"x", "", abac.Attributes{}); err != nil {
		return fmt.Errorf("principal_prefix %q: %w", c.PrincipalPrefix, err)
	}
	return nil
}

func checkName(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789_-"
	if name == "" || len(name) > 64 || strings.Trim(name, allowed) != "" {
		return fmt.Errorf("provider name %q: expected 1 to 64 of a-z, 0-9, _ and -", name)
	}
	return nil
}

// Options implements Provider.
func (c *Common) Options() *Common { return c }

// Scope implements Provider for guests that cannot say.
func (*Common) Scope() Scope { return Scope{} }

// YieldsTenant implements Provider for guests whose tenant is a claim.
func (c *Common) YieldsTenant() bool { return c.TenantClaim != "" }

// Logger returns the logger of the provider: category `providers` of the
// handler that uses it, with the provider's name on every line.
func (c *Common) Logger() *zap.Logger { return c.logger }

// Identify returns the user that the claims describe. An error means that they
// describe nobody, and is the reason for a *no*.
func (c *Common) Identify(claims map[string]any) (*abac.User, error) {
	return c.identity.user(claims)
}

// IdentifyAs returns the user of a principal that is known otherwise than from
// claims, as is the tenant (empty for none; tenant_claim, where it is set, goes
// before it). Names of claims that no attribute can have are left out, with a
// warning. An error is the reason for a *no*.
func (c *Common) IdentifyAs(principal, tenant string, claims map[string]any) (*abac.User, error) {
	// Looked at here, too: a prefix would hide both.
	if principal == "" || strings.TrimSpace(principal) != principal {
		return nil, errors.New("principal is empty, or begins or ends with a blank")
	}
	if c.identity.tenant != nil {
		claimed, err := c.identity.tenantOf(claims)
		if err != nil {
			return nil, err
		}
		if claimed != "" {
			tenant = claimed
		}
	}
	return c.identity.named(principal, tenant, claims)
}

// warnLeftOut says how many attributes are left out, and not which: a judge may
// have made a name of what it was sent.
func (c *Common) warnLeftOut(n int) {
	c.dropped.Do(func() {
		c.logger.Warn("leaving out attributes whose names no attribute can have", zap.Int("count", n))
	})
}

// mapsAsOGX reports whether claims are mapped as OGX does by default.
func (c *Common) mapsAsOGX(defaults Defaults) bool {
	return c.ClaimsPreset == presetOGX || c.compat && c.ClaimsMapping == nil && defaults.OGX != nil
}

// CompatOGX reports whether the block says `compat ogx`: what its options leave
// open, the provider does as OGX does.
func (c *Common) CompatOGX() bool { return c.compat }

type compatKey struct{}

// WithCompatOGX returns a context whose guests do as OGX does where their
// options leave it open.
func WithCompatOGX(ctx caddy.Context) caddy.Context {
	return ctx.WithValue(compatKey{}, true)
}

type loggerKey struct{}

// WithLogger returns a context whose guests log to l.
func WithLogger(ctx caddy.Context, l *zap.Logger) caddy.Context {
	return ctx.WithValue(loggerKey{}, l)
}

func logger(ctx context.Context) *zap.Logger {
	if l, ok := ctx.Value(loggerKey{}).(*zap.Logger); ok {
		return l
	}
	if c, ok := ctx.(caddy.Context); ok {
		return c.Logger()
	}
	return zap.NewNop()
}
