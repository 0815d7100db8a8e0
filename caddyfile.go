package stackauth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/dustin/go-humanize"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

func init() {
	httpcaddyfile.RegisterDirective("stack_auth", parseDirective)
	// After forward_auth: a rate limiter still comes first, and everything
	// that answers or proxies later.
	httpcaddyfile.RegisterDirectiveOrder("stack_auth", httpcaddyfile.After, "forward_auth")
}

// parseDirective keeps the matcher in the handler and not on the route: what it
// leaves out must lose forged headers too, and Caddy would sort routes with a
// matcher before those without, so that blocks ran in another order than they
// are written in.
func parseDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !h.Next() {
		return nil, h.ArgErr()
	}
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	handler := new(Handler)
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	if matcher != nil {
		handler.Match = caddyhttp.RawMatcherSets{matcher}
		if err := handler.checkOwnMatch(); err != nil {
			return nil, h.WrapErr(err)
		}
	}
	if h.IsNamedRoute() {
		// Of a named route that comes to one route without a matcher, Caddy keeps the
		// first handler alone: without this, what stands before a stack_auth would
		// make it vanish.
		return h.NewRoute(caddy.ModuleMap{"path": h.JSON(caddyhttp.MatchPath{"*"})}, handler), nil
	}
	return h.NewRoute(nil, handler), nil
}

// UnmarshalCaddyfile reads
//
//	stack_auth [<matcher>] {
//	    provider <type> [<name>] {
//	        ...
//	    }
//	    token_source  header <name> [<scheme>] | query <param> | cookie <name> | websocket_protocol <prefix>
//	    forward_token
//	    public        <path-pattern>...
//	    allow_anonymous
//	    allow_preflight
//	    realm         <name>
//	    tenancy       single <id> | multi
//	    shared_principals
//	    base_path     <prefix>
//	    require       <attribute> <value>...
//	    permit|forbid [<path-pattern>...] {
//	        ...
//	    }
//	    access_policy {
//	        ...
//	    }
//	    owner_match   all | any
//	    identity_headers off | {
//	        principal  <header>
//	        attributes <header>
//	        attribute  <attribute> <header> [json|csv]
//	        tenant     <header>
//	        max_size   <size>
//	    }
//	    strip_headers <name or prefix*>...
//	    compat        ogx
//	    shadow
//	    errors        caddy
//	    explain_header <attribute> <value>...
//	    log_levels {
//	        <category> <level>
//	    }
//	}
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the directive
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := h.unmarshalOption(d); err != nil {
			return err
		}
	}
	if err := h.checkAccessPolicyLines(); err != nil {
		return err
	}
	if len(h.ProvidersRaw) == 0 {
		if err := h.checkEnforcementOnly(); err != nil {
			return providers.Located(d, err)
		}
	}
	return providers.Located(d, h.check())
}

func (h *Handler) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "provider":
		return h.unmarshalProvider(d)
	case "token_source":
		var s providers.TokenSource
		if err := s.UnmarshalCaddyfile(d); err != nil {
			return err
		}
		h.TokenSources = append(h.TokenSources, s)
		return nil
	case "forward_token":
		return providers.FlagOption(d, &h.ForwardToken)
	case "public":
		return h.unmarshalPublic(d)
	case "allow_anonymous":
		return providers.FlagOption(d, &h.AllowAnonymous)
	case "allow_preflight":
		return providers.FlagOption(d, &h.AllowPreflight)
	case "realm":
		if err := providers.TextOption(d, &h.Realm); err != nil {
			return err
		}
		return providers.Located(d, checkRealm(h.Realm))
	case "tenancy":
		return h.unmarshalTenancy(d)
	case "shared_principals":
		return providers.FlagOption(d, &h.SharedPrincipals)
	case "base_path":
		if err := providers.TextOption(d, &h.BasePath); err != nil {
			return err
		}
		return providers.Located(d, checkBasePath(h.BasePath))
	case "require":
		q, err := unmarshalRequirement(d)
		h.Require = append(h.Require, q)
		return err
	case "permit", "forbid":
		return h.unmarshalRouteRule(d)
	case "access_policy":
		return h.unmarshalAccessPolicy(d)
	case "owner_match":
		return h.unmarshalOwnerMatch(d)
	case "compat":
		return h.unmarshalCompat(d)
	case "shadow":
		return providers.FlagOption(d, &h.Shadow)
	case "explain_header":
		return h.unmarshalExplainHeader(d)
	case "identity_headers":
		return h.unmarshalIdentityHeaders(d)
	case "strip_headers":
		return h.unmarshalStripHeaders(d)
	case "errors":
		if err := providers.TextOption(d, &h.Errors); err != nil {
			return err
		}
		if h.Errors != errorsCaddy {
			return d.Errf("errors %q: expected caddy", h.Errors)
		}
		return nil
	case "log_levels":
		return h.unmarshalLogLevels(d)
	}
	return d.Errf("unrecognized option %q of stack_auth%s", d.Val(), directiveHint(d.Val()))
}

func (h *Handler) unmarshalProvider(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	name := d.Val()
	m, err := caddyfile.UnmarshalModule(d, providers.Namespace+"."+name)
	if err != nil {
		return err
	}
	if _, ok := m.(providers.Provider); !ok {
		return d.Errf("module %T is not a provider of stack_auth", m)
	}
	h.ProvidersRaw = append(h.ProvidersRaw, caddyconfig.JSONModuleObject(m, "type", name, nil))
	return nil
}

func (h *Handler) unmarshalPublic(d *caddyfile.Dispenser) error {
	before := len(h.Public)
	if err := providers.ListOption(d, &h.Public); err != nil {
		return err
	}
	for _, pattern := range h.Public[before:] {
		if _, err := abac.ParsePathPattern(pattern); err != nil {
			return providers.Located(d, fmt.Errorf("public: %w", err))
		}
	}
	return nil
}

func (h *Handler) unmarshalTenancy(d *caddyfile.Dispenser) error {
	if h.Tenancy != nil {
		return d.Errf("tenancy is there twice")
	}
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.ArgErr()
	}
	h.Tenancy = &Tenancy{Mode: args[0]}
	if len(args) == 2 {
		h.Tenancy.ID = args[1]
	}
	return providers.Located(d, h.Tenancy.check())
}

func unmarshalRequirement(d *caddyfile.Dispenser) (abac.Requirement, error) {
	name := d.Val()
	args := d.RemainingArgs()
	if len(args) < 2 {
		return abac.Requirement{}, d.Errf("%s: expected <attribute> <value>...", name)
	}
	q := abac.Requirement{Attribute: args[0], Values: args[1:]}
	return q, providers.Located(d, q.Check())
}

func (h *Handler) unmarshalIdentityHeaders(d *caddyfile.Dispenser) error {
	if h.IdentityHeaders != nil {
		return d.Errf("identity_headers is there twice")
	}
	c := new(IdentityHeaders)
	h.IdentityHeaders = c
	if d.NextArg() {
		if d.Val() != "off" {
			return d.Errf("identity_headers %q: expected off or a block", d.Val())
		}
		c.Off = true
		if d.NextArg() {
			return d.ArgErr()
		}
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := c.unmarshalOption(d); err != nil {
			return err
		}
	}
	return providers.Located(d, c.check())
}

func (c *IdentityHeaders) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "principal":
		return providers.TextOption(d, &c.Principal)
	case "attributes":
		return providers.TextOption(d, &c.Attributes)
	case "tenant":
		return providers.TextOption(d, &c.Tenant)
	case "attribute":
		args := d.RemainingArgs()
		if len(args) < 2 || len(args) > 3 {
			return d.ArgErr()
		}
		a := AttributeHeader{Attribute: args[0], Header: args[1]}
		if len(args) == 3 {
			a.Format = args[2]
		}
		c.Attribute = append(c.Attribute, a)
		return providers.Located(d, errors.Join(a.check(), checkTarget(a.Header)))
	case "max_size":
		var text string
		if c.MaxSize != 0 {
			return d.Errf("max_size is there twice")
		}
		if err := providers.TextOption(d, &text); err != nil {
			return err
		}
		size, err := humanize.ParseBytes(text)
		if err != nil || size == 0 || size > 1<<30 {
			return d.Errf("max_size %q: expected a size such as 32KiB", text)
		}
		c.MaxSize = int64(size)
		return nil
	}
	return d.Errf("unrecognized option %q of identity_headers", d.Val())
}

func (h *Handler) unmarshalStripHeaders(d *caddyfile.Dispenser) error {
	before := len(h.StripHeaders)
	if err := providers.ListOption(d, &h.StripHeaders); err != nil {
		return err
	}
	for _, name := range h.StripHeaders[before:] {
		if err := checkStripped(name); err != nil {
			return providers.Located(d, err)
		}
	}
	return nil
}

func (h *Handler) unmarshalLogLevels(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	if h.LogLevels == nil {
		h.LogLevels = make(map[string]string)
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		category := strings.ToLower(d.Val())
		var level string
		if !d.Args(&level) || d.NextArg() {
			return d.Errf("log_levels: expected <category> <level>")
		}
		if _, there := h.LogLevels[category]; there {
			return d.Errf("log_levels: %s is there twice", category)
		}
		if err := make(levelSet).set(category, level); err != nil {
			return providers.Located(d, fmt.Errorf("log_levels: %w", err))
		}
		h.LogLevels[category] = strings.ToLower(level)
	}
	return nil
}

var (
	_ caddyfile.Unmarshaler = (*Handler)(nil)
	_                       = caddy.Module((*Handler)(nil))
)
