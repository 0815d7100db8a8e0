// Package gitlab is an example of a provider that is not a part of
// caddy-stack-auth: a module of its own, built into a Caddy with
//
//	xcaddy build --with github.com/caddy-stack-auth/caddy-stack-auth --with example.com/caddy-stack-auth-gitlab
//
// docs/writing-a-provider.md walks through it.
package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

func init() {
	caddy.RegisterModule(new(Token))
}

const (
	// moduleType is the name below providers.Namespace, and what stands behind
	// `provider` in a Caddyfile.
	moduleType = "gitlab_token"

	// prefix is what personal, project and group access tokens begin with,
	// unless an administrator of a GitLab has chosen another.
	prefix = "glpat-"

	// cacheTTL is how long a revoked token is still believed.
	cacheTTL = 30 * time.Second
)

// Token accepts personal, project and group access tokens of a GitLab. GitLab
// itself is asked whose they are, with the caller's own token, which needs the
// scope read_user, read_api or api.
//
// The principal is `gitlab:<id>`, because a username can be given up and taken
// by somebody else. The claims are `id`, `username` and `kind` (user or bot:
// project and group access tokens belong to bots); by default none of them is
// an attribute. Whoever has an account at that GitLab is authenticated: who may
// do what is for `require` to say.
type Token struct {
	providers.Common
	providers.Network

	// The address of the GitLab, without /api/v4. Required. Must be https, unless
	// it is loopback or `allow_http` is set.
	GitLabURL string `json:"gitlab_url,omitempty"`

	address string // expanded: of what is asked
}

// CaddyModule implements caddy.Module.
func (*Token) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  providers.Namespace + "." + moduleType,
		New: func() caddy.Module { return new(Token) },
	}
}

// UnmarshalCaddyfile reads
//
//	gitlab_token [<name>] {
//	    gitlab_url <url>
//	    # and the options of Common and Network
//	}
func (t *Token) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	if err := t.UnmarshalBlock(d, t.unmarshalOption, t.UnmarshalNetworkOption); err != nil {
		return err
	}
	return providers.Located(d, t.check())
}

func (t *Token) unmarshalOption(d *caddyfile.Dispenser) error {
	if d.Val() != "gitlab_url" {
		return d.Errf("unrecognized option %q of provider %s", d.Val(), moduleType)
	}
	return providers.TextOption(d, &t.GitLabURL)
}

// Provision implements caddy.Provisioner. It asks nobody anything: a gateway
// must start while GitLab is down.
func (t *Token) Provision(ctx caddy.Context) error {
	err := t.SetUp(ctx, providers.Defaults{
		Type: moduleType,
		// Empty and not nil, which would make an attribute of every claim.
		Mapping:        []providers.ClaimMapping{},
		OGX:            []providers.ClaimMapping{},
		PrincipalClaim: []string{"principal"},
	})
	if err != nil {
		return err
	}
	if err := t.SetUpNetwork(ctx); err != nil {
		return err
	}
	if err := t.check(); err != nil {
		return err
	}
	base, err := providers.ExpandAddress("gitlab_url", t.GitLabURL, t.AllowHTTP)
	if err != nil {
		return err
	}
	if !isBase(base) {
		// As it is written: what it expands to may be a secret.
		return fmt.Errorf("gitlab_url %s: expected it to give a URL without a query", t.GitLabURL)
	}
	base = strings.TrimRight(base, "/")
	t.address = base + "/api/v4/user"
	return t.SetUpJudge(&t.Common, providers.Judge{Address: base, CacheTTL: cacheTTL})
}

// Cleanup implements caddy.CleanerUpper. It runs after a failed Provision too.
func (t *Token) Cleanup() error { return t.CleanUpJudge() }

// Scope implements providers.Provider: which tokens are its own, as far as the
// configuration tells.
func (t *Token) Scope() providers.Scope {
	// GitLab's newer tokens have two dots, and so look like JWTs.
	all := providers.Scope{JWT: true, Opaque: true}
	if t.Tokens == nil {
		all.Prefixes = []string{prefix}
	}
	return t.Narrow(all)
}

// Authenticate implements providers.Provider.
func (t *Token) Authenticate(r *http.Request, c providers.Credential) providers.Answer {
	switch {
	case c.Token == "":
		return providers.NotMine{}
	case !t.Takes(c.Token) || t.Tokens == nil && !strings.HasPrefix(c.Token, prefix):
		return providers.NotMine{Reason: "does not begin as GitLab's access tokens do"}
	}
	return t.Ask(r, providers.Question{Token: c.Token}, func(ctx context.Context) providers.Answer {
		return t.judge(ctx, c.Token)
	})
}

// check finds what is wrong with the options as they are written, when the
// Caddyfile is adapted. A value with placeholders is known only in Provision.
func (t *Token) check() error {
	if t.GitLabURL == "" {
		return errors.New("gitlab_url is required")
	}
	if err := providers.CheckAddress("gitlab_url", t.GitLabURL, t.AllowHTTP); err != nil {
		return err
	}
	if !providers.HasPlaceholder(t.GitLabURL) && !isBase(t.GitLabURL) {
		return errors.New("gitlab_url: expected a URL without a query")
	}
	return nil
}

// isBase reports whether a path can be put behind the URL.
func isBase(address string) bool { return !strings.ContainsAny(address, "?#") }

var (
	_ caddy.Provisioner     = (*Token)(nil)
	_ caddy.CleanerUpper    = (*Token)(nil)
	_ caddyfile.Unmarshaler = (*Token)(nil)
	_ providers.Provider    = (*Token)(nil)
)
