package providers

import (
	"errors"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalCaddyfile reads
//
//	api_key [<name>] {
//	    file <path>
//	    key  <sha256:hex> <principal> {
//	        attribute <name> <value>...
//	        tenant    <id>
//	        expires   <time of RFC 3339>
//	    }
//	    # and the options of Common, but principal_claim and tenant_claim
//	}
//
// Its errors show nothing that stands where a key could have been written by
// mistake.
func (a *APIKey) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	if err := a.UnmarshalBlock(d, a.unmarshalOption); err != nil {
		return err
	}
	return Located(d, a.check())
}

func (a *APIKey) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "file":
		if err := TextOption(d, &a.File); err != nil {
			return err
		}
		return Located(d, CheckPlaceholders("file", a.File))
	case "key":
		return a.unmarshalKey(d)
	}
	return d.Errf("unrecognized option of provider api_key: expected file, key, or an option of all providers")
}

func (a *APIKey) unmarshalKey(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Errf("key: expected a hash and a principal, got %d arguments", len(args))
	}
	key := ListedKey{Hash: args[0], Principal: args[1]}
	if err := key.check(""); err != nil {
		return d.Errf("key: %w", err)
	}
	digest, _ := key.digest()
	if slices.ContainsFunc(a.Keys, func(earlier ListedKey) bool {
		have, _ := earlier.digest()
		return have == digest
	}) {
		return d.Errf("key: its hash is there twice")
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := key.unmarshalOption(d); err != nil {
			return err
		}
	}
	a.Keys = append(a.Keys, key)
	return nil
}

func (k *ListedKey) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "attribute":
		args := d.RemainingArgs()
		if len(args) == 0 {
			return d.Errf("key: attribute: expected a name and values")
		}
		k.Attributes = append(k.Attributes, KeyAttribute{Attribute: args[0], Values: args[1:]})
	case "tenant":
		if err := TextOption(d, &k.Tenant); err != nil {
			return err
		}
	case "expires":
		if err := TextOption(d, &k.Expires); err != nil {
			return err
		}
	default:
		return Located(d, errors.New("unrecognized option of key: expected attribute, tenant or expires"))
	}
	// At each line, so that the error has its number.
	if err := k.check(""); err != nil {
		return d.Errf("key: %w", err)
	}
	return nil
}

var _ caddyfile.Unmarshaler = (*APIKey)(nil)
