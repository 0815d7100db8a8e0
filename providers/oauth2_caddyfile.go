package providers

import (
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/jws"
)

// UnmarshalCaddyfile reads
//
//	oauth2_token [<name>] {
//	    issuer             <url>
//	    skip_issuer_check
//	    audience           <audience>...
//	    skip_audience_check
//	    algorithms         <algorithm>...
//	    leeway             <duration>
//	    max_token_lifetime <duration>
//	    jwks {
//	        uri                <url>
//	        file               <path>
//	        token              <bearer>
//	        token_file         <path>
//	        key_recheck_period <duration>
//	        max_stale          <duration>
//	    }
//	    introspection {
//	        url                <url>
//	        client_id          <id>
//	        client_secret      <secret>
//	        send_secret_in_body
//	        audience_required
//	    }
//	    # and the options of Common and Network
//	}
func (o *OAuth2Token) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	if err := o.UnmarshalBlock(d, o.unmarshalOption, o.UnmarshalNetworkOption); err != nil {
		return err
	}
	return Located(d, o.check())
}

func (o *OAuth2Token) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "issuer":
		if err := TextOption(d, &o.Issuer); err != nil {
			return err
		}
		// Whether plain http is allowed is known at the end of the block.
		return Located(d, CheckAddress("issuer", o.Issuer, true))
	case "skip_issuer_check":
		return FlagOption(d, &o.SkipIssuerCheck)
	case "audience":
		return ListOption(d, &o.Audience)
	case "skip_audience_check":
		return FlagOption(d, &o.SkipAudienceCheck)
	case "algorithms":
		before := len(o.Algorithms)
		if err := ListOption(d, &o.Algorithms); err != nil {
			return err
		}
		for _, name := range o.Algorithms[before:] {
			if err := jws.CheckAlgorithm(name); err != nil {
				return Located(d, err)
			}
		}
		return nil
	case "leeway":
		return o.unmarshalLeeway(d)
	case "max_token_lifetime":
		return positive(d, &o.MaxTokenLifetime)
	case "jwks":
		return o.unmarshalJWKS(d)
	case "introspection":
		return o.unmarshalIntrospection(d)
	}
	return d.Errf("unrecognized option %q of provider oauth2_token", d.Val())
}

func (o *OAuth2Token) unmarshalLeeway(d *caddyfile.Dispenser) error {
	var leeway *caddy.Duration
	if o.Leeway != 0 {
		return d.Errf("leeway is there twice")
	}
	if err := DurationOption(d, &leeway); err != nil {
		return err
	}
	if time.Duration(*leeway) > maxLeeway {
		return d.Errf("leeway %s: expected at most %s", time.Duration(*leeway), maxLeeway)
	}
	o.Leeway = *leeway
	return nil
}

func (o *OAuth2Token) unmarshalJWKS(d *caddyfile.Dispenser) error {
	if o.JWKS != nil {
		return d.Errf("jwks is there twice")
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	j := new(JWKS)
	o.JWKS = j
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "uri":
			if err = TextOption(d, &j.URI); err == nil {
				err = Located(d, CheckAddress("jwks: uri", j.URI, true))
			}
		case "file":
			err = TextOption(d, &j.File)
		case "token":
			err = TextOption(d, &j.Token)
		case "token_file":
			err = TextOption(d, &j.TokenFile)
		case "key_recheck_period":
			err = positive(d, &j.KeyRecheckPeriod)
		case "max_stale":
			err = DurationOption(d, &j.MaxStale)
		default:
			err = d.Errf("unrecognized option %q of jwks", d.Val())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *OAuth2Token) unmarshalIntrospection(d *caddyfile.Dispenser) error {
	if o.Introspection != nil {
		return d.Errf("introspection is there twice")
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	i := new(Introspection)
	o.Introspection = i
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "url":
			if err = TextOption(d, &i.URL); err == nil {
				err = Located(d, CheckAddress("introspection: url", i.URL, true))
			}
		case "client_id":
			err = TextOption(d, &i.ClientID)
		case "client_secret":
			err = TextOption(d, &i.ClientSecret)
		case "send_secret_in_body":
			err = FlagOption(d, &i.SendSecretInBody)
		case "audience_required":
			err = FlagOption(d, &i.AudienceRequired)
		default:
			err = d.Errf("unrecognized option %q of introspection", d.Val())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var (
	_ caddy.Provisioner     = (*OAuth2Token)(nil)
	_ caddy.CleanerUpper    = (*OAuth2Token)(nil)
	_ caddyfile.Unmarshaler = (*OAuth2Token)(nil)
	_ Provider              = (*OAuth2Token)(nil)
)
