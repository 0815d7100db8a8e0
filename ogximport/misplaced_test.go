package ogximport_test

import (
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/ogximport"
)

// A policy that stands too far out is followed by nobody. Whoever wrote it must
// hear so before the gateway takes its place.
func TestAPolicyThatOGXPassesOverIsNotDroppedInSilence(t *testing.T) {
	const rules = "[{permit: {paths: '/v1/x', actions: read}}]\n"
	for file, want := range map[string]string{
		typed + "access_policy: " + rules:                                  "line 6: access_policy: belongs into server.auth: OGX passes over it here",
		typed + "route_policy: " + rules:                                   "line 6: route_policy: belongs into server.auth: OGX passes over it here",
		typed + "provider_config: {type: custom}\n":                        "line 6: provider_config: belongs into server.auth: OGX passes over it here",
		typed + "auth: {route_policy: " + strings.TrimSpace(rules) + "}\n": "line 6: auth: belongs into server: OGX passes over it here",
		typed + "tenancy: {mode: multi}\n":                                 "line 6: tenancy: belongs into server: OGX passes over it here",
		typed + "  access_policy: " + rules:                                "line 6: server.access_policy: belongs into server.auth: OGX passes over it here",
		typed + "  route_policy: " + rules:                                 "line 6: server.route_policy: belongs into server.auth: OGX passes over it here",
		typed + "  provider_config: {type: custom}\n":                      "line 6: server.provider_config: belongs into server.auth: OGX passes over it here",
		"auth: {provider_config: {type: custom}}\n":                        "line 1: auth: belongs into server: OGX passes over it here",
		"server:\n  access_policy: " + rules:                               "line 2: server.access_policy: belongs into server.auth: OGX passes over it here",
	} {
		r := importFile(t, file, ogximport.Options{})
		if r.Caddyfile != "" || !says(r.Refusals, want) {
			t.Errorf("%s: got %q, want %s\n%s", file, r.Refusals, want, r.Caddyfile)
		}
		r = importFile(t, file, ogximport.Options{Partial: true})
		if !strings.Contains(r.Caddyfile, "# not carried over: "+want) || strings.Contains(r.Caddyfile, "permit") {
			t.Errorf("%s: with --partial got\n%s\nwant %s", file, r.Caddyfile, want)
		}
	}
	for _, file := range []string{typed, typed + "route_policy:\n", typed + "  route_policy: null\n", typed + "  tenancy: {mode: disabled}\n"} {
		if r := importFile(t, file, ogximport.Options{}); len(r.Refusals) > 0 || r.Caddyfile == "" {
			t.Errorf("%s: got %q", file, r.Refusals)
		}
	}
}
