package providers

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// githubBase is the address of GitHub's own REST API.
const githubBase = "https://api.github.com"

// UnmarshalCaddyfile reads
//
//	github_token [<name>] {
//	    github_api_base_url <url>
//	    organizations       <login>...
//	    application {
//	        client_id     <id>
//	        client_secret <secret>
//	    }
//	    # and the options of Common and Network
//	}
func (g *GitHubToken) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	if err := g.UnmarshalBlock(d, g.unmarshalOption, g.UnmarshalNetworkOption); err != nil {
		return err
	}
	return Located(d, g.check())
}

func (g *GitHubToken) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "github_api_base_url":
		if err := TextOption(d, &g.GitHubAPIBaseURL); err != nil {
			return err
		}
		// Whether plain http is allowed is known at the end of the block.
		return Located(d, checkGitHubBase(g.GitHubAPIBaseURL, true))
	case "organizations":
		before := len(g.Organizations)
		if err := ListOption(d, &g.Organizations); err != nil {
			return err
		}
		return Located(d, checkOrganizations(g.Organizations[before:]))
	case "application":
		return g.unmarshalApplication(d)
	}
	return d.Errf("unrecognized option %q of provider github_token", d.Val())
}

func (g *GitHubToken) unmarshalApplication(d *caddyfile.Dispenser) error {
	if g.Application != nil {
		return d.Errf("application is there twice")
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	a := new(GitHubApplication)
	g.Application = a
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "client_id":
			if err = TextOption(d, &a.ClientID); err == nil {
				err = Located(d, checkClientID(a.ClientID))
			}
		case "client_secret":
			err = TextOption(d, &a.ClientSecret)
		default:
			err = d.Errf("unrecognized option %q of application", d.Val())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// check finds what is wrong with the options as they are written. Values with
// placeholders are looked at again when they are expanded.
func (g *GitHubToken) check() error {
	if g.Tokens != nil && g.Tokens.Form == formJWT {
		return errors.New("tokens jwt: GitHub's tokens are not JWTs")
	}
	if g.Organizations != nil && len(g.Organizations) == 0 {
		// It would let everybody in, and may have been meant to let in nobody.
		return errors.New("organizations: expected at least one")
	}
	if err := checkOrganizations(g.Organizations); err != nil {
		return err
	}
	if g.Application != nil {
		if err := g.Application.check(); err != nil {
			return err
		}
	}
	return checkGitHubBase(g.GitHubAPIBaseURL, g.AllowHTTP)
}

func (a *GitHubApplication) check() error {
	switch {
	case a.ClientID == "":
		return errors.New("application: client_id is required")
	case a.ClientSecret == "":
		return errors.New("application: client_secret is required")
	}
	if err := checkClientID(a.ClientID); err != nil {
		return err
	}
	return CheckPlaceholders("application: client_secret", a.ClientSecret)
}

// checkGitHubBase checks the address unless it still has to be expanded.
func checkGitHubBase(value string, allowHTTP bool) error {
	if err := CheckAddress("github_api_base_url", value, allowHTTP); err != nil {
		return err
	}
	if !HasPlaceholder(value) && hasQuery(value) {
		return fmt.Errorf("github_api_base_url %q: expected a URL without a query", value)
	}
	return nil
}

// hasQuery reports whether paths put behind the address would land in a query.
func hasQuery(address string) bool { return strings.Contains(address, "?") }

// The characters of which GitHub makes its names and client ids.
const githubNameChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

// isGitHubName reports whether the text can be a login or a client id. Among
// what it keeps out are `..` in the path of an address, and the colon that ends
// a user in Basic authentication.
func isGitHubName(text string) bool {
	return text != "" && len(text) <= 100 && strings.Trim(text, githubNameChars) == "" && strings.Trim(text, ".") != ""
}

func checkOrganizations(names []string) error {
	for _, name := range names {
		if err := CheckPlaceholders("organizations", name); err != nil {
			return err
		}
		if !HasPlaceholder(name) && !isGitHubName(name) {
			return fmt.Errorf("organizations %q: expected the login of an organization, as in https://github.com/<login>", name)
		}
	}
	return nil
}

func checkClientID(id string) error {
	if err := CheckPlaceholders("application: client_id", id); err != nil {
		return err
	}
	if !HasPlaceholder(id) && !isGitHubName(id) {
		return fmt.Errorf("application: client_id %q: expected the client id of an OAuth or GitHub App", id)
	}
	return nil
}

// expand keeps the values of placeholders where the exported configuration,
// which Caddy logs and shows in its admin API, does not have them. Errors have
// the placeholder and not the value, which may be somebody's secret by mistake.
func (g *GitHubToken) expand() error {
	written := g.GitHubAPIBaseURL
	if written == "" {
		written = githubBase
	}
	base, err := Expand("github_api_base_url", written)
	if err != nil {
		return err
	}
	if HasPlaceholder(written) {
		if err := checkExpanded("github_api_base_url", written, base, g.AllowHTTP); err != nil {
			return err
		}
		if hasQuery(base) {
			return fmt.Errorf("github_api_base_url %s: expected it to give a URL without a query", written)
		}
	}
	g.base = strings.TrimRight(base, "/")
	g.gate = make(map[string]struct{}, len(g.Organizations))
	for _, name := range g.Organizations {
		expanded, err := Expand("organizations", name)
		if err != nil {
			return err
		}
		if !isGitHubName(expanded) {
			return fmt.Errorf("organizations %s: expected it to give the login of one organization", name)
		}
		g.gate[foldLogin(expanded)] = struct{}{}
	}
	return g.expandApplication()
}

func (g *GitHubToken) expandApplication() error {
	if g.Application == nil {
		return nil
	}
	var err error
	if g.application.ClientID, err = Expand("application: client_id", g.Application.ClientID); err != nil {
		return err
	}
	if !isGitHubName(g.application.ClientID) {
		return fmt.Errorf("application: client_id %s: expected it to give the client id of an OAuth or GitHub App", g.Application.ClientID)
	}
	g.application.ClientSecret, err = Expand("application: client_secret", g.Application.ClientSecret)
	return err
}

// path is where GitHub tells what it knows of the app's tokens.
func (a *GitHubApplication) path() string {
	return "/applications/" + url.PathEscape(a.ClientID) + "/token"
}
