package providers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"
)

// pingAfter is how long an HTTP/2 connection may say nothing before it is asked
// whether it is there, and pingWait how long it has for that.
const (
	pingAfter = 3 * time.Second
	pingWait  = 2 * time.Second
)

// defaultTimeout bounds one call to a service.
const defaultTimeout = 5 * time.Second

// Network holds the options of providers that call a service.
type Network struct {
	// The longest that one call to the service may take. Default: 5s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How the service is reached: any of reverse_proxy's transports, with all
	// that it has (custom CAs, client certificates, proxies). Default: `http`.
	TransportRaw json.RawMessage `json:"transport,omitempty" caddy:"namespace=http.reverse_proxy.transport inline_key=protocol"`

	// Lets addresses be plain http:// although they are not loopback.
	AllowHTTP bool `json:"allow_http,omitempty"`

	// How long a yes is reused. Default: 30s; 10s for Kubernetes; a JWT that is
	// checked here, until it expires. 0 turns reuse off: what the service revokes
	// is refused at once.
	CacheTTL *caddy.Duration `json:"cache_ttl,omitempty"`

	// How long beyond `cache_ttl` a yes serves on while the service cannot tell,
	// never past the token's own end. Default: 0, not at all.
	StaleIfError *caddy.Duration `json:"stale_if_error,omitempty"`

	// Which tokens are this provider's own, by their form.
	Tokens *TokenForm `json:"tokens,omitempty"`

	// Lets the next provider be asked after this one's *no* or *cannot tell*,
	// which shows it a token that is not its own.
	Fallthrough bool `json:"fallthrough,omitempty"`

	client *http.Client
	log    *zap.Logger

	// Of Ask.
	ttl                            time.Duration
	leeway                         time.Duration // of the exp that a JWT shows
	shape                          shapeKey
	answers                        *answers
	service                        *service
	releaseAnswers, releaseService func() error

	// What TransportRaw was: Caddy takes it away when it loads the module.
	transport string
}

// TokenForm narrows the tokens that a provider claims.
type TokenForm struct {
	// jwt, opaque, or prefix.
	Form string `json:"form"`

	// For prefix: what the tokens begin with, any one of them.
	Prefixes []string `json:"prefixes,omitempty"`
}

const (
	formJWT    = "jwt"
	formOpaque = "opaque"
	formPrefix = "prefix"
)

func (f *TokenForm) check() error {
	switch f.Form {
	case formJWT, formOpaque:
		if len(f.Prefixes) > 0 {
			return fmt.Errorf("tokens %s: unexpected %q", f.Form, f.Prefixes[0])
		}
	case formPrefix:
		if len(f.Prefixes) == 0 || slices.Contains(f.Prefixes, "") {
			return fmt.Errorf("tokens prefix: expected at least one prefix")
		}
		if i := slices.IndexFunc(f.Prefixes, HasPlaceholder); i >= 0 {
			return fmt.Errorf("tokens prefix %q: placeholders are not resolved here", f.Prefixes[i])
		}
	default:
		return fmt.Errorf("tokens %q: expected jwt, opaque or prefix", f.Form)
	}
	return nil
}

// claims reports whether the token has the form.
func (f *TokenForm) claims(token string) bool {
	if f == nil {
		return true
	}
	switch f.Form {
	case formJWT:
		return strings.Count(token, ".") == 2
	case formOpaque:
		return strings.Count(token, ".") != 2
	}
	return slices.ContainsFunc(f.Prefixes, func(p string) bool { return strings.HasPrefix(token, p) })
}

// Takes reports whether the option `tokens` leaves the token to this provider.
func (n *Network) Takes(token string) bool { return n.Tokens.claims(token) }

// Narrow returns the scope as the option `tokens` narrows it.
func (n *Network) Narrow(s Scope) Scope {
	if n.Tokens == nil {
		return s
	}
	switch n.Tokens.Form {
	case formJWT:
		s.Opaque = false
	case formOpaque:
		s.JWT, s.Issuer = false, ""
	default:
		s.Prefixes = n.Tokens.Prefixes
	}
	return s
}

// coversPrefixes reports whether every token that begins with one of theirs
// begins with one of ours; none means any token.
func coversPrefixes(ours, theirs []string) bool {
	if len(ours) == 0 {
		return true
	}
	if len(theirs) == 0 {
		return false
	}
	return !slices.ContainsFunc(theirs, func(their string) bool {
		return !slices.ContainsFunc(ours, func(our string) bool { return strings.HasPrefix(their, our) })
	})
}

// FallsThrough reports whether the next provider is asked after a *no*.
func (n *Network) FallsThrough() bool { return n.Fallthrough }

// SetUpNetwork checks the options and prepares the client. Nothing is sent.
func (n *Network) SetUpNetwork(ctx caddy.Context) error {
	if err := n.checkNetwork(); err != nil {
		return err
	}
	if n.Timeout == 0 {
		n.Timeout = caddy.Duration(defaultTimeout)
	}
	transport, err := n.loadTransport(ctx)
	if err != nil {
		return fmt.Errorf("loading transport: %w", err)
	}
	n.client = &http.Client{
		Transport: outside{transport},
		// A redirect would take the credential to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

func (n *Network) checkNetwork() error {
	if n.Timeout < 0 {
		return fmt.Errorf("timeout %s: expected more than zero", time.Duration(n.Timeout))
	}
	if n.CacheTTL != nil && *n.CacheTTL < 0 {
		return fmt.Errorf("cache_ttl %s: expected zero or more", time.Duration(*n.CacheTTL))
	}
	if n.StaleIfError != nil && *n.StaleIfError < 0 {
		return fmt.Errorf("stale_if_error %s: expected zero or more", time.Duration(*n.StaleIfError))
	}
	if n.Tokens != nil {
		return n.Tokens.check()
	}
	return nil
}

func (n *Network) loadTransport(ctx caddy.Context) (http.RoundTripper, error) {
	n.transport = string(n.TransportRaw)
	var v any
	var err error
	if n.TransportRaw == nil {
		v, err = ctx.LoadModuleByID("http.reverse_proxy.transport.http", nil)
	} else {
		v, err = ctx.LoadModule(n, "TransportRaw")
	}
	if err != nil {
		return nil, err
	}
	// A connection that died in silence (a failover of a load balancer, a NAT
	// that forgot it) would otherwise be used until TCP gives up, minutes later:
	// a request that times out does not end an HTTP/2 connection.
	if h, ok := v.(*reverseproxy.HTTPTransport); ok && h.Transport != nil && h.Transport.HTTP2 == nil {
		h.Transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingWait}
	}
	transport, ok := v.(http.RoundTripper)
	if !ok {
		return nil, fmt.Errorf("module %T is not a transport", v)
	}
	return transport, nil
}

// Client returns the client for calls to the service. It follows no redirects.
func (n *Network) Client() *http.Client { return n.client }

// outside lets reverse_proxy's transports be used where there is no request:
// they look for a replacer in the context.
type outside struct{ http.RoundTripper }

func (o outside) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, there := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); !there {
		r = r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer()))
	}
	return o.RoundTripper.RoundTrip(r)
}
