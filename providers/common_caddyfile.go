package providers

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalBlock reads a provider with all that its block has:
//
//	<type> [<name>] {
//	    <option> ...
//	}
//
// The options of Common are read by unmarshalOption. Any other is shown to each
// of shared, such as Network's UnmarshalNetworkOption, until one says that it
// knows it. What is left goes to own, which reads the guest's own options and
// refuses the rest. Whether the options go together is for the guest to check
// behind the block.
func (c *Common) UnmarshalBlock(
	d *caddyfile.Dispenser,
	own func(*caddyfile.Dispenser) error,
	shared ...func(*caddyfile.Dispenser) (known bool, err error),
) error {
	if err := c.unmarshalHead(d); err != nil {
		return err
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := c.unmarshalLine(d, own, shared); err != nil {
			return err
		}
	}
	return nil
}

func (c *Common) unmarshalLine(
	d *caddyfile.Dispenser,
	own func(*caddyfile.Dispenser) error,
	shared []func(*caddyfile.Dispenser) (known bool, err error),
) error {
	if known, err := c.unmarshalOption(d); known || err != nil {
		return err
	}
	for _, unmarshal := range shared {
		if known, err := unmarshal(d); known || err != nil {
			return err
		}
	}
	return own(d)
}

// unmarshalHead reads the line that opens a provider block,
//
//	<type> [<name>]
func (c *Common) unmarshalHead(d *caddyfile.Dispenser) error {
	d.Next() // consume the type
	if !d.NextArg() {
		return nil
	}
	if err := checkName(d.Val()); err != nil {
		return Located(d, err)
	}
	c.Name = d.Val()
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

// unmarshalOption reads the option at the cursor if it is one of the common
// ones, and reports whether it was:
//
//	claims_mapping [ogx] {
//	    <claim-path> <attribute>
//	}
//	principal_claim  <claim>...
//	principal_prefix <text>
//	tenant_claim     <claim-path>
func (c *Common) unmarshalOption(d *caddyfile.Dispenser) (bool, error) {
	switch d.Val() {
	case "claims_mapping":
		return true, c.unmarshalMapping(d)
	case "principal_claim":
		if c.PrincipalClaim != nil {
			return true, d.Errf("principal_claim is there twice: name all claims in one line")
		}
		c.PrincipalClaim = d.RemainingArgs()
		if len(c.PrincipalClaim) == 0 {
			return true, d.ArgErr()
		}
		for _, claim := range c.PrincipalClaim {
			if _, err := parseClaimPath(claim); err != nil {
				return true, Located(d, fmt.Errorf("principal_claim: %w", err))
			}
		}
	case "principal_prefix":
		if err := TextOption(d, &c.PrincipalPrefix); err != nil {
			return true, err
		}
		return true, Located(d, c.checkPrefix())
	case "tenant_claim":
		if err := TextOption(d, &c.TenantClaim); err != nil {
			return true, err
		}
		if _, err := parseClaimPath(c.TenantClaim); err != nil {
			return true, Located(d, fmt.Errorf("tenant_claim: %w", err))
		}
	default:
		return false, nil
	}
	return true, nil
}

func (c *Common) unmarshalMapping(d *caddyfile.Dispenser) error {
	if c.ClaimsMapping != nil || c.ClaimsPreset != "" {
		return d.Errf("claims_mapping is there twice: put everything into one block")
	}
	if d.NextArg() {
		c.ClaimsPreset = d.Val()
		if d.NextArg() {
			return d.ArgErr()
		}
		if c.ClaimsPreset != presetOGX {
			return d.Errf("claims_mapping %q: the only preset is %s", c.ClaimsPreset, presetOGX)
		}
	} else {
		c.ClaimsMapping = []ClaimMapping{}
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		m := ClaimMapping{Claim: d.Val()}
		if !d.Args(&m.Attribute) || d.NextArg() {
			return d.Errf("claims_mapping: expected <claim-path> <attribute>")
		}
		if err := m.check(); err != nil {
			return Located(d, fmt.Errorf("claims_mapping: %w", err))
		}
		c.ClaimsMapping = append(c.ClaimsMapping, m)
	}
	return nil
}
