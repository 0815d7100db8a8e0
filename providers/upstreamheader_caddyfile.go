package providers

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// UnmarshalCaddyfile reads
//
//	upstream_header [<name>] {
//	    principal_header  <name>
//	    attributes_header <name>
//	    attribute_header  <name> <attribute>
//	    tenant_header     <name>
//	    trusted_proxies   [private_ranges] [unix] <cidr>...
//	    # and the options of Common
//	}
func (u *UpstreamHeader) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	if err := u.UnmarshalBlock(d, u.unmarshalOption); err != nil {
		return err
	}
	return Located(d, u.check())
}

func (u *UpstreamHeader) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "principal_header":
		return TextOption(d, &u.PrincipalHeader)
	case "attributes_header":
		return TextOption(d, &u.AttributesHeader)
	case "attribute_header":
		var a SourceHeader
		if !d.Args(&a.Header, &a.Attribute) || d.NextArg() {
			return d.Errf("attribute_header: expected <name> <attribute>")
		}
		if err := abac.CheckAttributeName(a.Attribute); err != nil {
			return Located(d, fmt.Errorf("attribute_header %s: %w", a.Header, err))
		}
		u.AttributeHeaders = append(u.AttributeHeaders, a)
		return nil
	case "tenant_header":
		return TextOption(d, &u.TenantHeader)
	case "trusted_proxies":
		before := len(u.TrustedProxies)
		if err := ListOption(d, &u.TrustedProxies); err != nil {
			return err
		}
		for _, name := range u.TrustedProxies[before:] {
			if name == unixSocket {
				continue
			}
			if _, err := parseProxies(name); err != nil {
				return Located(d, err)
			}
		}
		return nil
	}
	return d.Errf("unrecognized option %q of provider upstream_header", d.Val())
}

var _ caddyfile.Unmarshaler = (*UpstreamHeader)(nil)
