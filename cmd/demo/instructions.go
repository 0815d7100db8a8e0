package main

import (
	"fmt"
	"strings"
)

// try is one line to copy, with what it shows.
type try struct {
	expect string
	line   string
}

// tries are the three answers of a gateway: yes, who are you, not you.
func (d *demo) tries() []try {
	// The stand-in can show who it was told is calling; any other stack has
	// models at least.
	path := "/v1/models"
	if d.ownStack {
		path = "/v1/whoami"
	}
	admin := "/v1/admin/whoami"
	good, lacking := "$TOKEN", "$TOKEN"
	first, third := "your token goes through", "the same, unless your token has the role admin"
	if d.ownIssuer {
		good, lacking = d.tokens["alice"], d.tokens["bob"]
		first = "alice goes through; the stack is told who she is"
		third = "bob is known, but lacks the role admin"
	}
	// With $TOKEN the shell has to expand it: double quotes.
	with := func(token, path string) string {
		return fmt.Sprintf(`curl -i -H "Authorization: Bearer %s" %s%s`, token, d.url, path)
	}
	return []try{
		{expect: "200: " + first, line: with(good, path)},
		{expect: "401, as JSON with WWW-Authenticate: no token", line: "curl -i " + d.url + path},
		{expect: "403: " + third, line: with(lacking, admin)},
	}
}

// instructions is all that the demo prints.
func (d *demo) instructions() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nThe gateway listens on %s\n", d.url)
	fmt.Fprintf(&b, "  in front of  %s%s\n", d.stackURL, ifElse(d.ownStack, "  (built-in stand-in; STACK_URL=http://host:port for yours)", ""))
	fmt.Fprintf(&b, "  tokens from  %s%s\n", d.issuer, ifElse(d.ownIssuer, "  (development issuer; OIDC_ISSUER=https://… for yours)", ""))
	fmt.Fprintf(&b, "  audience     %s\n", d.audience)

	b.WriteString("\nIt runs this Caddyfile:\n\n")
	for line := range strings.Lines(d.caddyfile) {
		b.WriteString("    " + line)
	}

	b.WriteString("\nTry it from another terminal.\n")
	if d.ownIssuer {
		b.WriteString("The tokens are development tokens: the key that signed them was made a moment ago, lives\nin this process only and ends with it.\n")
	} else {
		fmt.Fprintf(&b, getToken, d.audience, d.issuer)
	}
	for _, try := range d.tries() {
		fmt.Fprintf(&b, "\n# %s\n%s\n", try.expect, try.line)
	}

	if d.ownIssuer {
		fmt.Fprintf(&b, "\nA fresh token for alice or bob:  TOKEN=$(curl -s -d username=alice %s/token | sed 's/.*access_token\":\"\\([^\"]*\\).*/\\1/')\n", d.issuer)
	}
	b.WriteString(production)
	return b.String()
}

const getToken = `Put a token of your issuer, with %[1]q in its aud, into TOKEN first. The token endpoint is in
%[2]s/.well-known/openid-configuration; for a service account:
  TOKEN=$(curl -s -d grant_type=client_credentials -d client_id=… -d client_secret=… <token endpoint> | sed 's/.*access_token":"\([^"]*\).*/\1/')
`

const production = `
To production:
  1. Build a Caddy with the module: xcaddy build --with github.com/caddy-stack-auth/caddy-stack-auth
     Save the Caddyfile above without its first block; caddy run --config Caddyfile
  2. Replace "http://:…" and "bind …" by your host name: Caddy then gets a certificate by itself.
  3. issuer and audience: those of your identity provider (Keycloak: https://…/realms/<realm>).
  4. reverse_proxy: your stack, which must be reachable through the gateway only and read the caller
     from X-Auth-User-Id and X-Auth-Attributes (OGX: examples/ogx-upstream-header.Caddyfile).
More Caddyfiles are in examples/. STACK_AUTH_LOGGING=all=debug shows each decision. Ctrl-C stops.

`

func ifElse(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}
