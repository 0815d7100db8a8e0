package main

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
)

// Names of the sites that others are compared with.
const (
	bareSite    = "bare"
	controlSite = "control"
)

// site is one way to stand in front of the stack, on a port of its own.
type site struct {
	name  string
	label string
	// auth is what its Caddyfile block has before reverse_proxy.
	auth string
	// tokens are presented in turn; none: no Authorization header.
	tokens []string
	status int
	// goal is the added CPU time to reach, in µs; 0 is none.
	goal float64
	// helper says that the helper's CPU time belongs to the site too.
	helper bool
}

// stackAuth is the block with the options that a site's provider and the
// block itself have beyond the least.
func (s *services) stackAuth(site, provider, block string) string {
	// The further audience is nobody's. Sites whose tokens are judged alike
	// share a cache, and each is to have its own here.
	return fmt.Sprintf(`	stack_auth {
		provider oauth2_token {
			issuer %s
			audience %s %s-%s
			%s
		}
		%s
	}
`, s.issuer, audience, audience, site, provider, block)
}

// introspection is the block that asks the helper about each token.
func (s *services) introspection(provider, block string) string {
	return fmt.Sprintf(`	stack_auth {
		provider oauth2_token {
			issuer %s
			audience %s
			introspection {
				url http://%s%s
				client_id bench
				client_secret bench-only
			}
			%s
		}
		%s
	}
`, s.issuer, audience, s.helper, introspectionPath, provider, block)
}

// sites lists what is measured. manyTokens is how many callers the site with
// many has.
func (s *services) sites(manyTokens int) ([]site, error) {
	many, err := s.keys.rsa.tokens(manyTokens)
	if err != nil {
		return nil, err
	}
	ec, err := s.keys.ecdsa.tokens(1)
	if err != nil {
		return nil, err
	}
	ed, err := s.keys.ed25519.tokens(1)
	if err != nil {
		return nil, err
	}
	one := many[:1]
	const forward, uncached = "forward_token", "cache_ttl 0"
	auth := s.stackAuth
	sites := []site{
		{name: bareSite, label: "bare reverse_proxy", tokens: one},
		{name: controlSite, label: "bare reverse_proxy again (control)", tokens: one},
		{name: "bare_no_token", label: "bare reverse_proxy, no token sent"},
		{name: "default", label: "stack_auth, one RS256 token", tokens: one, auth: auth("default", "", ""), goal: 3},
		{name: "forwarded", label: "… with forward_token", tokens: one, auth: auth("forwarded", "", forward), goal: 8},
		{name: "many", label: fmt.Sprintf("… with forward_token, %d tokens", manyTokens), tokens: many, auth: auth("many", "", forward), goal: 13},
		{name: "es256", label: "… with forward_token, one ES256 token", tokens: ec, auth: auth("es256", "", forward), goal: 8},
		{name: "rs256_uncached", label: "… RS256 checked each time, forwarded", tokens: one, auth: auth("rs256", uncached, forward), goal: 65},
		{name: "es256_uncached", label: "… ES256 checked each time, forwarded", tokens: ec, auth: auth("es256u", uncached, forward), goal: 105},
		{name: "eddsa_uncached", label: "… EdDSA checked each time, forwarded", tokens: ed, auth: auth("eddsa", uncached, forward), goal: 85},
		{name: "api_key", label: "stack_auth, one API key", tokens: one, goal: 3, auth: fmt.Sprintf(`	stack_auth {
		provider api_key {
			key sha256:%x somebody
		}
	}
`, sha256.Sum256([]byte(one[0])))},
		{name: "introspection", label: "introspection, remembered, forwarded", tokens: one, auth: s.introspection("", forward), goal: 8},
		{name: "introspection_asked", label: "introspection asked each time, forwarded", tokens: one, auth: s.introspection(uncached, forward), goal: 40, helper: true},
		{name: "refused", label: "stack_auth refuses a bad signature", tokens: spoil(many), auth: auth("refused", "", ""), goal: 10, status: http.StatusUnauthorized},
		{name: "forward_auth", label: "forward_auth to a service that says yes", tokens: one, helper: true, auth: fmt.Sprintf(`	forward_auth %s {
		uri /
		copy_headers X-Auth-User-Id
	}
`, s.helper)},
	}
	for i := range sites {
		if sites[i].status == 0 {
			sites[i].status = http.StatusOK
		}
	}
	return sites, nil
}

// caddyfile puts each site on its port.
func (s *services) caddyfile(admin string, sites []site, ports []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{\n\tadmin %s\n\tpersist_config off\n\tauto_https off\n\tgrace_period 1s\n}\n", admin)
	for i, site := range sites {
		fmt.Fprintf(&b, "\nhttp://:%s {\n\tbind 127.0.0.1\n%s\treverse_proxy %s\n}\n", ports[i], site.auth, s.upstream)
	}
	return b.String()
}
