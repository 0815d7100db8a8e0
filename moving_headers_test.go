package stackauth_test

import (
	"crypto/sha256"
	"fmt"
)

const (
	upstreamHeader = "provider upstream_header {\nprincipal_header X-Auth-User-Id\nattributes_header X-Auth-Attributes\n" +
		"attribute_header X-MaaS-Group teams\nattribute_header X-MaaS-Subscription namespaces\n" +
		"tenant_header X-Tenant-Id\ntrusted_proxies 127.0.0.0/8\n}\n"
	upstreamHeaderYAML = "type: upstream_header, principal_header: x-auth-user-id, attributes_header: x-auth-attributes, " +
		"attribute_headers: {X-MaaS-Group: teams, X-MaaS-Subscription: namespaces}, tenant_header: x-tenant-id, trusted_proxy_cidrs: [127.0.0.0/8]"
)

// headerMoves are upstream_header.
var headerMoves = []move{
	{
		name: "upstream_header", yaml: upstreamHeaderYAML, block: upstreamHeader, tenant: true,
		sends: []string{
			"X-Auth-User-Id: alice", `X-Auth-Attributes: {"roles":["admin","user"],"teams":"ml","projects":[]}`,
			`X-Maas-Group: ["red","blue"]`, "X-Maas-Subscription: gold, silver", "X-Tenant-Id: Acme",
		},
		theirs: told{
			principal: "alice", attributes: `{"namespaces":["gold, silver"],"roles":["admin","user"],"teams":["ml","red","blue"]}`, tenant: "acme",
		},
	},
	{
		name: "upstream_header, nothing but the principal", yaml: "type: upstream_header, principal_header: x-auth-user-id",
		block:  "provider upstream_header {\nprincipal_header X-Auth-User-Id\ntrusted_proxies 127.0.0.1\n}\n",
		sends:  []string{"x-auth-user-id: Alice Smith", `X-Auth-Attributes: {"roles":["admin"]}`},
		theirs: told{principal: "Alice Smith", attributes: `{}`},
	},
	{
		name: "upstream_header, an attribute that is a JSON string", yaml: upstreamHeaderYAML, block: upstreamHeader, tenant: true,
		sends:  []string{"X-Auth-User-Id: alice", `X-Maas-Group: "red team"`, "X-Tenant-Id: acme"},
		theirs: told{principal: "alice", attributes: `{"teams":["red team"]}`, tenant: "acme"},
	},
	{
		name: "upstream_header, a bearer token beside it", yaml: upstreamHeaderYAML, block: upstreamHeader, tenant: true,
		token: "token-of-the-proxy-0123456789", sends: []string{"X-Auth-User-Id: alice", "X-Tenant-Id: acme"},
		theirs: told{principal: "alice", attributes: `{}`, tenant: "acme"},
	},
	{
		name: "upstream_header, nobody", yaml: upstreamHeaderYAML, block: upstreamHeader, tenant: true,
		sends: []string{`X-Auth-Attributes: {"roles":["admin"]}`, "X-Tenant-Id: acme"}, theirs: told{status: 401},
	},
	{
		name: "upstream_header, no JSON", yaml: upstreamHeaderYAML, block: upstreamHeader, tenant: true,
		sends: []string{"X-Auth-User-Id: alice", "X-Auth-Attributes: roles", "X-Tenant-Id: acme"}, theirs: told{status: 401},
	},
	{
		name: "upstream_header, a list instead of an object", yaml: upstreamHeaderYAML, block: upstreamHeader, tenant: true,
		sends: []string{"X-Auth-User-Id: alice", `X-Auth-Attributes: ["admin"]`, "X-Tenant-Id: acme"}, theirs: told{status: 401},
	},
	{
		name: "upstream_header, a number among the attributes", yaml: upstreamHeaderYAML, block: upstreamHeader, tenant: true,
		sends:  []string{"X-Auth-User-Id: alice", `X-Auth-Attributes: {"roles":[7,true]}`, "X-Tenant-Id: acme"},
		theirs: told{principal: "alice", attributes: `{"roles":["7","True"]}`, tenant: "acme"},
		ours:   &told{status: 401}, stance: "section 3: strings and lists of strings",
	},
	{
		name: "upstream_header, twice", yaml: upstreamHeaderYAML, block: upstreamHeader, tenant: true,
		sends:  []string{"X-Auth-User-Id: alice", "X-Auth-User-Id: admin", "X-Tenant-Id: acme"},
		theirs: told{principal: "admin", attributes: `{}`, tenant: "acme"},
		ours:   &told{status: 400}, stance: "1.11 no. 18",
	},
	{
		name: "upstream_header, from elsewhere", yaml: "type: upstream_header, principal_header: x-auth-user-id, trusted_proxy_cidrs: [10.96.0.0/12, 10.244.0.0/16]",
		block: "provider upstream_header {\nprincipal_header X-Auth-User-Id\ntrusted_proxies 10.96.0.0/12 10.244.0.0/16\n}\n",
		sends: []string{"X-Auth-User-Id: admin"}, theirs: told{status: 403},
		ours: &told{status: 401}, stance: "section 3: headers of other peers say nothing",
	},
	{
		name: "upstream_header, without trusted_proxy_cidrs", yaml: "type: upstream_header, principal_header: x-auth-user-id",
		block: "provider upstream_header {\nprincipal_header X-Auth-User-Id\ntrusted_proxies unix\n}\n",
		sends: []string{"X-Auth-User-Id: admin"}, theirs: told{principal: "admin", attributes: `{}`},
		ours: &told{status: 401}, stance: "section 3: trusted_proxies is required",
	},
}

// listedKey is an example of upstream's documentation, and nobody's.
const listedKey = "ogk_mykey1-0123456789"

// keyMoves are local_api_key.
var keyMoves = []move{
	{
		name: "local_api_key", yaml: "type: local_api_key, api_keys: [ogk_mykey1, ogk_mykey2]",
		block: fmt.Sprintf("provider api_key {\nkey sha256:%x mykey1 {\nattribute roles admin owner\nattribute teams mykey1\n}\n}\n",
			sha256.Sum256([]byte(listedKey))),
		token:  listedKey,
		theirs: told{principal: listedKey, attributes: `{"roles":["admin","owner"],"teams":["` + listedKey + `"]}`},
		ours:   &told{principal: "mykey1", attributes: `{"roles":["admin","owner"],"teams":["mykey1"]}`},
		stance: "1.11 no. 2: no key is a name",
	},
	{
		name: "local_api_key, a key that is not listed", yaml: "type: local_api_key, api_keys: [ogk_mykey1, ogk_mykey2]",
		block: fmt.Sprintf("provider api_key {\nkey sha256:%x mykey1\n}\n", sha256.Sum256([]byte(listedKey))),
		token: "ogk_mykey3-0123456789", theirs: told{status: 401},
	},
}
