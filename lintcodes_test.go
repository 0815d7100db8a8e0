package stackauth_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/policylint"
)

// trusted is a provider that gives roles and teams.
const trusted = `provider oauth2_token {
	issuer https://id.example.com/realms/x
	audience stack
	claims_mapping {
		realm_access.roles roles
		groups teams
	}
}
`

// site is a site with one block.
func site(lines string) string {
	return ":8080 {\nstack_auth {\n" + trusted + lines + "\n}\nreverse_proxy 127.0.0.1:8321\n}\n"
}

// around is a site whose block is among other directives.
func around(before, lines, after string) string {
	return ":8080 {\nroute {\n" + before + "\nstack_auth {\n" + trusted + lines + "\n}\n" + after + "\n}\n}\n"
}

const (
	whenDeveloper = "when user with developer in roles\n"
	mapsSub       = "provider oauth2_token {\nissuer https://id.example.com\naudience x\nclaims_mapping {\n"
)

type codeCase struct {
	code      policylint.Code
	severity  policylint.Severity
	where     string // what the subject is called
	bad, good string
	name      string
}

// codes has, for each code, a configuration of which it is said, and one that is
// nearly the same and of which it is not.
var codes = []codeCase{
	{
		policylint.RuleNeverApplies, policylint.Error, "permit 1",
		site("permit /a {\nwhen user with x in roles\nunless user with x in roles\n}"),
		site("permit /a {\nwhen user with x in roles\nunless user with x in teams\n}"), "conditions that contradict each other",
	},
	{
		policylint.RuleNeverApplies, policylint.Error, "permit 1",
		site("permit /a {\nwhen user is anonymous\n}"),
		site("allow_anonymous\npermit /a {\nwhen user is anonymous\n}"), "nobody is anonymous",
	},
	{
		policylint.RuleNeverApplies, policylint.Error, "forbid 1",
		site("forbid /a {\nwhen user with x in roles\nunless user with x in roles\n}"),
		site("allow_anonymous\nforbid /a {\nwhen user with x in roles\nunless user with x in roles\n}"), "a forbid, of which the conditions hold of nobody but somebody anonymous",
	},
	{
		policylint.RuleNeverApplies, policylint.Error, "permit 1",
		site("require roles x\npermit /a {\nunless user with x in roles\n}"),
		site("require roles x y\npermit /a {\nunless user with x in roles\n}"), "what require asks of everybody",
	},
	{
		policylint.RuleNeverApplies, policylint.Error, "permit 1",
		site("access_policy {\npermit {\nactions read\nwhen user is owner\nwhen resource is unowned\n}\n}"),
		site("access_policy {\npermit {\nactions read\nwhen user is not owner\nwhen resource is unowned\n}\n}"), "an owner of what nobody owns",
	},
	{
		policylint.RuleNeverApplies, policylint.Error, "permit 1",
		site("access_policy {\npermit {\nactions read\nunless user with x in roles\nunless user with x not in roles\n}\n}"),
		site("compat ogx\naccess_policy {\npermit {\nactions read\nunless user with x in roles\nunless user with x not in roles\n}\n}"),
		"with compat ogx a rule applies unless all of unless hold",
	},
	{
		policylint.RuleShadowed, policylint.Error, "permit 2",
		site("forbid /v1/*\npermit /v1/models"), site("forbid /v1/*\npermit /v2/models"), "a permit behind a forbid",
	},
	{
		policylint.RuleShadowed, policylint.Error, "forbid 2",
		site("permit *\nforbid /v1/admin*"), site("permit /v1/admin\nforbid /v1/admin*"), "a forbid behind a permit",
	},
	{
		policylint.RuleShadowed, policylint.Warning, "permit 2",
		site("permit /v1/* {\n" + whenDeveloper + "}\npermit /v1/models {\nmethods GET\n" + whenDeveloper + "}"),
		site("permit /v1/* {\n" + whenDeveloper + "}\npermit /v1/models {\nmethods GET\n}"), "conditions that imply others",
	},
	{
		policylint.RuleShadowed, policylint.Warning, "permit 3",
		site("permit /a {\nmethods GET\n}\npermit /b {\nmethods GET POST\n}\npermit /a /b {\nmethods GET\n}"),
		site("permit /a {\nmethods GET\n}\npermit /b {\nmethods GET POST\n}\npermit /a /b {\nmethods GET POST\n}"), "two rules that together are for the paths",
	},
	{
		policylint.RuleShadowed, policylint.Error, "forbid 2",
		site("permit *\nforbid /a"), site("permit * {\nmatch {\nclient_ip private_ranges\n}\n}\nforbid /a"), "nothing is known of matchers",
	},
	{
		policylint.RuleShadowed, policylint.Error, "forbid 2",
		site("access_policy {\npermit {\nactions read update\nresource model::*\n}\nforbid {\nprincipal bob\nactions read\nresource model::x\n}\n}"),
		site("access_policy {\npermit {\nprincipal bob\nactions read update\nresource model::*\n}\nforbid {\nactions read\nresource model::x\n}\n}"), "resources and principals",
	},
	{
		policylint.PathShadowed, policylint.Warning, "permit 2",
		site("forbid /v1/admin*\npermit /v1/admin/health /v1/models"), site("forbid /v1/admin\npermit /v1/admin/health /v1/models"), "",
	},
	{
		policylint.PathShadowed, policylint.Note, "permit 2",
		site("permit /v1/files/*\npermit /v1/files/x /v1/models"), site("permit /v1/files/*\npermit /v1/files /v1/models"), "the same effect",
	},
	{
		policylint.DuplicateRule, policylint.Warning, "again",
		site("permit /a /b {\nmethods GET\n}\npermit /b /a {\nmethods GET\ndescription again\n}"), site("permit /a /b {\nmethods GET\n}\npermit /b /a {\nmethods POST\n}"), "",
	},
	{
		policylint.ForbidAfterPermit, policylint.Error, "forbid 2",
		site("permit /v1/*\nforbid /v1/admin*"), site("forbid /v1/admin*\npermit /v1/*"), "everybody is let in before",
	},
	{
		policylint.ForbidAfterPermit, policylint.Warning, "forbid 2",
		site("permit /v1/* {\n" + whenDeveloper + "}\nforbid /v1/admin* {\nunless user with admin in roles\n}"),
		site("permit /v1/* {\nwhen user with admin in roles\n}\nforbid /v1/admin* {\nunless user with admin in roles\n}"), "some are let in before, who are not excepted",
	},
	{
		policylint.ForbidAfterPermit, policylint.Warning, "forbid 2",
		site("permit /v1/* {\nwhen user with admin in roles\n}\nforbid /v1/admin*"),
		site("permit /v1/* {\nwhen user with admin in roles\n}\nforbid /v1/admin*\npermit /v1/* {\n" + whenDeveloper + "}"), "a forbid with nothing to forbid",
	},
	{
		policylint.PermitAllLast, policylint.Note, "permit 2",
		site("permit /a {\n" + whenDeveloper + "}\npermit"), site("permit /a {\n" + whenDeveloper + "}\npermit {\n" + whenDeveloper + "}"), "",
	},
	{policylint.PatternNeverMatches, policylint.Error, "permit 1", site("permit /v1/files/"), site("permit /v1/files/*"), "a slash at the end"},
	{policylint.PatternNeverMatches, policylint.Error, "permit 1", site("permit regex:v1/.*"), site("permit regex:.*v1/.*"), "no slash at the start"},
	{policylint.PatternNeverMatches, policylint.Error, "forbid 1", site("forbid regex:^/v1/a%2Fb"), site("forbid regex:^/v1/a/b"), "an escape"},
	{policylint.PatternNeverMatches, policylint.Error, "forbid 1", site("forbid regex:^/v1/admin/$"), site("forbid regex:^/v1/admin/?$"), "an expression with a slash at the end"},
	{
		policylint.PatternNeverMatches, policylint.Error, "permit 1",
		site("compat ogx\naccess_policy {\npermit {\nactions read\nresource model\n}\n}"),
		site("compat ogx\naccess_policy {\npermit {\nactions read\nresource model::*\n}\n}"), "a resource without an id",
	},
	{policylint.PatternNeverMatches, policylint.Error, "", site("public /v1/health/"), site("public /v1/health"), "public"},
	{
		policylint.PathChangedLater, policylint.Error, "",
		around("", "forbid /v1/admin*\npermit *", "handle /x {\nuri strip_prefix /llm\n}"),
		":8080 {\nhandle /v1/* {\nstack_auth {\n" + trusted + "forbid /v1/admin*\npermit *\n}\n}\nhandle_path /llm/* {\nrespond x\n}\n}\n", "of another handle",
	},
	{policylint.PublicBeforeRule, policylint.Error, "forbid 1", site("public /v1/*\nforbid /v1/admin*"), site("public /v1/health\nforbid /v1/*"), ""},
	{policylint.PublicBeforeRule, policylint.Warning, "permit 1", site("public *\npermit regex:^/v1/.* {\n" + whenDeveloper + "}"), site("public /v1/x\npermit regex:^/v1/.* {\n" + whenDeveloper + "}"), "of a permit with a condition"},
	{policylint.PrefixTakenOff, policylint.Error, "forbid 1", site("base_path /llm\nforbid /llm/v1/admin*"), site("base_path /llm\nforbid /v1/admin*"), "base_path"},
	{
		policylint.PrefixTakenOff, policylint.Warning, "permit 1",
		around("uri strip_prefix /api", "permit /api/v1", ""), around("uri /api/v1* strip_prefix /api", "permit /api/v1", ""), "a prefix that is always taken off",
	},
	{policylint.PrefixWithinSegment, policylint.Note, "permit 1", site("permit /v1/files*"), site("permit /v1/files /v1/files/*"), ""},
	{policylint.PrefixWithinSegment, policylint.Note, "permit 1", site("permit /v1/files*"), site("forbid /v1/files*"), "of a permit alone"},
	{policylint.ForbidExactPath, policylint.Warning, "forbid 1", site("forbid /v1/admin\npermit /v1/*"), site("forbid /v1/admin\nforbid /v1/admin/*\npermit /v1/*"), ""},
	{policylint.ForbidExactPath, policylint.Warning, "forbid 1", site("forbid regex:^/v1/admin$\npermit /v1/*"), site("forbid regex:^/v1/admin$\npermit /v1/models/*"), "where a permit is about what is below"},
	{policylint.ForbidByMatcher, policylint.Warning, "forbid 1", site("forbid {\nmatch {\npath /v1/admin*\n}\n}"), site("forbid {\nmatch {\nheader X-A b\n}\n}"), ""},
	{policylint.ForbidByMatcher, policylint.Warning, "forbid 1", site("forbid {\nmatch {\nnot path_regexp ^/v1\n}\n}"), site("permit {\nmatch {\npath /v1/admin*\n}\n}"), "within not"},
	{
		policylint.PathChangedLater, policylint.Error, "",
		around("", "forbid /v1/admin*\npermit *", "handle_path /llm/* {\nreverse_proxy 127.0.0.1:8321\n}"),
		around("", "base_path /llm\nforbid /v1/admin*\npermit *", "handle_path /llm/* {\nreverse_proxy 127.0.0.1:8321\n}"), "a prefix",
	},
	{
		policylint.PathChangedLater, policylint.Error, "",
		around("", "forbid /v1/admin*\npermit *", "uri strip_prefix /llm"),
		around("", "forbid /v1/admin*\npermit /v1/*", "uri strip_prefix /llm"), "with which nobody is let in",
	},
	{
		policylint.PathChangedLater, policylint.Warning, "",
		around("", "forbid /v1/admin*\npermit *", "rewrite /chat /v1/chat"),
		around("rewrite /chat /v1/chat", "forbid /v1/admin*\npermit *", "rewrite * {path}?x=y"), "a rewrite",
	},
	{
		policylint.PathChangedLater, policylint.Warning, "",
		around("", "forbid /v1/admin*\npermit *", "reverse_proxy 127.0.0.1:8321 {\nrewrite /x{uri}\n}"),
		around("", "permit /x", "reverse_proxy 127.0.0.1:8321 {\nrewrite /x{uri}\n}"), "a rewrite of the proxy",
	},
	{
		policylint.CompatLiteralStar, policylint.Error, "permit 1",
		site("compat ogx\naccess_policy {\npermit {\nactions read\nresource model::llama-*\n}\n}"),
		site("access_policy {\npermit {\nactions read\nresource model::llama-*\n}\n}"), "",
	},
	{
		policylint.ForbidExactResource, policylint.Note, "forbid 1",
		site("access_policy {\nforbid {\nactions read\nresource model::llama\n}\n}"),
		site("access_policy {\nforbid {\nactions read\nresource model::llama*\n}\n}"), "",
	},
	{
		policylint.BlockLimitedByPath, policylint.Warning, "",
		":8080 {\nstack_auth /v1/* {\n" + trusted + "}\n}\n", ":8080 {\n@x header X-A b\nstack_auth @x {\n" + trusted + "}\n}\n", "",
	},
	{policylint.ExpressionHalfClosed, policylint.Warning, "forbid 1", site("forbid regex:^/a|/b$"), site("forbid regex:^(?:/a|/b)$"), ""},
	{policylint.ExpressionHalfClosed, policylint.Note, "permit 1", site("permit regex:^/a|/bb$"), site("permit regex:^/a$|^/bb$"), "in a permit"},
	{policylint.ExpressionStarts, policylint.Warning, "forbid 1", site("forbid regex:/admin$"), site("forbid regex:.*/admin$"), ""},
	{policylint.ExpressionMatchesMore, policylint.Warning, "permit 1", site("compat ogx\npermit regex:^/v1/models"), site("compat ogx\npermit regex:^/v1/models$"), ""},
	{policylint.ExpressionMatchesLess, policylint.Warning, "permit 1", site("permit regex:^/v1/models"), site("permit regex:^/v1/models/.*"), ""},
	{policylint.ExpressionDot, policylint.Note, "permit 1", site("permit regex:^/v1/a.txt$"), site(`permit regex:^/v1/a\.txt$`), ""},
	{policylint.UnknownAttribute, policylint.Error, "permit 1", site("permit /a {\nwhen user with x in role\n}"), site("permit /a {\nwhen user with x in roles\n}"), ""},
	{
		policylint.UnknownAttribute, policylint.Error, "require 1", site("require team x"),
		":8080 {\nstack_auth {\nprovider custom {\nendpoint http://127.0.0.1:9\n}\nrequire team x\n}\n}\n", "what a custom endpoint gives nobody knows",
	},
	{
		policylint.UnknownAttribute, policylint.Error, "permit 1",
		site("access_policy {\npermit {\nactions read\nwhen user in owners projects\n}\n}"), site("access_policy {\npermit {\nactions read\nwhen user in owners teams\n}\n}"), "of owners",
	},
	{
		policylint.IdentityInRoles, policylint.Error, "oauth2_token",
		":8080 {\nstack_auth {\n" + mapsSub + "preferred_username roles\n}\n}\n}\n}\n", ":8080 {\nstack_auth {\n" + mapsSub + "preferred_username users\n}\n}\n}\n}\n", "",
	},
	{
		policylint.IdentityInRoles, policylint.Error, "oauth2_token",
		":8080 {\nstack_auth {\ncompat ogx\nprovider oauth2_token {\nissuer https://id.example.com\naudience x\n}\n}\n}\n", site("compat ogx"), "by compat ogx",
	},
	{
		policylint.IdentityInRoles, policylint.Error, "placeholders",
		":8080 {\nstack_auth {\nprovider placeholders {\nprincipal {http.auth.user.id}\nattribute roles {http.auth.user.id}\n}\n}\n}\n",
		":8080 {\nstack_auth {\nprovider placeholders {\nprincipal {http.auth.user.id}\nattribute roles {http.auth.user.groups}\n}\n}\n}\n", "by placeholders",
	},
	{
		policylint.UniversalRole, policylint.Warning, "permit 1",
		site("permit /a {\nwhen user with offline_access in roles\n}"), site("permit /a {\nwhen user with offline_access in roles\n" + whenDeveloper + "}"), "",
	},
	{policylint.UniversalRole, policylint.Warning, "require 1", site("require roles default-roles-stack admin"), site("require roles user admin"), "of require"},
	{
		policylint.UniversalRole, policylint.Warning, "forbid 1",
		site("forbid /a {\nunless user with uma_authorization in roles\n}"), site("forbid /a {\nunless user with admin in roles\n}"), "excepted from a forbid",
	},
	{
		policylint.OwnersShareRoles, policylint.Warning, "permit 1",
		site("access_policy {\npermit {\nactions read\nwhen user in owners roles\n}\n}"), site("access_policy {\npermit {\nactions read\nwhen user in owners roles\nwhen user in owners teams\n}\n}"), "",
	},
	{policylint.OwnerMatchAny, policylint.Note, "", site("owner_match any"), site("owner_match all"), ""},
	{
		policylint.NegativeCondition, policylint.Warning, "permit 1",
		site("permit /a {\nwhen user with guest not in roles\n}"), site("forbid /a {\nwhen user with staff not in roles\n}"), "",
	},
	{
		policylint.NegativeCondition, policylint.Note, "permit 1",
		site("permit /a {\nunless user with guest in roles\n}"), site("permit /a {\nunless user with staff not in roles\n}"), "by unless",
	},
	{policylint.CommaInValue, policylint.Note, "require 1", site("require roles admin,operator"), site("require roles admin operator"), ""},
	{policylint.AnonymousRefused, policylint.Warning, "", site("allow_anonymous\nrequire roles user"), site("require roles user"), "by require"},
	{policylint.AnonymousRefused, policylint.Warning, "", site("allow_anonymous\npermit /a {\n" + whenDeveloper + "}"), site("allow_anonymous\npermit /a"), "by the rules"},
	{policylint.RequireRepeated, policylint.Note, "require 2", site("require roles a\nrequire roles b"), site("require roles a\nrequire teams b"), ""},
	{policylint.RequireWithoutUse, policylint.Note, "require 2", site("require roles a\nrequire roles a b"), site("require roles a c\nrequire roles a b"), ""},
	{policylint.ExplainHeaderToAll, policylint.Warning, "", site("explain_header roles offline_access"), site("explain_header roles auditor"), ""},
	{policylint.NoRules, policylint.Note, "", site(""), site("require roles a"), ""},
	{
		policylint.NoProviderBefore, policylint.Warning, "",
		":8080 {\nstack_auth {\nrequire roles a\n}\n}\n", ":8080 {\nhandle_errors {\nstack_auth {\nrequire roles a\n}\n}\n}\n", "",
	},
	{policylint.ShadowOn, policylint.Warning, "", site("require roles a\nshadow"), site("require roles a"), ""},
	{policylint.AccessPolicyUnenforced, policylint.Warning, "", site("access_policy {\npermit {\nactions read\n}\n}"), site("access_policy {\n}"), ""},
}

func TestEachFindingIsMadeWhereItIsDueAndNotBesideIt(t *testing.T) {
	for _, c := range codes {
		t.Run(strings.TrimSpace(string(c.code)+" "+c.name), func(t *testing.T) {
			found := slices.IndexFunc(lintText(t, c.bad), func(f policylint.Finding) bool { return f.Code == c.code })
			if found < 0 {
				t.Fatalf("not found in\n%s\nbut %+v", c.bad, lintText(t, c.bad))
			}
			f := lintText(t, c.bad)[found]
			if f.Severity != c.severity || f.Name != c.where || f.Message == "" || f.Advice == "" {
				t.Errorf("%+v", f)
			}
			for _, f := range lintText(t, c.good) {
				if f.Code == c.code {
					t.Errorf("found in\n%s\n%+v", c.good, f)
				}
			}
		})
	}
}

func TestEveryCodeIsTested(t *testing.T) {
	source, err := os.ReadFile("policylint/codes.go")
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for line := range strings.SplitSeq(string(source), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[1] != "Code" || fields[2] != "=" {
			continue
		}
		known++
		if !slices.ContainsFunc(codes, func(c codeCase) bool { return `"`+string(c.code)+`"` == fields[3] }) {
			t.Errorf("%s is not", fields[3])
		}
	}
	if known < 30 {
		t.Errorf("%d codes are read from the source", known)
	}
}

func TestWhateverChangesThePathLaterIsFound(t *testing.T) {
	for after, changes := range map[string]bool{
		"uri strip_suffix .json": true, "uri replace a b": true, "uri path_regexp a b": true, "uri strip_prefix {vars.x}": true,
		"rewrite /new": true, "rewrite * /new{uri}": true, "handle /x {\nroute {\nrewrite /y\n}\n}": true, "try_files {path} /index.html": true,
		"uri query +a b": false, "rewrite ?a=b": false, "rewrite {uri}": false, "method POST": false, "header X a": false,
	} {
		found := slices.ContainsFunc(lintText(t, around("", "forbid /v1/admin*\npermit *", after)),
			func(f policylint.Finding) bool { return f.Code == policylint.PathChangedLater })
		if found != changes {
			t.Errorf("%s: %t", after, found)
		}
	}
}

func TestTheNameThatMayHaveBeenMeantIsNamed(t *testing.T) {
	for name, meant := range map[string]string{
		"role": "`roles`", "rolse": "`roles`", "Roles": "`roles`", "team": "`teams`", "taems": "`teams`", "department": "", "t": "", "x": "",
	} {
		findings := lintText(t, site("require "+name+" x"))
		if len(findings) != 1 || findings[0].Code != policylint.UnknownAttribute || !strings.Contains(findings[0].Message, "`"+name+"` (given are: roles, teams)") {
			t.Fatalf("%s: %+v", name, findings)
		}
		advice := findings[0].Advice
		if meant == "" && strings.Contains(advice, "roles") || meant == "" && strings.Contains(advice, "teams") || !strings.Contains(advice, meant) {
			t.Errorf("%s: %s", name, advice)
		}
	}
}

// lintText runs the command on a Caddyfile.
func lintText(t testing.TB, text string) []policylint.Finding {
	t.Helper()
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out := run(t, "", "lint", "--json", "--config", file)
	var findings []policylint.Finding
	if err := json.Unmarshal([]byte(out.stdout), &findings); err != nil {
		t.Fatalf("%v: %v in\n%s\n%s", err, out.err, text, out.stdout)
	}
	return findings
}
