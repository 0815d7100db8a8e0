package providers

import (
	"encoding/json"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Every option at once, in the spelling of the contract.
func TestEveryOptionOfTheCaddyfileIsInTheJSON(t *testing.T) {
	t.Setenv("STACK_AUTH_TEST_TOKEN", "t")
	o := new(OAuth2Token)
	err := o.UnmarshalCaddyfile(caddyfile.NewTestDispenser(`
	oauth2_token kc {
		issuer http://idp.example/realms/a/
		skip_issuer_check
		audience a b
		audience c
		skip_audience_check
		algorithms RS256 ES512
		algorithms EdDSA
		leeway 30s
		max_token_lifetime 7d
		jwks {
			uri http://idp.example/keys
			token {env.STACK_AUTH_TEST_TOKEN}
			key_recheck_period 10m
			max_stale 0
		}
		claims_mapping ogx {
			realm_access.roles roles
			https://example\.com/x x
		}
		principal_claim sub client_id
		principal_prefix kc:
		tenant_claim org.id
		timeout 2s
		transport http {
			tls_server_name idp
		}
		allow_http
		cache_ttl 0
		tokens prefix ey x
		fallthrough
	}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"name":"kc","claims_preset":"ogx","claims_mapping":[{"claim":"realm_access.roles","attribute":"roles"},` +
		`{"claim":"https://example\\.com/x","attribute":"x"}],"principal_claim":["sub","client_id"],"principal_prefix":"kc:",` +
		`"tenant_claim":"org.id","timeout":2000000000,"transport":{"protocol":"http","tls":{"server_name":"idp"}},` +
		`"allow_http":true,"cache_ttl":0,"tokens":{"form":"prefix","prefixes":["ey","x"]},"fallthrough":true,` +
		`"issuer":"http://idp.example/realms/a/","skip_issuer_check":true,"audience":["a","b","c"],"skip_audience_check":true,` +
		`"algorithms":["RS256","ES512","EdDSA"],"leeway":30000000000,"max_token_lifetime":604800000000000,` +
		`"jwks":{"uri":"http://idp.example/keys","token":"{env.STACK_AUTH_TEST_TOKEN}","key_recheck_period":600000000000,"max_stale":0}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTheShortestBlocks(t *testing.T) {
	for lines, want := range map[string]string{
		"issuer https://a\naudience b":                             `{"issuer":"https://a","audience":["b"]}`,
		"issuer https://a\naudience b\nclaims_mapping {\n}":        `{"claims_mapping":[],"issuer":"https://a","audience":["b"]}`,
		"issuer https://a\naudience b\njwks {\n file /k\n}":        `{"issuer":"https://a","audience":["b"],"jwks":{"file":"/k"}}`,
		"issuer http://localhost\naudience b":                      `{"issuer":"http://localhost","audience":["b"]}`,
		"issuer http://127.0.0.9:8080\naudience b":                 `{"issuer":"http://127.0.0.9:8080","audience":["b"]}`,
		"issuer http://[::1]\naudience b":                          `{"issuer":"http://[::1]","audience":["b"]}`,
		"issuer {env.ISSUER}\naudience {file./run/aud}":            `{"issuer":"{env.ISSUER}","audience":["{file./run/aud}"]}`,
		"issuer https://a\nskip_audience_check\ntokens jwt":        `{"tokens":{"form":"jwt"},"issuer":"https://a","skip_audience_check":true}`,
		"issuer https://a\naudience b\njwks {\n token_file /t\n}":  `{"issuer":"https://a","audience":["b"],"jwks":{"token_file":"/t"}}`,
		"allow_http\nissuer http://a\naudience b":                  `{"allow_http":true,"issuer":"http://a","audience":["b"]}`,
		"skip_issuer_check\naudience b\njwks {\n uri https://k\n}": `{"skip_issuer_check":true,"audience":["b"],"jwks":{"uri":"https://k"}}`,
		"issuer https://a\naudience b\nalgorithms HS256\njwks {\n file /k\n}": `{"issuer":"https://a","audience":["b"],` +
			`"algorithms":["HS256"],"jwks":{"file":"/k"}}`,
	} {
		o, err := parse(lines)
		if err != nil {
			t.Errorf("%s: %v", lines, err)
			continue
		}
		if got := string(mustJSON(t, o)); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", lines, got, want)
		}
	}
}

// The line is that of the option, or, for what only the whole block can tell,
// the block's last.
func TestMistakesInTheCaddyfileAreErrorsWithTheirLine(t *testing.T) {
	for _, tc := range []struct{ lines, want string }{
		{"issuer", "wrong argument count or unexpected line ending after 'issuer', at Testfile:2"},
		{"issuer a b", "issuer: expected one value; quote it if it has blanks, at Testfile:2"},
		{"issuer https://a\nissuer https://b", "issuer is there twice, at Testfile:3"},
		{"issuer \"\"", "issuer is empty, at Testfile:2"},
		{"issuer idp.example", "issuer \"idp.example\": expected an absolute https URL, at Testfile:2"},
		{"issuer ftp://idp.example", "issuer \"ftp://idp.example\": expected an absolute https URL, at Testfile:2"},
		{"issuer https://u:p@idp.example", "issuer: expected a URL without credentials and fragment, at Testfile:2"},
		{"issuer https://idp.example#f", "issuer: expected a URL without credentials and fragment, at Testfile:2"},
		{"issuer {http.request.host}", "issuer: {http.request.host}: expected {env.NAME} or {file./absolute/path}, at Testfile:2"},
		{"issuer {env.X", "issuer: a { is not closed, at Testfile:2"},
		{"issuer http://idp.example\naudience a", "issuer \"http://idp.example\": expected https (plain http needs allow_http), at Testfile:4"},
		{"audience a", "issuer is required (skip_issuer_check opts out), at Testfile:3"},
		{"skip_issuer_check\naudience a", "issuer is required to find the keys; or say where they are with jwks { uri … }, at Testfile:4"},
		{"skip_issuer_check x", "wrong argument count or unexpected line ending after 'x', at Testfile:2"},
		{"issuer https://a", "audience is required (skip_audience_check opts out), at Testfile:3"},
		{"issuer https://a\naudience", "wrong argument count or unexpected line ending after 'audience', at Testfile:3"},
		{"issuer https://a\n audience \"\"", "audience is empty, at Testfile:4"},
		{"issuer https://a\naudience {header.x}", "audience: {header.x}: expected {env.NAME} or {file./absolute/path}, at Testfile:4"},
		{"skip_audience_check x", "wrong argument count or unexpected line ending after 'x', at Testfile:2"},
		{"algorithms", "wrong argument count or unexpected line ending after 'algorithms', at Testfile:2"},
		{"algorithms none", "algorithm \"none\": expected one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, HS256, HS384, HS512, at Testfile:2"},
		{"algorithms RS256 rs512", "algorithm \"rs512\": expected one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, HS256, HS384, HS512, at Testfile:2"},
		{"issuer https://a\naudience b\nalgorithms HS256", "algorithm HS256: a symmetric key is only taken from a local file (jwks { file … }), at Testfile:5"},
		{"issuer https://a\naudience b\nalgorithms HS256\njwks {\n uri https://a/k\n}", "algorithm HS256: a symmetric key is only taken from a local file (jwks { file … }), at Testfile:8"},
		{"leeway", "wrong argument count or unexpected line ending after 'leeway', at Testfile:2"},
		{"leeway x", "leeway \"x\": expected a duration such as 30s, at Testfile:2"},
		{"leeway -1s", "leeway -1s: expected zero or more, at Testfile:2"},
		{"leeway 5m1s", "leeway 5m1s: expected at most 5m0s, at Testfile:2"},
		{"leeway 1s\nleeway 2s", "leeway is there twice, at Testfile:3"},
		{"leeway 1s 2s", "leeway: expected one value; quote it if it has blanks, at Testfile:2"},
		{"max_token_lifetime 0", "max_token_lifetime 0s: expected more than zero, at Testfile:2"},
		{"max_token_lifetime x", "max_token_lifetime \"x\": expected a duration such as 30s, at Testfile:2"},
		{"max_token_lifetime 1h\nmax_token_lifetime 1h", "max_token_lifetime is there twice, at Testfile:3"},
		{"jwks x", "wrong argument count or unexpected line ending after 'x', at Testfile:2"},
		{"jwks {\n}\njwks {\n}", "jwks is there twice, at Testfile:4"},
		{"issuer https://a\naudience b\njwks {\n}", "jwks: expected uri, file, or what tunes the discovered key set, at Testfile:6"},
		{"issuer https://a\naudience b\njwks {\n uri https://a/k\n file /k\n}", "jwks: expected uri or file, not both, at Testfile:8"},
		{"jwks {\n uri\n}", "wrong argument count or unexpected line ending after 'uri', at Testfile:3"},
		{"jwks {\n uri k\n}", "jwks: uri \"k\": expected an absolute https URL, at Testfile:3"},
		{"jwks {\n uri {http.request.host}\n}", "jwks: uri: {http.request.host}: expected {env.NAME} or {file./absolute/path}, at Testfile:3"},
		{"jwks {\n bogus\n}", "unrecognized option \"bogus\" of jwks, at Testfile:3"},
		{"jwks {\n uri https://a\n uri https://b\n}", "uri is there twice, at Testfile:4"},
		{"jwks {\n key_recheck_period 0\n}", "key_recheck_period 0s: expected more than zero, at Testfile:3"},
		{"jwks {\n key_recheck_period x\n}", "key_recheck_period \"x\": expected a duration such as 30s, at Testfile:3"},
		{"jwks {\n key_recheck_period 1h\n key_recheck_period 1h\n}", "key_recheck_period is there twice, at Testfile:4"},
		{"jwks {\n max_stale x\n}", "max_stale \"x\": expected a duration such as 30s, at Testfile:3"},
		{"jwks {\n max_stale 1h\n max_stale 2h\n}", "max_stale is there twice, at Testfile:4"},
		{"issuer https://a\naudience b\njwks {\n uri https://a/k\n token x\n token_file /x\n}", "jwks: expected token or token_file, not both, at Testfile:9"},
		{"issuer https://a\naudience b\njwks {\n file /k\n token x\n}", "jwks: a file needs no token, at Testfile:8"},
		{"issuer https://a\naudience b\njwks {\n file {file.relative}\n}", "jwks: file: {file.relative}: expected an absolute path, as in {file./run/secrets/x}, at Testfile:7"},
		{"issuer https://a\naudience b\njwks {\n uri http://a/k\n}", "jwks: uri \"http://a/k\": expected https (plain http needs allow_http), at Testfile:7"},
		{"bogus", "unrecognized option \"bogus\" of provider oauth2_token, at Testfile:2"},
		{"timeout 0", "timeout 0s: expected more than zero, at Testfile:2"},
		{"timeout x", "timeout \"x\": expected a duration such as 30s, at Testfile:2"},
		{"timeout 1s\ntimeout 2s", "timeout is there twice, at Testfile:3"},
		{"transport", "wrong argument count or unexpected line ending after 'transport', at Testfile:2"},
		{"transport bogus", "getting module named 'http.reverse_proxy.transport.bogus': module not registered: http.reverse_proxy.transport.bogus, at Testfile:2"},
		{"transport http\ntransport http", "transport is there twice, at Testfile:3"},
		{"transport http {\n bogus\n}", "unrecognized subdirective bogus, at Testfile:3"},
		{"allow_http x", "wrong argument count or unexpected line ending after 'x', at Testfile:2"},
		{"cache_ttl x", "cache_ttl \"x\": expected a duration such as 30s, at Testfile:2"},
		{"cache_ttl -1s", "cache_ttl -1s: expected zero or more, at Testfile:2"},
		{"cache_ttl 1s\ncache_ttl 1s", "cache_ttl is there twice, at Testfile:3"},
		{"tokens", "wrong argument count or unexpected line ending after 'tokens', at Testfile:2"},
		{"tokens bogus", "tokens \"bogus\": expected jwt, opaque or prefix, at Testfile:2"},
		{"tokens jwt x", "tokens jwt: unexpected \"x\", at Testfile:2"},
		{"tokens prefix", "tokens prefix: expected at least one prefix, at Testfile:2"},
		{"tokens jwt\ntokens jwt", "tokens is there twice, at Testfile:3"},
		{"issuer https://a\naudience b\ntokens opaque", "tokens opaque: without introspection this provider checks JWTs, at Testfile:5"},
		{"fallthrough x", "wrong argument count or unexpected line ending after 'x', at Testfile:2"},
		{"claims_mapping bogus", "claims_mapping \"bogus\": the only preset is ogx, at Testfile:2"},
		{"claims_mapping ogx x", "wrong argument count or unexpected line ending after 'x', at Testfile:2"},
		{"claims_mapping {\n}\nclaims_mapping {\n}", "claims_mapping is there twice: put everything into one block, at Testfile:4"},
		{"claims_mapping ogx\nclaims_mapping {\n}", "claims_mapping is there twice: put everything into one block, at Testfile:3"},
		{"claims_mapping {\n a\n}", "claims_mapping: expected <claim-path> <attribute>, at Testfile:3"},
		{"claims_mapping {\n a b c\n}", "claims_mapping: expected <claim-path> <attribute>, at Testfile:3"},
		{"claims_mapping {\n a id\n}", "claims_mapping: attribute name \"id\" is taken: it names the principal, at Testfile:3"},
		{"claims_mapping {\n \"\" roles\n}", "claims_mapping: claim path is empty, at Testfile:3"},
		{"principal_claim", "wrong argument count or unexpected line ending after 'principal_claim', at Testfile:2"},
		{"principal_claim sub \"\"", "principal_claim: claim path is empty, at Testfile:2"},
		{"principal_claim sub\nprincipal_claim x", "principal_claim is there twice: name all claims in one line, at Testfile:3"},
		{"principal_prefix", "wrong argument count or unexpected line ending after 'principal_prefix', at Testfile:2"},
		{"principal_prefix a b", "principal_prefix: expected one value; quote it if it has blanks, at Testfile:2"},
		{"tenant_claim", "wrong argument count or unexpected line ending after 'tenant_claim', at Testfile:2"},
		{"tenant_claim a b", "tenant_claim: expected one value; quote it if it has blanks, at Testfile:2"},
		{"tenant_claim a\ntenant_claim b", "tenant_claim is there twice, at Testfile:3"},
	} {
		if _, err := parse(tc.lines); err == nil || err.Error() != tc.want {
			t.Errorf("%s\nerror %v\nwant  %s", tc.lines, err, tc.want)
		}
	}
	for head, want := range map[string]string{
		"oauth2_token A {\n}":   `provider name "A": expected 1 to 64 of a-z, 0-9, _ and -, at Testfile:1`,
		"oauth2_token a b {\n}": "wrong argument count or unexpected line ending after 'b', at Testfile:1",
		`oauth2_token "" {`:     `provider name "": expected 1 to 64 of a-z, 0-9, _ and -, at Testfile:1`,
	} {
		err := new(OAuth2Token).UnmarshalCaddyfile(caddyfile.NewTestDispenser(head))
		if err == nil || err.Error() != want {
			t.Errorf("%s\nerror %v\nwant  %s", head, err, want)
		}
	}
}
