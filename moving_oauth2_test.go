package stackauth_test

import (
	"encoding/json"
	"net/http"
	"time"
)

// jwksMoves are oauth2_token with keys.
var jwksMoves = []move{
	{
		name: "jwks, nothing but the address",
		yaml: "type: oauth2_token, jwks: {uri: https://my-token-issuing-svc.com/jwks}",
		block: "provider oauth2_token {\nskip_issuer_check\naudience ogx\n" +
			"jwks {\nuri URL/jwks\n}\nclaims_mapping ogx\n}\n",
		claims: map[string]any{"iss": "https://anybody.example", "aud": "ogx", "sub": "my-user", "groups": []string{"group1", "group2"}},
		theirs: told{principal: "my-user", attributes: `{"roles":["my-user"],"teams":["group1","group2"]}`},
	},
	{
		name: "jwks, nothing but the address, before the renaming",
		yaml: "provider_type: oauth2_token, config: {jwks: {uri: https://my-token-issuing-svc.com/jwks}}",
		block: "provider oauth2_token {\nskip_issuer_check\naudience llama-stack\n" +
			"jwks {\nuri URL/jwks\n}\nclaims_mapping ogx\n}\n",
		claims: map[string]any{
			"aud": "llama-stack", "sub": "my-user", "username": "mu", "groups": "group1 group2", "team": "ml", "project": "p",
			"tenant": "t", "namespace": []string{"n"},
		},
		theirs: told{
			principal:  "my-user",
			attributes: `{"namespaces":["t","n"],"projects":["p"],"roles":["my-user","mu"],"teams":["group1","group2","ml"]}`,
		},
	},
	{
		name: "jwks, Keycloak",
		yaml: "type: ${env.AUTH_PROVIDER:+oauth2_token}, audience: ogx, issuer: ${env.KEYCLOAK_URL}/realms/ogx, " +
			"jwks: {uri: ${env.KEYCLOAK_URL}/realms/ogx/protocol/openid-connect/certs}",
		block: "provider oauth2_token {\nissuer https://id.example/realms/ogx\naudience ogx\njwks {\nuri URL/jwks\n}\nclaims_mapping ogx\n}\n",
		claims: map[string]any{
			"iss": "https://id.example/realms/ogx", "aud": []string{"ogx", "account"}, "typ": "Bearer", "azp": "ogx-cli",
			"sub": "8d2f6f0a-1c1e-4b7e-9a53-0f4f5a0c2c55", "preferred_username": "alice", "scope": "openid profile",
			"realm_access": map[string]any{"roles": []string{"user"}}, "groups": []string{"/ml-team"},
		},
		theirs: told{
			principal:  "8d2f6f0a-1c1e-4b7e-9a53-0f4f5a0c2c55",
			attributes: `{"roles":["8d2f6f0a-1c1e-4b7e-9a53-0f4f5a0c2c55"],"teams":["/ml-team"]}`,
		},
	},
	{
		name: "jwks, nested claims",
		yaml: "type: oauth2_token, claims_mapping: {resource_access.ogx.roles: roles, realm_access.roles: realm_roles, my.dotted.key: teams, " +
			`kubernetes\.io.namespace: namespaces}`,
		block: "provider oauth2_token {\nskip_issuer_check\naudience ogx\njwks {\nuri URL/jwks\n}\n" +
			"claims_mapping {\nresource_access.ogx.roles roles\nrealm_access.roles realm_roles\nmy.dotted.key teams\n" +
			"kubernetes\\.io.namespace namespaces\n}\n}\n",
		claims: map[string]any{
			"aud": "ogx", "sub": "my-user", "my.dotted.key": []string{"t"}, "kubernetes.io": map[string]any{"namespace": "red"},
			"resource_access": map[string]any{"ogx": map[string]any{"roles": []string{"inference_max", "admin"}}},
			"realm_access":    map[string]any{"roles": []string{"offline_access"}},
		},
		theirs: told{
			principal:  "my-user",
			attributes: `{"namespaces":["red"],"realm_roles":["offline_access"],"roles":["inference_max","admin"],"teams":["t"]}`,
		},
	},
	{
		name: "jwks, Kubernetes",
		yaml: "type: oauth2_token, jwks: {uri: https://kubernetes.default.svc:8443/openid/v1/jwks, token: ${env.TOKEN:+}, key_recheck_period: 3600}, " +
			"tls_cafile: /path/to/ca.crt, issuer: https://kubernetes.default.svc, audience: https://kubernetes.default.svc",
		block: "provider oauth2_token {\nissuer https://kubernetes.default.svc\naudience https://kubernetes.default.svc\n" +
			"jwks {\nuri URL/jwks\ntoken {env.TOKEN}\nkey_recheck_period 3600s\n}\n" +
			"transport http {\ntls_trust_pool file CA\n}\nclaims_mapping ogx\n}\n",
		tls: true,
		claims: map[string]any{
			"aud": []string{"https://kubernetes.default.svc"}, "sub": "system:serviceaccount:ogx:ogx-auth",
			"kubernetes.io": map[string]any{"namespace": "ogx", "serviceaccount": map[string]any{"name": "ogx-auth", "uid": "u-1"}},
		},
		shown:  "GET /jwks Authorization: Bearer token-of-the-gateway\n",
		theirs: told{principal: "system:serviceaccount:ogx:ogx-auth", attributes: `{"roles":["system:serviceaccount:ogx:ogx-auth"]}`},
	},
	{
		name: "jwks, verify_tls off",
		yaml: "type: oauth2_token, verify_tls: false, jwks: {uri: …}",
		block: "provider oauth2_token {\nskip_issuer_check\naudience ogx\njwks {\nuri URL/jwks\n}\n" +
			"transport http {\ntls_insecure_skip_verify\n}\nclaims_mapping ogx\n}\n",
		tls:    true,
		claims: map[string]any{"aud": "ogx", "sub": "my-user"},
		theirs: told{principal: "my-user", attributes: `{"roles":["my-user"]}`},
	},
	{
		name: "jwks, tenant_claim",
		yaml: "type: oauth2_token, tenant_claim: org, jwks: {uri: …}; tenancy: {mode: multi}",
		block: "provider oauth2_token {\nskip_issuer_check\naudience ogx\njwks {\nuri URL/jwks\n}\n" +
			"claims_mapping ogx\ntenant_claim org\n}\n",
		tenant: true,
		claims: map[string]any{"aud": "ogx", "sub": "my-user", "org": " Acme "},
		theirs: told{principal: "my-user", attributes: `{"roles":["my-user"]}`, tenant: "acme"},
	},
	{
		name:   "jwks, another audience",
		yaml:   "type: oauth2_token, audience: ogx, jwks: {uri: …}",
		block:  "provider oauth2_token {\nskip_issuer_check\naudience ogx\njwks {\nuri URL/jwks\n}\nclaims_mapping ogx\n}\n",
		claims: map[string]any{"aud": "account", "sub": "my-user"},
		theirs: told{status: 401},
	},
	{
		name: "jwks, a subject of several words",
		yaml: "type: oauth2_token, claims_mapping: {sub: roles}, jwks: {uri: …}",
		block: "provider oauth2_token {\nskip_issuer_check\naudience ogx\njwks {\nuri URL/jwks\n}\n" +
			"claims_mapping {\nsub roles\n}\n}\n",
		claims: map[string]any{"aud": "ogx", "sub": "mallory admin"},
		theirs: told{principal: "mallory admin", attributes: `{"roles":["mallory","admin"]}`},
		ours:   &told{principal: "mallory admin", attributes: `{"roles":["mallory admin"]}`},
		stance: "identity-not-roles",
	},
	{
		name:   "jwks, without a mapping",
		yaml:   "type: oauth2_token, jwks: {uri: …}",
		block:  "provider oauth2_token {\nskip_issuer_check\naudience ogx\njwks {\nuri URL/jwks\n}\n}\n",
		claims: map[string]any{"aud": "ogx", "sub": "admin", "roles": []string{"user"}},
		theirs: told{principal: "admin", attributes: `{"roles":["admin"]}`},
		ours:   &told{principal: "admin", attributes: `{"roles":["user"]}`},
		stance: "identity-not-roles",
	},
	{
		name:   "jwks, a list with a number in it",
		yaml:   "type: oauth2_token, jwks: {uri: …}",
		block:  "provider oauth2_token {\nskip_issuer_check\naudience ogx\njwks {\nuri URL/jwks\n}\nclaims_mapping ogx\n}\n",
		claims: map[string]any{"aud": "ogx", "sub": "my-user", "groups": []any{"a", 7}},
		theirs: told{status: 401},
		ours:   &told{principal: "my-user", attributes: `{"roles":["my-user"],"teams":["a"]}`},
		stance: "list-values",
	},
	{
		name: "jwks, one claim under two spellings",
		yaml: `type: oauth2_token, claims_mapping: {a.b: teams, c: teams, a\.b: projects}, jwks: {uri: …}`,
		block: "provider oauth2_token {\nskip_issuer_check\naudience ogx\njwks {\nuri URL/jwks\n}\n" +
			"claims_mapping {\na.b teams\nc teams\na\\.b projects\n}\n}\n",
		claims: map[string]any{"aud": "ogx", "sub": "my-user", "a.b": []string{"x"}, "c": []string{"y"}},
		theirs: told{principal: "my-user", attributes: `{"projects":["x","y"],"teams":["x","y"]}`},
		ours:   &told{principal: "my-user", attributes: `{"projects":["x"],"teams":["x","y"]}`},
		stance: "aliased-values, 1.11 no. 20",
	},
	{
		name:   "jwks, an empty subject",
		yaml:   "type: oauth2_token, claims_mapping: {team: teams}, jwks: {uri: …}",
		block:  "provider oauth2_token {\nskip_issuer_check\naudience ogx\njwks {\nuri URL/jwks\n}\nclaims_mapping {\nteam teams\n}\n}\n",
		claims: map[string]any{"aud": "ogx", "sub": "", "team": []string{"ml"}},
		theirs: told{attributes: `{"teams":["ml"]}`},
		ours:   &told{status: 401},
		stance: "empty-principal, 1.11 no. 4",
	},
}

// introspect is the block of most of them.
const introspect = "provider oauth2_token {\nskip_issuer_check\nskip_audience_check\n" +
	"introspection {\nurl URL/token/introspect\nclient_id myclient\nclient_secret abcdefg\n}\nclaims_mapping ogx\n}\n"

const introspectYAML = "type: oauth2_token, introspection: {url: http://authz-service/token/introspect, client_id: myclient, client_secret: …}"

// introspectionMoves are oauth2_token that asks.
var introspectionMoves = []move{
	{
		name:   "introspection",
		yaml:   introspectYAML,
		block:  introspect,
		token:  "opaque-token-of-somebody",
		judge:  says(200, `{"active":true,"sub":"my-user","groups":["group1","group2"],"scope":"foo bar","aud":["set1","set2"]}`),
		shown:  "POST /token/introspect Authorization: Basic bXljbGllbnQ6YWJjZGVmZw==\ntoken=opaque-token-of-somebody",
		theirs: told{principal: "my-user", attributes: `{"roles":["my-user"],"teams":["group1","group2"]}`},
	},
	{
		name: "introspection, with the secret in the body and another mapping",
		yaml: introspectYAML + ", send_secret_in_body: true, claims_mapping: {sub: roles, scope: roles, groups: teams, aud: namespaces}",
		block: "provider oauth2_token {\nskip_issuer_check\nskip_audience_check\n" +
			"introspection {\nurl URL/token/introspect\nclient_id myclient\nclient_secret abcdefg\nsend_secret_in_body\n}\n" +
			"claims_mapping {\nsub roles\nscope roles\ngroups teams\naud namespaces\n}\n}\n",
		token:  "opaque-token-of-somebody",
		judge:  says(200, `{"active":true,"sub":"my-user","groups":["group1","group2"],"scope":"foo bar","aud":["set1","set2"]}`),
		shown:  "POST /token/introspect Authorization: \nclient_id=myclient&client_secret=abcdefg&token=opaque-token-of-somebody",
		theirs: told{principal: "my-user", attributes: `{"namespaces":["set1","set2"],"roles":["my-user","foo","bar"],"teams":["group1","group2"]}`},
	},
	{
		name: "introspection, Keycloak with its own authority",
		yaml: introspectYAML + ", tls_cafile: /path/to/ca.crt, audience: ogx, issuer: https://id.example/realms/ogx",
		block: "provider oauth2_token {\nissuer https://id.example/realms/ogx\naudience ogx\n" +
			"introspection {\nurl URL/token/introspect\nclient_id myclient\nclient_secret abcdefg\n}\n" +
			"transport http {\ntls_trust_pool file CA\n}\nclaims_mapping ogx\n}\n",
		tls:   true,
		token: "opaque-token-of-somebody",
		judge: says(200, `{"active":true,"iss":"https://id.example/realms/ogx","aud":"ogx","sub":"u-1","username":"alice","token_type":"Bearer"}`),
		theirs: told{
			principal: "u-1", attributes: `{"roles":["u-1","alice"]}`,
		},
	},
	{
		name: "introspection, not active", yaml: introspectYAML, block: introspect, token: "opaque-token-of-somebody",
		judge: says(200, `{"active":false}`), theirs: told{status: 401},
	},
	{
		name: "introspection, for somebody else", yaml: introspectYAML + ", audience: ogx",
		block: "provider oauth2_token {\naudience ogx\nskip_issuer_check\n" +
			"introspection {\nurl URL/token/introspect\nclient_id myclient\nclient_secret abcdefg\n}\nclaims_mapping ogx\n}\n",
		token: "opaque-token-of-somebody", judge: says(200, `{"active":true,"sub":"my-user","aud":"account"}`),
		theirs: told{principal: "my-user", attributes: `{"roles":["my-user"]}`},
		ours:   &told{status: 401}, stance: "1.11 no. 9",
	},
	{
		name: "introspection, expired", yaml: introspectYAML, block: introspect, token: "opaque-token-of-somebody",
		judge: func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]any{"active": true, "sub": "my-user", "exp": time.Now().Add(-time.Hour).Unix()})
		},
		theirs: told{principal: "my-user", attributes: `{"roles":["my-user"]}`},
		ours:   &told{status: 401}, stance: "1.11 no. 9",
	},
	{
		name: "introspection, active as a text", yaml: introspectYAML, block: introspect, token: "opaque-token-of-somebody",
		judge:  says(200, `{"active":"false","sub":"my-user"}`),
		theirs: told{principal: "my-user", attributes: `{"roles":["my-user"]}`},
		ours:   &told{status: 503}, stance: "1.11 no. 8",
	},
	{
		name: "introspection, without a subject", yaml: introspectYAML, block: introspect, token: "opaque-token-of-somebody",
		judge:  says(200, `{"active":true,"username":"alice"}`),
		theirs: told{status: 401},
		ours:   &told{principal: "username:alice", attributes: `{"roles":["alice"]}`}, stance: "1.11 no. 8",
	},
	{
		name: "introspection, with an empty subject", yaml: introspectYAML, block: introspect, token: "opaque-token-of-somebody",
		judge:  says(200, `{"active":true,"sub":"","username":"alice"}`),
		theirs: told{principal: "alice", attributes: `{"roles":["alice"]}`},
		ours:   &told{status: 401}, stance: "empty-principal",
	},
	{
		name: "introspection, the endpoint fails", yaml: introspectYAML, block: introspect, token: "opaque-token-of-somebody",
		judge: says(500, ""), theirs: told{status: 401},
		ours: &told{status: 503}, stance: "1.11 no. 13",
	},
}
