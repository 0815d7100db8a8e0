package providers

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

func init() {
	caddy.RegisterModule(new(Placeholders))
}

// Placeholders takes the caller from placeholders that another part of Caddy has
// set: `basic_auth`, `forward_auth`, a client certificate, another plugin. Where
// the principal's placeholder is unset or empty, the other providers are asked.
//
// Placeholders that the caller writes are refused when the configuration is
// loaded. A client certificate counts only if Caddy verified it against a CA:
// with `client_auth` in a mode that does not verify, anybody can make one with
// any name.
type Placeholders struct {
	Common

	// The placeholder with the principal, such as {http.auth.user.id} or
	// {http.request.tls.client.subject}. Required.
	Principal string `json:"principal,omitempty"`

	// The placeholders with attributes.
	Attributes []AttributePlaceholder `json:"attributes,omitempty"`

	// The placeholder with the tenant. Default: none.
	Tenant string `json:"tenant,omitempty"`

	principal, tenant string // without braces
}

// AttributePlaceholder is a placeholder that holds an attribute.
type AttributePlaceholder struct {
	// The attribute.
	Attribute string `json:"attribute"`

	// The placeholder.
	Placeholder string `json:"placeholder"`

	// What separates the values. Default: the text is one value. Lists, which
	// some plugins set, are lists without it.
	Separator string `json:"separator,omitempty"`
}

// CaddyModule implements caddy.Module.
func (*Placeholders) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  Namespace + ".placeholders",
		New: func() caddy.Module { return new(Placeholders) },
	}
}

// Provision implements caddy.Provisioner.
func (p *Placeholders) Provision(ctx caddy.Context) error {
	if err := p.SetUp(ctx, Defaults{Type: "placeholders"}); err != nil {
		return err
	}
	if err := p.check(); err != nil {
		return err
	}
	p.principal, p.tenant = keyOfPlaceholder(p.Principal), keyOfPlaceholder(p.Tenant)
	return nil
}

func (p *Placeholders) check() error {
	if len(p.PrincipalClaim) > 0 {
		return errors.New("principal_claim has no meaning for placeholders: principal says who calls")
	}
	if p.Principal == "" {
		return errors.New("principal is required: the placeholder that says who calls")
	}
	if err := checkPlaceholder("principal", p.Principal); err != nil {
		return err
	}
	if p.Tenant != "" {
		if err := checkPlaceholder("tenant", p.Tenant); err != nil {
			return err
		}
	}
	for _, a := range p.Attributes {
		if err := abac.CheckAttributeName(a.Attribute); err != nil {
			return err
		}
		if err := checkPlaceholder("attribute "+a.Attribute, a.Placeholder); err != nil {
			return err
		}
	}
	return nil
}

func keyOfPlaceholder(text string) string {
	return strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
}

const clientCertificate = "http.request.tls.client."

// callersOwn are the placeholders that the caller writes, or that are made of
// what the caller writes: captures of a path, names of files, and the candidate
// of a login that failed.
var callersOwn = []string{
	"http.request.", "http.regexp.", "http.matchers.", "http.auth.candidate.", "http.error.", "http.response.",
	"http.vars.client_ip", // of X-Forwarded-For, where Caddy trusts a proxy
}

// notPerRequest are the same for every caller, so everybody would be one.
var notPerRequest = []string{
	"env.", "file.", "system.", "time.", "http.stack_auth.", "http.shutting_down", "http.time_until_shutdown",
}

// checkPlaceholder returns an error unless the text is one placeholder, and one
// that a caller cannot write.
func checkPlaceholder(option, text string) error {
	key := keyOfPlaceholder(text)
	if len(text) != len(key)+2 || key == "" || strings.ContainsAny(key, "{}\\ \t") {
		return fmt.Errorf("%s %q: expected one placeholder, such as {http.auth.user.id}", option, text)
	}
	begins := func(prefix string) bool { return strings.HasPrefix(key, prefix) || key+"." == prefix }
	if !strings.HasPrefix(key, clientCertificate) && slices.ContainsFunc(callersOwn, begins) {
		return fmt.Errorf("%s %s: callers write this themselves; expected what Caddy or another plugin has found out", option, text)
	}
	if slices.ContainsFunc(notPerRequest, begins) {
		return fmt.Errorf("%s %s: it says nothing about the caller", option, text)
	}
	return nil
}

// YieldsTenant implements Provider.
func (p *Placeholders) YieldsTenant() bool { return p.Tenant != "" || p.TenantClaim != "" }

var placeholderUnset Answer = NotMine{Reason: "the principal's placeholder is not set"}

// Authenticate implements Provider.
func (p *Placeholders) Authenticate(r *http.Request, _ Credential) Answer {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return &CannotTell{Err: errors.New("request has no placeholders")}
	}
	read := reader(r, repl)
	principal := caddy.ToString(read(p.principal))
	if principal == "" {
		return placeholderUnset
	}
	if p.trustsUnverified(r) {
		return &No{Reason: "client certificate is not verified against a CA: see client_auth's mode and trust_pool"}
	}
	claims := make(map[string]any, len(p.Attributes))
	for _, a := range p.Attributes {
		addValues(claims, a.Attribute, a.values(read))
	}
	tenant := ""
	if text := strings.TrimSpace(caddy.ToString(read(p.tenant))); text != "" {
		var err error
		if tenant, err = abac.ParseTenant(text); err != nil {
			return &No{Reason: fmt.Sprintf("placeholder of tenant: %v", err)}
		}
	}
	user, err := p.IdentifyAs(principal, tenant, claims)
	if err != nil {
		return &No{Reason: err.Error()}
	}
	return &Yes{User: user}
}

// trustsUnverified reports whether something would be taken from a client
// certificate that Caddy has not verified. Attributes of one that is not there
// are unset, and nothing is wrong with that.
func (p *Placeholders) trustsUnverified(r *http.Request) bool {
	verified := r.TLS != nil && len(r.TLS.VerifiedChains) > 0
	shown := r.TLS != nil && len(r.TLS.PeerCertificates) > 0
	if strings.HasPrefix(p.principal, clientCertificate) {
		return !verified
	}
	return p.fromCertificate() && shown && !verified
}

// fromCertificate reports whether anything is taken from a client certificate.
func (p *Placeholders) fromCertificate() bool {
	return strings.HasPrefix(p.principal, clientCertificate) || strings.HasPrefix(p.tenant, clientCertificate) ||
		slices.ContainsFunc(p.Attributes, func(a AttributePlaceholder) bool {
			return strings.HasPrefix(keyOfPlaceholder(a.Placeholder), clientCertificate)
		})
}

// reader returns what placeholders of the request have, nil where one is unset.
// Of a certificate that is not there Caddy gives a serial number `<nil>`.
func reader(r *http.Request, repl *caddy.Replacer) func(key string) any {
	shown := r.TLS != nil && len(r.TLS.PeerCertificates) > 0
	return func(key string) any {
		if key == "" || !shown && strings.HasPrefix(key, clientCertificate) {
			return nil
		}
		v, _ := repl.Get(key)
		return v
	}
}

func (a AttributePlaceholder) values(read func(string) any) []any {
	v := read(keyOfPlaceholder(a.Placeholder))
	var texts []string
	switch v := v.(type) {
	case []string:
		texts = v
	case nil:
	default:
		texts = []string{caddy.ToString(v)}
		if a.Separator != "" {
			texts = strings.Split(texts[0], a.Separator)
		}
	}
	values := make([]any, 0, len(texts))
	for _, text := range texts {
		if text = strings.TrimSpace(text); text != "" {
			values = append(values, text)
		}
	}
	return values
}

// UnmarshalCaddyfile reads
//
//	placeholders [<name>] {
//	    principal <placeholder>
//	    attribute <name> <placeholder> [<separator>]
//	    tenant    <placeholder>
//	    # and the options of Common
//	}
func (p *Placeholders) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	if err := p.UnmarshalBlock(d, p.unmarshalOption); err != nil {
		return err
	}
	return Located(d, p.check())
}

func (p *Placeholders) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "principal":
		if err := TextOption(d, &p.Principal); err != nil {
			return err
		}
		return Located(d, checkPlaceholder("principal", p.Principal))
	case "tenant":
		if err := TextOption(d, &p.Tenant); err != nil {
			return err
		}
		return Located(d, checkPlaceholder("tenant", p.Tenant))
	case "attribute":
		args := d.RemainingArgs()
		if len(args) < 2 || len(args) > 3 {
			return d.Errf("attribute: expected <name> <placeholder> [<separator>]")
		}
		a := AttributePlaceholder{Attribute: args[0], Placeholder: args[1]}
		if len(args) == 3 {
			a.Separator = args[2]
		}
		if err := abac.CheckAttributeName(a.Attribute); err != nil {
			return Located(d, err)
		}
		if err := checkPlaceholder("attribute "+a.Attribute, a.Placeholder); err != nil {
			return Located(d, err)
		}
		p.Attributes = append(p.Attributes, a)
		return nil
	}
	return d.Errf("unrecognized option %q of provider placeholders", d.Val())
}

var (
	_ caddy.Provisioner     = (*Placeholders)(nil)
	_ caddyfile.Unmarshaler = (*Placeholders)(nil)
	_ Provider              = (*Placeholders)(nil)
)
