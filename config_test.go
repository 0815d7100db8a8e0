package stackauth_test

import (
	"strings"
	"testing"
)

// What is wrong is found at load also where no Caddyfile was in between, with
// a message that names the provider and the option.
func TestJSONConfigurationsThatAreRefused(t *testing.T) {
	const provider = `{"type":"oauth2_token","issuer":"https://id.example","audience":["x"]}`
	t.Setenv("STACK_AUTH_TEST_EMPTY", "")
	for _, c := range []struct{ name, handler, want string }{
		{"an unknown key", `"realms":"x"`, "unknown field"},
		{"an unknown key of a provider", `"providers":[{"type":"oauth2_token","isuer":"x"}]`, "unknown field"},
		{"an unknown key of identity_headers", `"identity_headers":{"user":"x"}`, "unknown field"},
		{"an unknown key of tenancy", `"tenancy":{"mode":"multi","name":"x"}`, "unknown field"},
		{"an unknown key of jwks", `"providers":[{"type":"oauth2_token","issuer":"https://id.example","audience":["x"],"jwks":{"url":"x"}}]`, "unknown field"},
		{"a provider without type", `"providers":[{"issuer":"x"}]`, "type"},
		{"a provider of unknown type", `"providers":[{"type":"nosuch"}]`, "http.stack_auth.providers.nosuch"},
		{"a broken token source", `"providers":[` + provider + `],"token_sources":[{"source":"body","name":"x"}]`, "token_source"},
		{"a token source twice", `"providers":[` + provider + `],"token_sources":[{"source":"query","name":"x"},{"source":"query","name":"x"}]`, "twice"},
		{"a public pattern", `"providers":[` + provider + `],"public":["health"]`, "public"},
		{"a realm with a line break", `"providers":[` + provider + `],"realm":"a\r\nX: y"`, "realm"},
		{"tenancy of no kind", `"providers":[` + provider + `],"tenancy":{}`, "tenancy"},
		{"tenancy single without id", `"providers":[` + provider + `],"tenancy":{"mode":"single"}`, "tenancy"},
		{"tenancy single with a tenant_claim", `"providers":[{"type":"oauth2_token","name":"idp","tenant_claim":"org","issuer":"https://id.example","audience":["x"]}],"tenancy":{"mode":"single","id":"a"}`, "provider 1 (idp)"},
		{"tenancy multi without a tenant_claim", `"providers":[` + provider + `],"tenancy":{"mode":"multi"}`, "provider 1 (oauth2_token): tenancy multi"},
		{"a base_path", `"providers":[` + provider + `],"base_path":"/a/"`, "base_path"},
		{"require without values", `"providers":[` + provider + `],"require":[{"attribute":"roles"}]`, "require 1"},
		{"a header that means something", `"providers":[` + provider + `],"identity_headers":{"principal":"Host"}`, "identity_headers"},
		{"two headers that are one", `"providers":[` + provider + `],"identity_headers":{"principal":"X-A","tenant":"x.a"}`, "one header"},
		{"a negative size", `"providers":[` + provider + `],"identity_headers":{"max_size":-1}`, "max_size"},
		{"off with a header", `"providers":[` + provider + `],"identity_headers":{"off":true,"tenant":"X-T"}`, "contradict"},
		{"strip everything", `"providers":[` + provider + `],"strip_headers":["*"]`, "strip_headers"},
		{"errors of another kind", `"providers":[` + provider + `],"errors":"json"`, "errors"},
		{"a log category", `"providers":[` + provider + `],"log_levels":{"token":"debug"}`, "log_levels"},
		{"a matcher", `"match":[{"nosuch":{}}]`, "http.matchers.nosuch"},
		{"public without a provider", `"public":["/x"]`, "public needs a provider"},
		{"anonymous without a provider", `"allow_anonymous":true`, "allow_anonymous needs a provider"},
		{"two providers of one name", `"providers":[` + provider + `,{"type":"oauth2_token","principal_prefix":"b","issuer":"https://b.example","audience":["x"]}]`, "provider 2 (oauth2_token)"},
		{"two providers of one prefix", `"providers":[` + provider + `,{"type":"oauth2_token","name":"b","issuer":"https://b.example","audience":["x"]}]`, "principal_prefix"},
		{"a provider that would never be asked", `"providers":[` + provider + `,{"type":"oauth2_token","name":"b","principal_prefix":"b:","issuer":"https://id.example","audience":["y"]}]`, "never be asked"},
		{"no issuer", `"providers":[{"type":"oauth2_token","audience":["x"]}]`, "issuer is required"},
		{"no audience", `"providers":[{"type":"oauth2_token","issuer":"https://id.example"}]`, "audience is required"},
		{"an issuer over http", `"providers":[{"type":"oauth2_token","issuer":"http://id.example","audience":["x"]}]`, "allow_http"},
		{"algorithm none", `"providers":[{"type":"oauth2_token","issuer":"https://id.example","audience":["x"],"algorithms":["none"]}]`, "none"},
		{"HS256 with remote keys", `"providers":[{"type":"oauth2_token","issuer":"https://id.example","audience":["x"],"algorithms":["HS256"]}]`, "HS256"},
		{"a leeway of an hour", `"providers":[{"type":"oauth2_token","issuer":"https://id.example","audience":["x"],"leeway":"1h"}]`, "leeway"},
		{"a negative leeway", `"providers":[{"type":"oauth2_token","issuer":"https://id.example","audience":["x"],"leeway":-1}]`, "leeway"},
		{"an empty environment variable", `"providers":[{"type":"oauth2_token","issuer":"{env.STACK_AUTH_TEST_EMPTY}","audience":["x"]}]`, "issuer: {env.STACK_AUTH_TEST_EMPTY} is empty"},
		{"an unreadable secret", `"providers":[{"type":"oauth2_token","issuer":"https://id.example","audience":["x"],"jwks":{"uri":"https://id.example/k","token":"{file./no/such/file}"}}]`, "jwks: token: {file./no/such/file} is empty"},
		{"a placeholder of the request", `"providers":[{"type":"oauth2_token","issuer":"https://id.example","audience":["x"],"jwks":{"uri":"https://{http.request.host}/k"}}]`, "http.request.host"},
		{"a key file that is not there", `"providers":[{"type":"oauth2_token","issuer":"https://id.example","audience":["x"],"jwks":{"file":"/no/such/file"}}]`, "/no/such/file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := validateRoutes(t, `[{"handle":[{"handler":"stack_auth",`+c.handler+`}]}]`)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want something with %q", err, c.want)
			}
		})
	}
}

func TestJSONConfigurationsThatLoad(t *testing.T) {
	t.Setenv("STACK_AUTH_TEST_ISSUER", "https://id.example")
	const provider = `{"type":"oauth2_token","issuer":"{env.STACK_AUTH_TEST_ISSUER}","audience":["x"]`
	for name, handler := range map[string]string{
		"nothing":       `"require":[{"attribute":"roles","values":["x"]}]`,
		"empty lists":   `"providers":[` + provider + `,"algorithms":[],"claims_mapping":[]}],"match":[],"token_sources":[],"public":[]`,
		"null":          `"providers":[` + provider + `,"algorithms":null,"jwks":null}],"tenancy":null,"identity_headers":null`,
		"no prefix":     `"providers":[` + provider + `},{"type":"oauth2_token","name":"b","issuer":"https://b.example","audience":["x"]}],"shared_principals":true`,
		"fallthrough":   `"providers":[` + provider + `,"fallthrough":true},{"type":"oauth2_token","name":"b","principal_prefix":"b:","issuer":"{env.STACK_AUTH_TEST_ISSUER}","audience":["y"]}]`,
		"five minutes":  `"providers":[` + provider + `,"leeway":"5m","max_token_lifetime":"1d","cache_ttl":0}]`,
		"another place": `"providers":[` + provider + `}],"match":[{"path":["/x"]},{"method":["GET"]}]`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := validateRoutes(t, `[{"handle":[{"handler":"stack_auth",`+handler+`}]}]`); err != nil {
				t.Error(err)
			}
		})
	}
}
