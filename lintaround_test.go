package stackauth_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/policylint"
)

// toStack is what a site ends with.
const toStack = "reverse_proxy 127.0.0.1:8321\n"

// block is a stack_auth with providers.
func block(lines string) string { return "stack_auth {\n" + trusted + lines + "\n}\n" }

func listening(directives string) string { return ":8080 {\n" + directives + "\n}\n" }

const adminsOnly = "forbid /v1/admin* {\nunless user with admin in roles\n}\npermit\n"

func init() {
	codes = append(codes, []codeCase{
		{
			policylint.BlockNeverAsked, policylint.Error, "",
			listening("route {\n" + toStack + block("require roles a") + "}"), listening("route {\n" + block("require roles a") + toStack + "}"), "",
		},
		{
			policylint.BlockNeverAsked, policylint.Error, "",
			"{\norder stack_auth last\n}\n" + listening(toStack+block("require roles a")), "{\norder stack_auth first\n}\n" + listening(toStack+block("require roles a")), "by order",
		},
		{
			policylint.BlockNeverAsked, policylint.Error, "",
			listening("route {\nhandle /a {\nrespond a\n}\nhandle {\nrespond b\n}\n" + block("require roles a") + "}"),
			listening("route {\nhandle /a {\nheader X a\n}\nhandle {\nrespond b\n}\n" + block("require roles a") + "}"), "by handles of which one is for the rest",
		},
		{
			policylint.BlockNeverAsked, policylint.Error, "",
			"&(proxy) {\n" + toStack + "}\n" + listening("route {\ninvoke proxy\n"+block("require roles a")+"}"),
			listening("route {\nreverse_proxy /ui/* 127.0.0.1:3000\nforward_auth 127.0.0.1:9 {\nuri /\n}\n" + block("require roles a") + toStack + "}"), "what is for some requests, or lets them pass",
		},
		{
			policylint.UnguardedProxy, policylint.Warning, "",
			listening("handle /v1/* {\n" + block("require roles a") + "}\n" + toStack), listening("handle {\n" + block("require roles a") + "}\n" + toStack), "behind the handle",
		},
		{
			policylint.UnguardedProxy, policylint.Warning, "",
			listening("handle /v1/* {\n" + block("require roles a") + toStack + "}\n" + toStack),
			listening("handle /v1/* {\n" + block("require roles a") + toStack + "}\nreverse_proxy 127.0.0.1:3000"), "the same upstream beside it",
		},
		{
			policylint.UnguardedProxy, policylint.Warning, "",
			"ai.example.com {\nhandle /v1/* {\n" + block("require roles a") + toStack + "}\nhandle {\n" + toStack + "}\n}\n",
			"ai.example.com {\nhandle /v1/* {\n" + block("require roles a") + toStack + "}\n}\nhealth.example.com {\n" + toStack + "}\n", "of the same site",
		},
		{
			policylint.MethodChangedLater, policylint.Warning, "forbid 1",
			around("", "forbid /v1/* {\nmethods DELETE\n}\npermit", "method DELETE"), around("", "forbid /v1/* {\nmethods DELETE\n}\npermit", "method GET"), "",
		},
		{
			policylint.MethodChangedLater, policylint.Warning, "forbid 1",
			around("", "forbid /v1/* {\nmethods DELETE\n}\npermit", "reverse_proxy 127.0.0.1:8321 {\nmethod {header.X-Method}\n}"),
			around("method GET", "forbid /v1/* {\nmethods GET\n}\npermit", "forward_auth 127.0.0.1:9 {\nuri /\n}"), "of a proxy",
		},
		{
			policylint.PermitByMatcher, policylint.Warning, "permit 1",
			site("permit {\nmatch {\nnot path /v1/admin\n}\n}"), site("permit {\nmatch {\npath /v1/models\nnot remote_ip 192.0.2.0/24\n}\n}"), "",
		},
		{
			policylint.PermitByMatcher, policylint.Warning, "permit 1",
			site("permit {\nmatch {\nexpression `!path('/v1/admin')`\n}\n}"), site("permit {\nmatch {\nexpression `path('/v1/models') && {method} != 'PUT'`\n}\n}"), "in an expression",
		},
		{
			policylint.ForbidByMatcher, policylint.Warning, "forbid 1",
			site("forbid {\nmatch {\nexpression path(\"/v1/admin*\")\n}\n}"), site("forbid {\nmatch {\nexpression {query}.contains('x')\n}\n}"), "in an expression",
		},
		{
			policylint.ForbidByMatcher, policylint.Warning, "forbid 1",
			site("forbid {\nmatch {\nexpression {uri}.startsWith('/v1/admin')\n}\n}"), site("forbid {\nmatch {\nexpression {header.X-Path}.startsWith('/v1')\n}\n}"), "by a placeholder",
		},
		{
			policylint.ForbidByMatcher, policylint.Warning, "forbid 1",
			site("forbid {\nmatch {\nvars {http.request.orig_uri.path} /v1/admin\n}\n}"), site("forbid {\nmatch {\nvars {http.request.uri.query} /v1/admin\n}\n}"), "of vars",
		},
		{
			policylint.ForbidByMatcher, policylint.Warning, "forbid 1",
			site("forbid {\nmatch {\nvars_regexp {path} ^/v1/admin\n}\n}"), site("forbid {\nmatch {\nvars_regexp {host} ^ai\n}\n}"), "of an expression for vars",
		},
		{
			policylint.PathChangedLater, policylint.Error, "",
			"&(proxy) {\nuri /llm/* strip_prefix /llm\n" + toStack + "}\n" + listening(block(adminsOnly)+"invoke proxy"),
			"&(proxy) {\n" + toStack + "}\n" + listening(block(adminsOnly)+"invoke proxy"), "in a named route",
		},
		{
			policylint.PathChangedLater, policylint.Error, "",
			"&(guard) {\n" + block(adminsOnly) + "}\n" + listening("route {\ninvoke guard\nuri strip_prefix /llm\n"+toStack+"}"),
			"&(guard) {\n" + block(adminsOnly) + "}\n" + listening("route {\nuri strip_prefix /llm\ninvoke guard\n"+toStack+"}"), "after a block in a named route",
		},
		{
			policylint.PathChangedLater, policylint.Warning, "",
			around("", adminsOnly, "reverse_proxy 127.0.0.1:8321 {\nrewrite /check\n@ok status 2xx\nhandle_response @ok {\nfile_server\n}\n}"),
			around("", adminsOnly, "forward_auth 127.0.0.1:9 {\nuri /check\n}\n"+toStack), "of a request of its own",
		},
		{
			policylint.PrefixTakenOff, policylint.Error, "forbid 1",
			listening("handle_path /api/* {\nrewrite * /x{uri}\nuri strip_prefix /api\n" + block("forbid /api/admin*\npermit") + toStack + "}"),
			listening("handle_path /api/* {\nrewrite * /api/v1{uri}\n" + block("forbid /api/v1/admin*\npermit") + toStack + "}"), "and put in front again",
		},
		{
			policylint.PermitByMatcher, policylint.Warning, "permit 1",
			site("permit {\nmatch {\nexpression `{path} != \"/v1/admin\"`\n}\n}"),
			site("permit {\nmatch {\nexpression `path('/v1/*') && !remote_ip('192.0.2.0/24') && !{query}.contains('x')`\n}\n}"), "in an expression with something else",
		},
		{
			policylint.PermitByMatcher, policylint.Warning, "permit 1",
			site("permit {\nmatch {\nexpression `!(method('GET') || path('/v1/admin'))`\n}\n}"), site("permit {\nmatch {\nexpression `{path} == '/v1/a' && {method} != 'PUT'`\n}\n}"), "in a bracket",
		},
		{
			policylint.PathChangedLater, policylint.Warning, "",
			"&(loop) {\ninvoke loop\nrewrite /x\n}\n" + listening(block(adminsOnly)+"invoke loop"), listening(block(adminsOnly) + toStack), "in one that invokes itself",
		},
	}...)
}

// Files are nobody's secret path to the stack: a rewrite that ends at them, as
// every web application has one, changes nothing that a rule decided.
func TestARewriteThatDoesNotLeaveTheProcessIsNoFinding(t *testing.T) {
	const stack = "handle {\n" + toStack + "}\n"
	for after, found := range map[string]bool{
		"handle /ui/* {\nroot * /srv\ntry_files {path} /index.html\nfile_server\n}\n" + stack:                                         false,
		"handle_path /ui/* {\nroot * /srv\ntry_files {path} /index.html\nfile_server\n}\n" + stack:                                    false,
		"handle /ui/* {\nrewrite * /index.html\nfile_server\n}\n" + stack:                                                             false,
		"handle /ui/* {\nrewrite * /index.html\nencode gzip\nroute {\nfile_server\n}\n}\n" + stack:                                    false,
		"handle /ui/* {\nrewrite * /index.html\nrespond x\n}\nhandle_errors {\n" + toStack + "}\n" + stack:                            false, // which see the path as it was
		"handle /ui/* {\nrewrite * /index.html\nfile_server {\npass_thru\n}\n}\n" + toStack:                                           true,
		"handle /ui/* {\nrewrite * /index.html\nfile_server /a*\n}\n" + toStack:                                                       true,
		"handle /ui/* {\nrewrite * /index.html\n" + toStack + "}\n" + stack:                                                           true,
		"handle /ui/* {\nrewrite * /index.html\nphp_fastcgi 127.0.0.1:9000\nfile_server\n}\n" + stack:                                 true,
		"handle /ui/* {\nrewrite * /index.html\nbasic_auth {\na $2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG\n}\n}\n": true,
		"handle /ui/* {\nrewrite * /index.html\ninvoke x\nfile_server\n}\n" + stack:                                                   true,
		"rewrite /old /index.html\nfile_server\n":                                                                                     false,
	} {
		text := "&(x) {\n" + toStack + "}\n" + listening("route {\n"+block(adminsOnly)+after+"}")
		if strings.Contains(after, "handle_errors") { // stands in a site alone
			text = listening(block(adminsOnly) + after)
		}
		got := slices.ContainsFunc(lintText(t, text), func(f policylint.Finding) bool { return f.Code == policylint.PathChangedLater })
		if got != found {
			t.Errorf("%s: %t", after, got)
		}
	}
}

// A warning about a proxy without a block is sure, or it is none: what else may
// stand in front of it is not known.
func TestAProxyBesideABlockIsOnlyReportedWhenItIsSure(t *testing.T) {
	guarded := "handle /v1/* {\n" + block("require roles a") + "}\n"
	proxied := "handle /v1/* {\n" + block("require roles a") + toStack + "}\n"
	for directives, found := range map[string]bool{
		guarded + toStack: true,
		"@v1 path /v1/* /v2/*\nhandle @v1 {\n" + block("require roles a") + "}\n" + toStack:                                                     true,
		"handle_path /v1/* {\n" + block("require roles a") + "}\n" + toStack:                                                                    true,
		guarded + "handle /ui/* {\nfile_server\n}\n" + toStack:                                                                                  true,
		guarded + "respond /health 200\nheader X-A b\n" + toStack:                                                                               true,
		proxied + "route {\nencode gzip\n" + toStack + "}\n":                                                                                    true,
		proxied + "handle /v1/health {\n" + toStack + "}\n":                                                                                     false, // as it is written
		guarded + "handle {\nrespond 404\n}\n" + toStack:                                                                                        false,
		guarded + "handle {\n" + block("require roles b") + "}\n" + toStack:                                                                     false,
		guarded + "@far not remote_ip private_ranges\nhandle @far {\nrespond 403\n}\nhandle {\nheader X-A b\n}\n" + toStack:                     false,
		guarded + "reverse_proxy /v1/* 127.0.0.1:8321":                                                                                          false,
		guarded + "@rest not path /v1/*\nrespond @rest 404\n" + toStack:                                                                         false,
		"@v1 path /v1/*\n@rest not path /v1/*\nhandle @v1 {\n" + block("") + "}\nhandle @rest {\n" + block("require roles b") + "}\n" + toStack: false,
		"@far not remote_ip private_ranges\nhandle @far {\n" + block("require roles a") + "}\n" + toStack:                                       false,
		"basic_auth {\na $2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG\n}\n" + proxied + toStack:                                 false,
		"route {\n" + block("require roles a") + "}\nhandle /v1/admin* {\nstack_auth {\nrequire roles admin\n}\n" + toStack + "}\n" + toStack:   false,
		block("require roles a") + proxied + toStack:                                                                                            false,
		"handle * {\n" + block("require roles a") + "}\n" + toStack:                                                                             false,
		"forward_auth 127.0.0.1:9 {\nuri /\n}\n" + proxied + toStack:                                                                            false,
		"tls internal {\nclient_auth {\nmode require_and_verify\ntrust_pool file {\npem_file x.pem\n}\n}\n}\n" + proxied + toStack:              false,
	} {
		text := listening(directives)
		got := slices.ContainsFunc(lintText(t, text), func(f policylint.Finding) bool { return f.Code == policylint.UnguardedProxy })
		if got != found {
			t.Errorf("%s: %t", directives, got)
		}
	}
}

// A handler that fails hands the request to the error routes of its subroute as
// it is by then, and not as it came.
func TestARewriteThatLeavesByErrorRoutesIsFound(t *testing.T) {
	const (
		rewrites = `{"handler":"rewrite","uri":"/x"}`
		files    = `{"handler":"file_server"}`
		elseways = `,"errors":{"routes":[{"handle":[{"handler":"reverse_proxy"}]}]}`
	)
	for handlers, found := range map[string]bool{
		rewrites + `,{"handler":"subroute","routes":[{"handle":[` + files + `]}]}`:                      false,
		rewrites + `,{"handler":"subroute","routes":[{"handle":[` + files + `]}]` + elseways + `}`:      true,
		`{"handler":"subroute","routes":[{"handle":[` + rewrites + `,` + files + `]}]}`:                 false,
		`{"handler":"subroute","routes":[{"handle":[` + rewrites + `,` + files + `]}]` + elseways + `}`: true,
	} {
		file := writeFile(t, "caddy.json", `{"apps":{"http":{"servers":{"s":{"listen":[":1"],"routes":[{"handle":[
			{"handler":"stack_auth","providers":[{"type":"api_key","file":"/k"}],"rules":[{"effect":"forbid","paths":["/v1/admin*"]},{"effect":"permit"}]},
			`+handlers+`]}]}}}}}`)
		out := run(t, "", "lint", "--json", "--config", file)
		if got := strings.Contains(out.stdout, `"path-changed-later"`); got != found || out.code() == 2 {
			t.Errorf("%s: %t: %s", handlers, got, out.all())
		}
	}
}
