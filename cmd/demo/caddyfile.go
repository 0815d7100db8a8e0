package main

import (
	"fmt"
	"net/url"
	"strings"
	"text/template"
)

// caddyfileTemplate is text and not JSON, because it is what the reader
// takes away.
var caddyfileTemplate = template.Must(template.New("Caddyfile").Parse(`{
	admin off # the demo needs no admin endpoint, and another Caddy may have its port
	persist_config off
	grace_period 2s # Ctrl-C does not wait for streams
	log {
		format console{{if not .Colours}} {
			level_format upper
		}{{end}}
	}
}

(stack) {
	reverse_proxy {{.Stack}}{{if not .OwnStack}} {
		transport http {
			keepalive off # OGX may reset a connection after an error
		}
	}{{end}}
}

http://:{{.Port}} {
	bind {{.Host}}

	# Who is calling: everything on this site needs a good token.
	stack_auth {
		provider oauth2_token {
			issuer {{.Issuer}}
			audience {{.Audience}}{{if not .OwnIssuer}}
			claims_mapping {
				roles roles
				realm_access.roles roles # where Keycloak has them
				groups teams
			}{{end}}
		}
	}

	# What they may do: this part is for administrators.
	handle /v1/admin* {
		stack_auth {
			require roles admin
		}
		import stack
	}

	handle {
		import stack
	}
}
`))

// settings are what the template needs.
type settings struct {
	Host, Port          string
	Issuer, Audience    string
	Stack               string
	OwnIssuer, OwnStack bool
	Colours             bool
}

func (s settings) caddyfile() (string, error) {
	var b strings.Builder
	if err := caddyfileTemplate.Execute(&b, s); err != nil {
		return "", fmt.Errorf("writing the Caddyfile: %w", err)
	}
	return b.String(), nil
}

// checkStackURL refuses what reverse_proxy would refuse later and in other
// words, and what would not stay one word of the Caddyfile.
func checkStackURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("reading STACK_URL: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return fmt.Errorf("reading STACK_URL: expected http://host:port or https://host:port, got %q", raw)
	}
	if u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("reading STACK_URL: expected nothing after host and port, got %q", raw)
	}
	return checkWord("STACK_URL", raw)
}

// checkWord keeps an environment variable from being more than one word of
// the Caddyfile.
func checkWord(name, value string) error {
	if value == "" || strings.ContainsAny(value, " \t\r\n{}\"`#\\") {
		return fmt.Errorf("reading %s: expected one word without quotes, braces and #, got %q", name, value)
	}
	return nil
}
