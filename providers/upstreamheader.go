package providers

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

func init() {
	caddy.RegisterModule(new(UpstreamHeader))
}

// UpstreamHeader takes the caller from request headers that a proxy in front of
// Caddy sets, after that has found out who calls. They count only from the TCP
// peers in `trusted_proxies`; from anybody else they are taken off the request,
// and say nothing. In no case do they go further than here.
type UpstreamHeader struct {
	Common

	// The header with the principal: UTF-8, up to 256 bytes. Required.
	PrincipalHeader string `json:"principal_header,omitempty"`

	// The header with attributes: a JSON object, each member a string (one
	// value) or a list of strings, up to 32 KiB. Default: none.
	AttributesHeader string `json:"attributes_header,omitempty"`

	// Headers with one attribute each: a JSON list of strings, or else one plain
	// value. They add to what the attributes header has.
	AttributeHeaders []SourceHeader `json:"attribute_headers,omitempty"`

	// The header with the tenant. Default: none.
	TenantHeader string `json:"tenant_header,omitempty"`

	// The peers that are believed: addresses, networks (10.0.0.0/8),
	// `private_ranges`, or `unix` for a Unix socket. Required. What counts is who
	// opened the connection; X-Forwarded-For never does.
	TrustedProxies []string `json:"trusted_proxies,omitempty"`

	networks []netip.Prefix
	unix     bool
}

// SourceHeader is a header that holds one attribute.
type SourceHeader struct {
	// The header.
	Header string `json:"header"`

	// The attribute.
	Attribute string `json:"attribute"`
}

const (
	privateRanges = "private_ranges"
	unixSocket    = "unix"

	// maxAttributesHeader is the longest value of a header with attributes, in
	// bytes.
	maxAttributesHeader = 32 << 10
)

// CaddyModule implements caddy.Module.
func (*UpstreamHeader) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  Namespace + ".upstream_header",
		New: func() caddy.Module { return new(UpstreamHeader) },
	}
}

// Provision implements caddy.Provisioner.
func (u *UpstreamHeader) Provision(ctx caddy.Context) error {
	if err := u.SetUp(ctx, Defaults{Type: "upstream_header"}); err != nil {
		return err
	}
	if err := u.check(); err != nil {
		return err
	}
	for _, name := range u.TrustedProxies {
		if name == unixSocket {
			u.unix = true
			continue
		}
		networks, err := parseProxies(name)
		if err != nil {
			return err
		}
		u.networks = append(u.networks, networks...)
	}
	return nil
}

func (u *UpstreamHeader) check() error {
	switch {
	case len(u.PrincipalClaim) > 0:
		return errors.New("principal_claim has no meaning for upstream_header: principal_header says who calls")
	case u.PrincipalHeader == "":
		return errors.New("principal_header is required")
	case len(u.TrustedProxies) == 0:
		// Whoever reaches Caddy could be anybody by a header.
		return errors.New("trusted_proxies is required: the addresses of the proxies that set the headers")
	}
	for _, name := range u.TrustedProxies {
		if name == unixSocket {
			continue
		}
		if _, err := parseProxies(name); err != nil {
			return err
		}
	}
	for _, a := range u.AttributeHeaders {
		if err := abac.CheckAttributeName(a.Attribute); err != nil {
			return fmt.Errorf("attribute_header %s: %w", a.Header, err)
		}
	}
	var seen []string
	for _, name := range u.SourceHeaders() {
		if !isToken(name) {
			return fmt.Errorf("%q is not the name of a header", name)
		}
		if folded := FoldHeader(name); slices.Contains(notSources, folded) {
			return fmt.Errorf("header %s means something else to HTTP", name)
		}
		if slices.ContainsFunc(seen, func(other string) bool { return SameHeader(other, name) }) {
			return fmt.Errorf("header %s is there twice: one header says one thing", name)
		}
		seen = append(seen, name)
	}
	return nil
}

// notSources are headers that would be missed if they were taken off.
var notSources = []string{
	"host", "connection", "content-length", "content-type", "content-encoding", "transfer-encoding",
	"te", "trailer", "upgrade", "cookie", "authorization", "proxy-authorization",
}

// parseProxies reads one word of trusted_proxies.
func parseProxies(name string) ([]netip.Prefix, error) {
	words := []string{name}
	if name == privateRanges {
		words = caddyhttp.PrivateRangesCIDR()
	}
	networks := make([]netip.Prefix, 0, len(words))
	for _, word := range words {
		network, err := caddyhttp.CIDRExpressionToPrefix(word)
		if err != nil {
			return nil, fmt.Errorf("trusted_proxies %q: expected an address, a network such as 10.0.0.0/8, private_ranges or unix", name)
		}
		networks = append(networks, network)
	}
	return networks, nil
}

// SourceHeaders implements HeaderReader.
func (u *UpstreamHeader) SourceHeaders() []string {
	names := []string{u.PrincipalHeader}
	for _, name := range []string{u.AttributesHeader, u.TenantHeader} {
		if name != "" {
			names = append(names, name)
		}
	}
	for _, a := range u.AttributeHeaders {
		names = append(names, a.Header)
	}
	return names
}

// Trusts implements HeaderReader.
func (u *UpstreamHeader) Trusts(r *http.Request) bool {
	// Whoever may write to a socket file may also give his own end of it the
	// name of an address.
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == unixSocket {
		return u.unix
	}
	// TLS early data over QUIC comes before the address has been verified.
	if r.TLS != nil && !r.TLS.HandshakeComplete {
		return false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	address := peer.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(u.networks, func(n netip.Prefix) bool { return n.Contains(address) })
}

// YieldsTenant implements Provider.
func (u *UpstreamHeader) YieldsTenant() bool { return u.TenantHeader != "" || u.TenantClaim != "" }

var notFromAProxy Answer = NotMine{Reason: "no caller in the headers of a trusted proxy"}

// Authenticate implements Provider. Credential.Headers has what a trusted peer
// sent; whoever calls without looking whether the peer is trusted gets no
// identity out of it.
func (u *UpstreamHeader) Authenticate(r *http.Request, c Credential) Answer {
	if len(c.Headers) == 0 || !u.Trusts(r) {
		return notFromAProxy
	}
	principal := sent(c.Headers, u.PrincipalHeader)
	if principal == "" {
		return notFromAProxy
	}
	claims := make(map[string]any)
	if text := sent(c.Headers, u.AttributesHeader); text != "" {
		given, err := readAttributes(text)
		if err != nil {
			return &No{Reason: fmt.Sprintf("header %s: %v", u.AttributesHeader, err)}
		}
		maps.Copy(claims, given)
	}
	for _, a := range u.AttributeHeaders {
		values, err := readValues(sent(c.Headers, a.Header))
		if err != nil {
			return &No{Reason: fmt.Sprintf("header %s: %v", a.Header, err)}
		}
		addValues(claims, a.Attribute, values)
	}
	tenant := ""
	if text := sent(c.Headers, u.TenantHeader); text != "" {
		var err error
		if tenant, err = abac.ParseTenant(text); err != nil {
			return &No{Reason: fmt.Sprintf("header %s: %v", u.TenantHeader, err)}
		}
	}
	user, err := u.IdentifyAs(principal, tenant, claims)
	if err != nil {
		return &No{Reason: err.Error()}
	}
	return &Yes{User: user}
}

// sent returns the value of a header, without blanks around it.
func sent(h http.Header, name string) string {
	values := h[textproto.CanonicalMIMEHeaderKey(name)]
	if name == "" || len(values) == 0 {
		return ""
	}
	return strings.Trim(values[0], " \t")
}

// readAttributes reads a JSON object of strings and lists of strings. Anything
// else in it is an error: what a proxy meant by it would be a guess.
func readAttributes(text string) (map[string]any, error) {
	if len(text) > maxAttributesHeader {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(text), maxAttributesHeader)
	}
	claims, err := strictjson.Object([]byte(text))
	if err != nil {
		return nil, err
	}
	for _, v := range claims {
		switch v := v.(type) {
		case string:
		case []any:
			if !allStrings(v) {
				return nil, errors.New("a list has an element that is not a string")
			}
		default:
			return nil, errors.New("a member is neither a string nor a list of strings")
		}
	}
	return claims, nil
}

// readValues reads the values of one attribute: a JSON list of strings or a
// JSON string, as OGX does, or else the text as it is.
func readValues(text string) ([]any, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxAttributesHeader {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(text), maxAttributesHeader)
	}
	if text[0] != '[' && text[0] != '"' {
		return []any{text}, nil
	}
	wrapped, err := strictjson.Object([]byte(`{"v":` + text + `}`))
	if err != nil || len(wrapped) != 1 {
		return []any{text}, nil //nolint:nilerr // not a JSON value: plain text
	}
	switch v := wrapped["v"].(type) {
	case string:
		return []any{v}, nil
	case []any:
		if allStrings(v) {
			return v, nil
		}
	}
	return nil, errors.New("the list has an element that is not a string")
}

func allStrings(list []any) bool {
	return !slices.ContainsFunc(list, func(v any) bool { _, ok := v.(string); return !ok })
}

// addValues appends to the values that a claim has.
func addValues(claims map[string]any, name string, values []any) {
	if len(values) == 0 {
		return
	}
	switch had := claims[name].(type) {
	case string:
		values = append([]any{had}, values...)
	case []any:
		values = append(slices.Clone(had), values...)
	}
	claims[name] = values
}

var (
	_ caddy.Provisioner = (*UpstreamHeader)(nil)
	_ HeaderReader      = (*UpstreamHeader)(nil)
)
