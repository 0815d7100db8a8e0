package providers

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalCaddyfile reads
//
//	custom [<name>] {
//	    endpoint        <url>
//	    forward_headers <name>...
//	    cache_by        request | token
//	    # and the options of Common and Network
//	}
func (c *Custom) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	if err := c.UnmarshalBlock(d, c.unmarshalOption, c.UnmarshalNetworkOption); err != nil {
		return err
	}
	return Located(d, c.check())
}

func (c *Custom) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "endpoint":
		if err := TextOption(d, &c.Endpoint); err != nil {
			return err
		}
		// Whether plain http is allowed is known at the end of the block.
		return Located(d, c.checkEndpoint(true))
	case "forward_headers":
		if err := ListOption(d, &c.ForwardHeaders); err != nil {
			return err
		}
		return Located(d, c.checkHeaders())
	case "cache_by":
		if err := TextOption(d, &c.CacheBy); err != nil {
			return err
		}
		return Located(d, c.checkCacheBy())
	}
	return d.Errf("unrecognized option %q of provider custom", d.Val())
}

var (
	_ caddy.Provisioner     = (*Custom)(nil)
	_ caddy.CleanerUpper    = (*Custom)(nil)
	_ caddyfile.Unmarshaler = (*Custom)(nil)
	_ Provider              = (*Custom)(nil)
)
