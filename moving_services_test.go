package stackauth_test

import (
	"net/http"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testgithub"
)

// reviewed is what an API server says of a service account.
var reviewed = says(201, `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview","status":{"userInfo":{`+
	`"username":"system:serviceaccount:ogx:ogx-auth","uid":"u-1",`+
	`"groups":["system:serviceaccounts","system:serviceaccounts:ogx","system:authenticated"]}}}`)

const accountToken = "token-of-a-service-account"

var kubernetesMoves = []move{
	{
		name: "kubernetes",
		yaml: "type: kubernetes, api_server_url: https://kubernetes.default.svc, " +
			"claims_mapping: {username: roles, groups: roles, uid: uid_attr}, verify_tls: true, tls_cafile: /path/to/ca.crt",
		block: "provider kubernetes {\napi_server_url URL\nservice_accounts any\n" +
			"system_groups system:serviceaccounts system:serviceaccounts:ogx system:authenticated\n" +
			"claims_mapping {\nusername roles\ngroups roles\nuid uid_attr\n}\ntransport http {\ntls_trust_pool file CA\n}\n}\n",
		tls: true, token: accountToken, judge: reviewed,
		shown: "POST /apis/authentication.k8s.io/v1/selfsubjectreviews Authorization: Bearer " + accountToken,
		theirs: told{
			principal: "system:serviceaccount:ogx:ogx-auth",
			attributes: `{"roles":["system:serviceaccount:ogx:ogx-auth","system:serviceaccounts","system:serviceaccounts:ogx","system:authenticated"],` +
				`"uid_attr":["u-1"]}`,
		},
	},
	{
		name: "kubernetes, with its own mapping",
		yaml: "type: kubernetes, api_server_url: …, verify_tls: false",
		block: "provider kubernetes {\napi_server_url URL\nservice_accounts any\nsystem_groups system:authenticated\n" +
			"claims_mapping ogx\ntransport http {\ntls_insecure_skip_verify\n}\n}\n",
		tls: true, token: "token-of-a-person",
		judge:  says(201, `{"status":{"userInfo":{"username":"alice","groups":["devs","system:authenticated"]}}}`),
		theirs: told{principal: "alice", attributes: `{"roles":["alice","devs","system:authenticated"]}`},
	},
	{
		name:  "kubernetes, the groups of everybody",
		yaml:  "type: kubernetes, api_server_url: …",
		block: "provider kubernetes {\napi_server_url URL\nservice_accounts any\nclaims_mapping ogx\n}\n",
		token: accountToken, judge: reviewed,
		theirs: told{
			principal:  "system:serviceaccount:ogx:ogx-auth",
			attributes: `{"roles":["system:serviceaccount:ogx:ogx-auth","system:serviceaccounts","system:serviceaccounts:ogx","system:authenticated"]}`,
		},
		ours:   &told{principal: "system:serviceaccount:ogx:ogx-auth", attributes: `{"roles":["system:serviceaccount:ogx:ogx-auth"]}`},
		stance: "system-groups",
	},
	{
		name:   "kubernetes, an account that is not listed",
		yaml:   "type: kubernetes, api_server_url: …",
		block:  "provider kubernetes {\napi_server_url URL\nservice_accounts red/*\nclaims_mapping ogx\n}\n",
		token:  "token-of-a-person",
		judge:  says(201, `{"status":{"userInfo":{"username":"alice","groups":["devs"]}}}`),
		theirs: told{principal: "alice", attributes: `{"roles":["alice","devs"]}`},
		ours:   &told{status: 401}, stance: "section 3: service_accounts is required",
	},
	{
		// Of 2025-04: no principal yet, the user name a role, the groups teams; both
		// from the token, whose groups no service account has.
		name:  "kubernetes, the first form",
		yaml:  "provider_type: kubernetes, config: {api_server_url: https://kubernetes.default.svc, ca_cert_path: /path/to/ca.crt}",
		block: "provider kubernetes {\napi_server_url URL\nservice_accounts any\nclaims_mapping {\nusername roles\ngroups teams\n}\ntransport http {\ntls_trust_pool file CA\n}\n}\n",
		tls:   true, token: accountToken, judge: reviewed,
		theirs: told{attributes: `{"roles":["system:serviceaccount:ogx:ogx-auth"]}`},
		ours:   &told{principal: "system:serviceaccount:ogx:ogx-auth", attributes: `{"roles":["system:serviceaccount:ogx:ogx-auth"]}`},
		stance: "a caller has a principal (origin no. 4)",
	},
	{
		name: "kubernetes, a bad token", yaml: "type: kubernetes", block: "provider kubernetes {\napi_server_url URL\nservice_accounts any\n}\n",
		token: accountToken, judge: says(401, `{"kind":"Status","code":401}`), theirs: told{status: 401},
	},
	{
		name: "kubernetes, the API server fails", yaml: "type: kubernetes", block: "provider kubernetes {\napi_server_url URL\nservice_accounts any\n}\n",
		token: accountToken, judge: says(500, ""), theirs: told{status: 401}, ours: &told{status: 503}, stance: "1.11 no. 13",
	},
}

const (
	custom     = "provider custom {\nendpoint URL/validate\n}\n"
	customYAML = "type: custom, endpoint: https://auth.example.com/validate"
	customKey  = "key-of-somebody-0123456789"

	// Of the provider's name and customKey.
	customFingerprint = "key:07dc05faff1ae0f3e747560713325efa"
)

var customMoves = []move{
	{
		name: "custom", yaml: customYAML, block: custom, token: customKey,
		judge:  says(200, `{"principal":"alice","attributes":{"roles":["admin","user"],"teams":["ml-team","nlp-team"]},"message":"Authentication successful"}`),
		shown:  `{"api_key":"` + customKey + `","request":{"path":"/v1/models","headers":{`,
		theirs: told{principal: "alice", attributes: `{"roles":["admin","user"],"teams":["ml-team","nlp-team"]}`},
	},
	{
		name: "custom, what it is asked", yaml: customYAML, block: custom, token: customKey,
		judge: says(401, ""), shown: `"params":{"limit":["100"]}`, theirs: told{status: 401},
	},
	{
		name: "custom, tenant_field", yaml: customYAML + ", tenant_field: tenant; tenancy: {mode: multi}",
		block: "provider custom {\nendpoint URL/validate\ntenant_claim tenant\n}\n", tenant: true, token: customKey,
		judge:  says(200, `{"principal":"alice","attributes":{"roles":["user"]},"tenant":"Acme"}`),
		theirs: told{principal: "alice", attributes: `{"roles":["user"]}`, tenant: "acme"},
	},
	{
		// Of 2025-03 to 2025-05, and still what upstream's documentation shows: no
		// principal. Its code of today answers 401 to it.
		name: "custom, the first form", yaml: "provider_type: custom, config: {endpoint: https://auth.example.com/validate}",
		block: custom, token: customKey,
		judge: says(200, `{"access_attributes":{"roles":["admin","user"],"teams":["ml-team","nlp-team"],"projects":["llama-3","project-x"],`+
			`"namespaces":["research"]},"message":"Authentication successful"}`),
		theirs: told{attributes: `{"namespaces":["research"],"projects":["llama-3","project-x"],"roles":["admin","user"],"teams":["ml-team","nlp-team"]}`},
		ours: &told{
			principal:  customFingerprint,
			attributes: `{"namespaces":["research"],"projects":["llama-3","project-x"],"roles":["admin","user"],"teams":["ml-team","nlp-team"]}`,
		},
		stance: "a caller has a principal (origin no. 4)",
	},
	{
		name: "custom, the first form without attributes", yaml: "auth: {endpoint: https://auth.example.com/validate}",
		block: custom, token: customKey, judge: says(200, `{"message":"ok"}`),
		theirs: told{attributes: `{"namespaces":["` + customKey + `"]}`},
		ours:   &told{principal: customFingerprint, attributes: `{"namespaces":["` + customFingerprint + `"]}`},
		stance: "1.11 no. 2: no key is a name",
	},
	{
		name: "custom, a principal and no attributes", yaml: customYAML, block: custom, token: customKey,
		judge:  says(200, `{"principal":"alice"}`),
		theirs: told{principal: "alice", attributes: `{}`},
		ours:   &told{principal: "alice", attributes: `{"namespaces":["` + customFingerprint + `"]}`},
		stance: "origin no. 2: a scope of its own",
	},
	{
		name: "custom, nobody", yaml: customYAML, block: custom, token: customKey,
		judge:  says(200, `{"principal":""}`),
		theirs: told{attributes: `{}`}, // and with no user at all everything is allowed
		ours:   &told{status: 503}, stance: "empty-principal, 1.11 no. 4",
	},
	{
		name: "custom, the endpoint fails", yaml: customYAML, block: custom, token: customKey, judge: says(500, ""),
		theirs: told{status: 401}, ours: &told{status: 503}, stance: "1.11 no. 13",
	},
}

const githubToken = "ghp_not-a-token-of-anybody"

// githubMoves are made for each test: their stand-in has a state.
func githubMoves() []move {
	octocat := func(base string) http.HandlerFunc {
		s := testgithub.NewUnstarted()
		s.Base = base
		s.Issue(githubToken, testgithub.Token{
			User:   &testgithub.User{ID: 583231, Login: "octocat", Organizations: []testgithub.Organization{{ID: 1, Login: "acme"}, {ID: 2, Login: "umbrella"}}},
			Scopes: []string{"read:org"},
		})
		return s.ServeHTTP
	}
	withoutOrganizations := func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.RequestURI, "/user/orgs") {
			testgithub.Refuse(w, http.StatusInternalServerError, "Server Error")
			return
		}
		octocat("")(w, r)
	}
	const block = "provider github_token {\ngithub_api_base_url URL\nprincipal_claim login\nclaims_mapping ogx\n}\n"
	const yaml = "type: github_token, github_api_base_url: https://api.github.com"
	who := told{principal: "octocat", attributes: `{"roles":["octocat"],"teams":["acme","umbrella"]}`}
	return []move{
		{
			name: "github_token", yaml: yaml, block: block, token: githubToken, judge: octocat(""),
			shown: "GET /user Authorization: Bearer " + githubToken, theirs: who,
		},
		{
			name: "github_token, Enterprise", yaml: "type: github_token, github_api_base_url: https://github.example.com/api/v3",
			block: "provider github_token {\ngithub_api_base_url URL/api/v3\nprincipal_claim login\nclaims_mapping ogx\n}\n",
			token: githubToken, judge: octocat("/api/v3"), theirs: who,
		},
		{
			name: "github_token, another mapping", yaml: yaml + ", claims_mapping: {login: roles, organizations: projects, id: namespaces}",
			block: "provider github_token {\ngithub_api_base_url URL\nprincipal_claim login\n" +
				"claims_mapping {\nlogin roles\norganizations projects\nid namespaces\n}\n}\n",
			token: githubToken, judge: octocat(""),
			theirs: told{principal: "octocat", attributes: `{"namespaces":["583231"],"projects":["acme","umbrella"],"roles":["octocat"]}`},
		},
		{
			name: "github_token, without options", yaml: "type: github_token",
			block: "provider github_token {\ngithub_api_base_url URL\n}\n",
			token: githubToken, judge: octocat(""), theirs: who,
			ours: &told{principal: "github:583231", attributes: `{"teams":["acme","umbrella"]}`}, stance: "github-id, identity-not-roles",
		},
		{
			name: "github_token, the organizations cannot be found out", yaml: yaml, block: block, token: githubToken, judge: withoutOrganizations,
			theirs: told{principal: "octocat", attributes: `{"roles":["octocat"]}`},
			ours:   &told{status: 503}, stance: "section 3: a part is not the whole",
		},
		{
			name: "github_token, a bad token", yaml: yaml, block: block, token: "ghp_unknown-to-everybody", judge: octocat(""), theirs: told{status: 401},
		},
		{
			name: "github_token, GitHub fails", yaml: yaml, block: block, token: githubToken, judge: says(502, ""),
			theirs: told{status: 401}, ours: &told{status: 503}, stance: "1.11 no. 13",
		},
	}
}
