package stackauth_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/policylint"
)

const unlessAdmin = " {\nunless user with admin in roles\n}\n"

// What a forbid leaves free, and what is public or anonymous only as it seems.
func init() {
	behind := "handle_path /llm/* {\nreverse_proxy 127.0.0.1:8321\n}"
	codes = append(codes, []codeCase{
		{
			policylint.PathChangedLater, policylint.Error, "",
			around("", "forbid \"regex:/v1/(admin|inspect)\""+unlessAdmin+"permit", behind),
			around("", "forbid \"regex:(/llm)?/v1/(admin|inspect)\""+unlessAdmin+"permit", behind), "of an expression with a group",
		},
		{
			policylint.PathChangedLater, policylint.Error, "",
			around("", "forbid /llm/v1/admin*\nforbid \"regex:/v1/(admin|inspect)\"\npermit", behind),
			around("", "forbid /llm/v1/admin* /llm/v1/inspect*\nforbid \"regex:/v1/(admin|inspect)\"\npermit", behind), "of another alternative than the first",
		},
		{
			policylint.PathChangedLater, policylint.Error, "",
			around("", "forbid regex:/v1/[^/]+/admin\npermit", behind), around("", "forbid regex:.*/v1/[^/]+/admin\npermit", behind), "of an expression with a class",
		},
		{
			policylint.PathChangedLater, policylint.Error, "",
			around("", "forbid regex:/v1/.*/admin\npermit", behind), around("", "base_path /llm\nforbid regex:/v1/.*/admin\npermit", behind), "of one with anything in between",
		},
		{
			policylint.PathChangedLater, policylint.Error, "",
			around("", "forbid /v1/admin*\npermit", behind), around("", "forbid /v1/admin* /llm/v1/admin*\npermit", behind), "where it is forbidden as it is before",
		},
		{policylint.ExpressionHalfClosed, policylint.Warning, "forbid 1", site("forbid \"regex:^/v1/admin(/x|x$)\"\npermit"), site("forbid \"regex:^/v1/admin(/|$)\"\npermit"), "not of an end alone"},
		{policylint.PatternNeverMatches, policylint.Error, "forbid 1", site("forbid regex:/v1/admin$/.*\npermit"), site("forbid regex:/v1/admin(?:$|/.*)\npermit"), "a path that goes on behind its end"},
		{policylint.PatternNeverMatches, policylint.Error, "forbid 1", site("forbid regex:/v1/^admin\npermit"), site("forbid regex:^/v1/admin\npermit"), "a path that begins in the middle"},
		{policylint.PatternNeverMatches, policylint.Error, "forbid 1", site("forbid regex:/v1/(a$|b$)c\npermit"), site("forbid regex:/v1/(a$|b)c\npermit"), "an end in every alternative"},
		{policylint.PatternNeverMatches, policylint.Error, "permit 1", site(`permit regex:/v1/\.\./b`), site(`permit regex:/v1/\.\.b$`), "a dot segment"},
		{policylint.PatternNeverMatches, policylint.Error, "forbid 1", site(`forbid "regex:/v1/[^\x00-\x{10FFFF}]"`), site(`forbid "regex:/v1/[^\x00-\x{FFFF}]"`), "a class of nothing"},
		{policylint.ForbidBelowOnly, policylint.Warning, "forbid 1", site("forbid /v1/admin/*\npermit /v1/*"), site("forbid /v1/admin /v1/admin/*\npermit /v1/*"), ""},
		{policylint.ForbidBelowOnly, policylint.Warning, "forbid 1", site("forbid /v1/admin/*\npermit"), site("forbid /v1/admin/*\npermit /v1/admin /v1/models"), "but a permit that names the path"},
		{
			policylint.ForbidBelowOnly, policylint.Warning, "forbid 1",
			site("forbid regex:^/v1/(admin|inspect)/" + unlessAdmin + "permit"), site("forbid \"regex:^/v1/(admin|inspect)(?:/|$)\"" + unlessAdmin + "permit"), "of an expression",
		},
		{policylint.ForbidBelowOnly, policylint.Warning, "forbid 1", site("forbid regex:^/v1/admin/.+\npermit"), site("forbid regex:^/v1/[^/]+/admin\npermit"), "of an expression with anything at its end"},
		{
			policylint.ForbidBelowOnly, policylint.Warning, "forbid 1",
			site("forbid /v1/admin/*" + unlessAdmin + "permit {\n" + whenDeveloper + "}"), site("forbid /v1/admin/*" + unlessAdmin + "permit {\nwhen user with admin in roles\n}"), "of those whom the permit lets in",
		},
		{policylint.ForbidBelowOnly, policylint.Warning, "forbid 1", site("forbid /v1/admin/*\npermit"), site("public /v1/admin\nforbid /v1/admin/*\npermit"), "but a public path"},
		{policylint.ForbidBelowOnly, policylint.Note, "forbid 1", site("forbid /v1/models/* {\nmethods DELETE\n}\npermit"), site("forbid /v1/models/* {\nmethods DELETE\n}\npermit {\nmethods GET\n}"), "of some methods"},
		{
			policylint.ForbidExactPath, policylint.Warning, "forbid 1",
			site("forbid /v1/admin" + unlessAdmin + "permit {\n" + whenDeveloper + "}"), site("forbid /v1/admin" + unlessAdmin + "permit {\nwhen user with admin in roles\n}"), "of those whom the permit lets in",
		},
		{policylint.ForbidExactPath, policylint.Warning, "forbid 1", site("forbid /v1/a\npermit"), site("forbid /v1/a,\npermit"), "but one with a comma, of which that is said"},
		{policylint.ForbidExactPath, policylint.Warning, "forbid 1", site("forbid /v1/id\npermit"), site("forbid /v1/{id}\npermit"), "but one of another language"},
		{
			policylint.ForbidExactPath, policylint.Warning, "forbid 1",
			site("forbid /v1/a {\nmethods POST\n}\npermit"), site("forbid /v1/a {\nmethods POST\n}\npermit {\nmethods GET\n}"), "of the methods of the permit",
		},
		{policylint.PublicBeforeRule, policylint.Note, "permit 1", site("public /v1/health\npermit /v1/health"), site("public /v1/health\npermit /v1/health*"), "of a permit"},
		{policylint.PrefixTakenOff, policylint.Warning, "", site("base_path /llm\npublic /llm/v1/version"), site("base_path /llm\npublic /v1/version"), "public"},
		{
			policylint.AnonymousRefused, policylint.Warning, "",
			strings.Replace(site("allow_anonymous\ntenancy multi\npermit"), "audience stack\n", "audience stack\ntenant_claim tenant\n", 1),
			site("allow_anonymous\ntenancy single acme\npermit"), "by tenancy",
		},
		{
			policylint.RuleNeverApplies, policylint.Error, "permit 1",
			strings.Replace(site("allow_anonymous\ntenancy multi\npermit /a {\nwhen user is anonymous\n}"), "audience stack\n", "audience stack\ntenant_claim tenant\n", 1),
			site("allow_anonymous\ntenancy single acme\npermit /a {\nwhen user is anonymous\n}"), "nobody is anonymous and of a tenant",
		},
		{
			policylint.RuleShadowed, policylint.Warning, "permit 3",
			site("permit /a {\n" + whenDeveloper + "}\npermit /* {\nunless user with developer in roles\n}\npermit /a"),
			site("permit /a {\n" + whenDeveloper + "}\npermit /* {\nunless user with admin in roles\n}\npermit /a"), "by two permits for those with and those without",
		},
	}...)
}

func adviceOf(t testing.TB, config string, code policylint.Code) string {
	t.Helper()
	findings := lintText(t, config)
	i := slices.IndexFunc(findings, func(f policylint.Finding) bool { return f.Code == code })
	if i < 0 {
		t.Fatalf("no %s in\n%s\n%+v", code, config, findings)
	}
	return findings[i].Message + "\n" + findings[i].Advice
}

func TestWhatAForbidLeavesFreeIsNamedWithWhatToWrite(t *testing.T) {
	for lines, want := range map[string][]string{
		"forbid /v1/admin/*\npermit":                         {"`/v1/admin/` is not forbidden", "write `/v1/admin /v1/admin/*`"},
		"forbid regex:^/v1/(admin|inspect)/\npermit":         {"below `/v1/admin` and `/v1/inspect`", "name `/v1/admin` and `/v1/inspect` in the line", "`(?:/|$)`"},
		"forbid regex:^/v1/(admin|x/y)/\npermit /v1/x* /v2*": {"below `/v1/x/y`, ", "name `/v1/x/y` in the line"},
	} {
		text := adviceOf(t, site(lines), policylint.ForbidBelowOnly)
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %s is not in\n%s", lines, part, text)
			}
		}
	}
}

func TestWhoDoesWhatIsAdvisedAboutAForbidHasNoMoreFindings(t *testing.T) {
	for _, forbid := range []string{
		"/v1/admin /v1/admin/*", "/v1/admin*", "\"regex:^/v1/(admin|inspect)(?:/|$)\"", "regex:^/v1/(admin|inspect)/ /v1/admin* /v1/inspect*",
	} {
		if findings := lintText(t, site("forbid "+forbid+unlessAdmin+"permit")); len(findings) != 0 {
			t.Errorf("%s: %+v", forbid, findings)
		}
	}
}

// What is public is open to everybody, whatever the rules are.
func TestThatNobodyGetsInIsSaidOfWhatIsNotPublic(t *testing.T) {
	for lines, want := range map[string]string{"forbid /a": "403 everywhere", "public /b\nforbid /a": "403 wherever it is not public"} {
		if text := adviceOf(t, site(lines), policylint.NoPermit); !strings.Contains(text, want) {
			t.Errorf("%s: %s", lines, text)
		}
	}
}

func TestWhyAnExpressionMatchesNothingIsSaid(t *testing.T) {
	for expression, want := range map[string]string{
		`/v1/admin$/.*`: "after its `$`", `/v1/^admin`: "before its `^`", `/v1/(?:a$|b$)c`: "after its `$`", `/v1/\.\./b`: "has a dot segment", `/v1/a/\./b`: "has a dot segment",
		`/v1/[^\x00-\x{10FFFF}]`: "a class that no character is in", `/v1/a$b`: "after its `$`", `/v1/a%2Fb`: "has `%`", `/v1//b`: "an empty segment",
	} {
		for _, effect := range []string{"permit", "forbid"} {
			text := adviceOf(t, site(effect+" \"regex:"+expression+"\""), policylint.PatternNeverMatches)
			if !strings.Contains(text, want) {
				t.Errorf("%s %s: %s is not in\n%s", effect, expression, want, text)
			}
		}
	}
}
