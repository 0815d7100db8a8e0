package providers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

func init() {
	caddy.RegisterModule(new(Custom))
}

const (
	cacheByRequest = "request"
	cacheByToken   = "token"
)

// Custom asks an HTTP endpoint of your own about each credential, so that keys
// are managed where you like. The endpoint gets
//
//	{"api_key": "<token>", "request": {"path": …, "headers": {…}, "params": {…}}}
//
// as JSON by POST. 200 means that the key is good: the answer may say who it is
// of (`principal`), and what is known of them (`attributes`, or
// `access_attributes`, an object of lists of strings). 401 and 403 mean that it
// is not; anything else, that nobody can tell.
//
// Without a `principal` the caller is `key:` and a fingerprint of the key.
// Without any attributes, and without a `claims_mapping`, that fingerprint is
// the caller's `namespaces`, so that what a key creates belongs to that key.
// Paths of `claims_mapping`, `principal_claim` (default: principal) and
// `tenant_claim` are read from the top of the answer.
type Custom struct {
	Common
	Network

	// The address of the endpoint. Required. Must be https, unless it is
	// loopback or `allow_http` is set. Placeholders {env.X} and {file./path} keep
	// a secret in its query out of the configuration.
	Endpoint string `json:"endpoint,omitempty"`

	// The request headers that the endpoint is shown, as far as they are there.
	// Default: all but credentials, cookies, hop-by-hop and forwarded headers and
	// X-*-Provider-Data. An empty list shows none.
	ForwardHeaders []string `json:"forward_headers,omitzero"`

	// What an answer is reused for: `request` (default), for the same credential
	// with the same request as it is posted, on all of which it may depend; or
	// `token`, for every request with the same credential.
	CacheBy string `json:"cache_by,omitempty"`

	endpoint string // expanded
	headers  []string
	scoped   bool // who has no attributes has a namespace of their own
}

// CaddyModule implements caddy.Module.
func (*Custom) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  Namespace + ".custom",
		New: func() caddy.Module { return new(Custom) },
	}
}

// Provision implements caddy.Provisioner.
func (c *Custom) Provision(ctx caddy.Context) error {
	// OGX takes this provider's attributes as they are, so its preset is the
	// default.
	if err := c.SetUp(ctx, Defaults{Type: "custom", PrincipalClaim: []string{memberPrincipal}}); err != nil {
		return err
	}
	if err := c.SetUpNetwork(ctx); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	var err error
	if c.endpoint, err = Expand("endpoint", c.Endpoint); err != nil {
		return err
	}
	if HasPlaceholder(c.Endpoint) {
		if err := checkExpanded("endpoint", c.Endpoint, c.endpoint, c.AllowHTTP); err != nil {
			return err
		}
	}
	c.scoped = c.ClaimsMapping == nil
	c.prepareHeaders()
	return c.SetUpJudge(&c.Common, Judge{
		Address:  c.endpoint,
		CacheTTL: defaultCacheTTL,
		Posted:   c.CacheBy != cacheByToken,
		Shape: struct {
			Headers []string
			All     bool
			ByToken bool
		}{slices.Sorted(slices.Values(c.headers)), c.ForwardHeaders == nil, c.CacheBy == cacheByToken},
	})
}

// prepareHeaders warns of headers that are shown only because they are named.
func (c *Custom) prepareHeaders() {
	for _, name := range c.ForwardHeaders {
		if withheldHeader(name) {
			c.Logger().Warn("forward_headers: the endpoint is shown a header that may hold a secret, or that callers can forge",
				zap.String("header", name))
		}
		c.headers = append(c.headers, strings.ToLower(name))
	}
}

// Cleanup implements caddy.CleanerUpper. It runs after a failed Provision too,
// and gives back only what this instance took.
func (c *Custom) Cleanup() error { return c.CleanUpJudge() }

// Scope implements Provider. An endpoint may know credentials of any form.
func (c *Custom) Scope() Scope { return c.Narrow(Scope{JWT: true, Opaque: true}) }

// Authenticate implements Provider.
func (c *Custom) Authenticate(r *http.Request, credential Credential) Answer {
	if credential.Token == "" {
		return NotMine{}
	}
	if !c.Takes(credential.Token) {
		return ofAnotherForm
	}
	// Made before anybody waits: the call may outlive the request.
	posted, err := c.question(r, credential.Token)
	if err != nil {
		return &No{Reason: err.Error()}
	}
	q := Question{Token: credential.Token, Posted: posted}
	if c.CacheBy == cacheByToken {
		q.Posted = nil
	}
	return c.Ask(r, q, func(ctx context.Context) Answer { return c.post(ctx, posted, credential.Token) })
}

// check finds what is wrong with the options as they are written.
func (c *Custom) check() error {
	if c.Endpoint == "" {
		return errors.New("endpoint is required")
	}
	if err := c.checkEndpoint(c.AllowHTTP); err != nil {
		return err
	}
	if err := c.checkHeaders(); err != nil {
		return err
	}
	return c.checkCacheBy()
}

func (c *Custom) checkHeaders() error {
	for i, name := range c.ForwardHeaders {
		if err := checkForwarded(name); err != nil {
			return err
		}
		if slices.ContainsFunc(c.ForwardHeaders[:i], func(earlier string) bool { return strings.EqualFold(earlier, name) }) {
			return fmt.Errorf("forward_headers: %s is there twice", name)
		}
	}
	return nil
}

func (c *Custom) checkCacheBy() error {
	switch c.CacheBy {
	case "", cacheByRequest, cacheByToken:
		return nil
	}
	return fmt.Errorf("cache_by %q: expected request or token", c.CacheBy)
}

// checkEndpoint checks the address. Errors are logged, and what is behind the ?
// is a secret with some services, so an error never has it.
func (c *Custom) checkEndpoint(allowHTTP bool) error {
	if err := CheckPlaceholders("endpoint", c.Endpoint); err != nil {
		return err
	}
	err := CheckAddress("endpoint", c.Endpoint, allowHTTP)
	shown, _, hasQuery := strings.Cut(c.Endpoint, "?")
	if err == nil || !hasQuery {
		return err
	}
	if err := CheckAddress("endpoint", shown, allowHTTP); err != nil {
		return err
	}
	return errors.New("endpoint: expected an absolute https URL with a query that can be read, and without a fragment")
}
