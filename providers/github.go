package providers

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() {
	caddy.RegisterModule(new(GitHubToken))
}

// githubPrefixes are what the tokens of GitHub begin with: personal (classic),
// OAuth, of a GitHub App's user, installation, refresh, personal (fine-grained).
// GitHub refuses those that stand for no user; shown to others they would be
// somebody's secret in the wrong hands.
var githubPrefixes = []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}

// GitHubToken accepts access tokens of GitHub, or of a GitHub Enterprise Server.
// GitHub itself is asked whose they are, with the caller's own token.
//
// The principal is `github:<id>`, because a login can be given up and registered
// again by somebody else. The claims are `id`, `login`, `type`, `organizations`
// (the logins) and `organization_ids`; what users write about themselves (name,
// company, email, …) is not among them.
//
// A token is GitHub's and not made for the gateway: whoever receives somebody's
// token, for whatever purpose, can call as that person. `application` narrows
// tokens to those of one OAuth or GitHub App.
type GitHubToken struct {
	Common
	Network

	// The address of the REST API. Default: https://api.github.com. That of a
	// GitHub Enterprise Server is https://HOST/api/v3. Must be https, unless it
	// is loopback or `allow_http` is set.
	GitHubAPIBaseURL string `json:"github_api_base_url,omitempty"`

	// The organizations, by their logins, of one of which the user must be a
	// member. Upper and lower case are the same, as they are to GitHub. Default:
	// no such condition.
	Organizations []string `json:"organizations,omitzero"`

	// The app whose tokens count, and no others. Default: tokens of every app,
	// and personal ones.
	Application *GitHubApplication `json:"application,omitempty"`

	base        string              // expanded, without a slash at the end
	gate        map[string]struct{} // expanded, folded
	application GitHubApplication   // expanded
	trust       shapeKey            // stands for whom answers are from
	lists       bool                // organizations are asked for

	pages        *githubPages
	releasePages func() error
}

// GitHubApplication names an OAuth App or a GitHub App.
type GitHubApplication struct {
	// The app's client id. Required.
	ClientID string `json:"client_id,omitempty"`

	// Its client secret. Required. Placeholders {env.X} and {file./path} keep it
	// out of the configuration.
	ClientSecret string `json:"client_secret,omitempty"`
}

// CaddyModule implements caddy.Module.
func (*GitHubToken) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  Namespace + ".github_token",
		New: func() caddy.Module { return new(GitHubToken) },
	}
}

// Provision implements caddy.Provisioner.
func (g *GitHubToken) Provision(ctx caddy.Context) error {
	err := g.SetUp(ctx, Defaults{
		Type:              "github_token",
		Mapping:           []ClaimMapping{{claimOrganizations, "teams"}},
		OGX:               []ClaimMapping{{"login", "roles"}, {claimOrganizations, "teams"}},
		PrincipalClaim:    []string{claimPrincipal},
		OGXPrincipalClaim: []string{"login"},
	})
	if err != nil {
		return err
	}
	if err := g.SetUpNetwork(ctx); err != nil {
		return err
	}
	if err := g.check(); err != nil {
		return err
	}
	if err := g.expand(); err != nil {
		return err
	}
	if g.base == githubBase && len(g.gate) == 0 {
		g.Logger().Warn("without organizations, everybody who has a GitHub account is authenticated")
	}
	g.lists = g.needsOrganizations()
	if g.pages, g.releasePages, err = acquireGitHubPages(); err != nil {
		return err
	}
	g.trust = sha256.Sum256(fmt.Appendf(nil, "github %q %q", g.base, g.transport))
	return g.SetUpJudge(&g.Common, Judge{
		Address:  g.judgeAddress(),
		CacheTTL: defaultCacheTTL,
		Shape: struct {
			Gate        map[string]struct{}
			Application GitHubApplication
			Lists       bool
		}{g.gate, g.application, g.lists},
	})
}

// judgeAddress is what the circuit breaker is shared by. With an app, its rate
// limit is one for all callers: it must not shut out those who do without.
func (g *GitHubToken) judgeAddress() string {
	if g.Application == nil {
		return g.base
	}
	return g.base + g.application.path()
}

// needsOrganizations reports whether anything is made of the organizations.
// Asking costs each caller a request, and demands a scope of the token.
func (g *GitHubToken) needsOrganizations() bool {
	if len(g.gate) > 0 {
		return true
	}
	paths := slices.Clone(g.identity.principals)
	if g.identity.tenant != nil {
		paths = append(paths, *g.identity.tenant)
	}
	for _, source := range g.identity.attributes {
		paths = append(paths, source.path)
	}
	return slices.ContainsFunc(paths, func(p claimPath) bool {
		first := p.segments[0]
		return strings.HasPrefix(first, claimOrganizations) || strings.HasPrefix(first, claimOrganizationIDs)
	})
}

// Cleanup implements caddy.CleanerUpper.
func (g *GitHubToken) Cleanup() error {
	err := g.CleanUpJudge()
	if g.releasePages != nil {
		err = errors.Join(err, g.releasePages())
	}
	return err
}

// Scope implements Provider.
func (g *GitHubToken) Scope() Scope {
	if g.Tokens != nil {
		return g.Narrow(Scope{Opaque: true})
	}
	return Scope{Opaque: true, Prefixes: githubPrefixes}
}

// ofAnotherKind is made once: beside other providers it is said of good tokens.
var ofAnotherKind Answer = NotMine{Reason: "does not begin as GitHub's tokens do"}

// Authenticate implements Provider.
func (g *GitHubToken) Authenticate(r *http.Request, c Credential) Answer {
	switch {
	case c.Token == "":
		return NotMine{}
	case !g.Takes(c.Token):
		return ofAnotherForm
	case g.Tokens == nil && !slices.ContainsFunc(githubPrefixes, func(p string) bool { return strings.HasPrefix(c.Token, p) }):
		return ofAnotherKind
	}
	question := Question{Token: c.Token}
	if known := g.Known(question); known != nil {
		return known
	}
	return g.Ask(r, question, func(ctx context.Context) Answer { return g.judge(ctx, c.Token) })
}

// judge finds out whose token it is. The app is asked last: made-up tokens would
// use up its rate limit, which is one for all callers, and end here before.
func (g *GitHubToken) judge(ctx context.Context, token string) Answer {
	user, answer := g.askUser(ctx, token)
	if answer != nil {
		return answer
	}
	claims := user.claims()
	if g.lists {
		organizations, answer := g.askOrganizations(ctx, token)
		if answer != nil {
			return afterUser(answer)
		}
		if reason := g.turnsAway(organizations); reason != "" {
			return &No{Reason: reason}
		}
		addOrganizations(claims, organizations)
	}
	var ends time.Time
	if g.Application != nil {
		if ends, answer = g.checkApplication(ctx, token); answer != nil {
			return answer
		}
	}
	identified, err := g.Identify(claims)
	if err != nil {
		return &No{Reason: err.Error()}
	}
	return &Yes{User: identified, Expires: earlier(ends, user.expires)}
}

// afterUser says of an answer that GitHub answered: it has told whose the token
// is. One account in thousands of organizations takes longer than the timeout,
// and must not open the breaker for the others.
func afterUser(a Answer) Answer {
	if cannot, unsure := a.(*CannotTell); unsure {
		cannot.Answered = true
	}
	return a
}

// turnsAway says why a member of these organizations does not get in. Names
// that differ only in the case of ASCII letters are one organization to GitHub
// ("the name is not case sensitive"), so that folding them lets nobody else in.
func (g *GitHubToken) turnsAway(organizations []githubOrganization) string {
	switch {
	case len(g.gate) == 0:
		return ""
	case len(organizations) == 0:
		return "token shows no organization (fine-grained ones never do)"
	case !slices.ContainsFunc(organizations, func(o githubOrganization) bool {
		_, there := g.gate[foldLogin(o.login)]
		return there
	}):
		return "token shows none of the configured organizations"
	}
	return ""
}

// foldLogin folds the case of ASCII letters, and of no others: strings.EqualFold
// takes the Kelvin sign for a k.
func foldLogin(login string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, login)
}

// earlier returns the earlier of two times; zero means that there is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

var (
	_ caddy.Provisioner     = (*GitHubToken)(nil)
	_ caddy.CleanerUpper    = (*GitHubToken)(nil)
	_ caddyfile.Unmarshaler = (*GitHubToken)(nil)
	_ Provider              = (*GitHubToken)(nil)
)
