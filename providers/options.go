package providers

import (
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Located returns err with the file and line of the token at the cursor; nil
// stays nil.
func Located(d *caddyfile.Dispenser, err error) error {
	if err == nil {
		return nil
	}
	return d.WrapErr(err)
}

// TextOption reads an option with exactly one argument, which may stand once.
func TextOption(d *caddyfile.Dispenser, to *string) error {
	name := d.Val()
	if *to != "" {
		return d.Errf("%s is there twice", name)
	}
	if !d.NextArg() {
		return d.ArgErr()
	}
	*to = d.Val()
	if d.NextArg() {
		// Not Caddy's words, which show it: of a secret with a blank it is the half.
		return d.Errf("%s: expected one value; quote it if it has blanks", name)
	}
	if *to == "" {
		return d.Errf("%s is empty", name)
	}
	return nil
}

// ListOption reads an option with one or more arguments. Repeated lines add.
func ListOption(d *caddyfile.Dispenser, to *[]string) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	*to = append(*to, args...)
	return nil
}

// FlagOption reads an option without arguments.
func FlagOption(d *caddyfile.Dispenser, to *bool) error {
	*to = true
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

// DurationOption reads an option that is a duration (30s, 5m, 7d), which may
// stand once.
func DurationOption(d *caddyfile.Dispenser, to **caddy.Duration) error {
	name := d.Val()
	var text string
	if *to != nil {
		return d.Errf("%s is there twice", name)
	}
	if err := TextOption(d, &text); err != nil {
		return err
	}
	duration, err := parseDuration(name, text)
	if err != nil {
		return Located(d, err)
	}
	*to = &duration
	return nil
}

func parseDuration(name, text string) (caddy.Duration, error) {
	duration, err := caddy.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s %q: expected a duration such as 30s", name, text)
	}
	if duration < 0 {
		return 0, fmt.Errorf("%s %s: expected zero or more", name, duration)
	}
	return caddy.Duration(duration), nil
}

// positive reads a duration for which zero would mean nothing.
func positive(d *caddyfile.Dispenser, to *caddy.Duration) error {
	name := d.Val()
	var read *caddy.Duration
	if *to != 0 {
		return d.Errf("%s is there twice", name)
	}
	if err := DurationOption(d, &read); err != nil {
		return err
	}
	if *read == 0 {
		return d.Errf("%s %s: expected more than zero", name, time.Duration(*read))
	}
	*to = *read
	return nil
}

// UnmarshalNetworkOption reads the option at the cursor if it is one of
// Network's, and reports whether it was:
//
//	timeout   <duration>
//	transport <name> {
//	    ...
//	}
//	allow_http
//	cache_ttl <duration>
//	stale_if_error <duration>
//	tokens    jwt | opaque | prefix <prefix>...
//	fallthrough
func (n *Network) UnmarshalNetworkOption(d *caddyfile.Dispenser) (bool, error) {
	switch d.Val() {
	case "timeout":
		return true, positive(d, &n.Timeout)
	case "transport":
		return true, n.unmarshalTransport(d)
	case "allow_http":
		return true, FlagOption(d, &n.AllowHTTP)
	case "cache_ttl":
		return true, DurationOption(d, &n.CacheTTL)
	case "stale_if_error":
		return true, DurationOption(d, &n.StaleIfError)
	case "tokens":
		if n.Tokens != nil {
			return true, d.Errf("tokens is there twice")
		}
		args := d.RemainingArgs()
		if len(args) == 0 {
			return true, d.ArgErr()
		}
		n.Tokens = &TokenForm{Form: args[0], Prefixes: args[1:]}
		return true, Located(d, n.Tokens.check())
	case "fallthrough":
		return true, FlagOption(d, &n.Fallthrough)
	}
	return false, nil
}

func (n *Network) unmarshalTransport(d *caddyfile.Dispenser) error {
	if n.TransportRaw != nil {
		return d.Errf("transport is there twice")
	}
	if !d.NextArg() {
		return d.ArgErr()
	}
	name := d.Val()
	m, err := caddyfile.UnmarshalModule(d, "http.reverse_proxy.transport."+name)
	if err != nil {
		return err
	}
	if _, ok := m.(http.RoundTripper); !ok {
		return d.Errf("module %T is not a transport", m)
	}
	n.TransportRaw = caddyconfig.JSONModuleObject(m, "protocol", name, nil)
	return nil
}
