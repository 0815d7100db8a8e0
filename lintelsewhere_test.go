package stackauth_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/policylint"
)

// A block in a named route, or behind one with a matcher, may enforce for any that
// finds out who calls: what is for one of them is not said never to be.
func init() {
	invoked := func(outer, lines string) string {
		return "&(guard) {\nstack_auth {\n" + lines + "\n}\n}\n" + listening("route {\n"+block(outer)+"invoke guard\n"+toStack+"}")
	}
	twice := func(first, second string) string {
		return listening("route {\n@a header X-A a\n@b header X-A b\nstack_auth @a {\n" + trusted + first + "\n}\nstack_auth @b {\n" +
			strings.ReplaceAll(trusted, "groups teams", "groups projects") + second + "\n}\nstack_auth {\npermit /a {\nwhen user is anonymous\n}\npermit {\nwhen user with x in teams\n}\n}\n" + toStack + "}")
	}
	const anonymous = "permit /a {\nwhen user is anonymous\n}\npermit"
	codes = append(codes, []codeCase{
		{policylint.RuleNeverApplies, policylint.Error, "permit 1", invoked("", anonymous), invoked("allow_anonymous", anonymous), "in a named route"},
		{
			policylint.RuleNeverApplies, policylint.Error, "permit 1",
			strings.ReplaceAll(invoked("allow_anonymous\ntenancy multi", anonymous), "audience stack\n", "audience stack\ntenant_claim tenant\n"),
			invoked("allow_anonymous\ntenancy single acme", anonymous), "in a named route, with tenancy",
		},
		{policylint.RuleNeverApplies, policylint.Error, "permit 1", twice("", ""), twice("allow_anonymous", ""), "behind blocks with matchers"},
		{policylint.ExpressionMatchesLess, policylint.Warning, "permit 1", invoked("", "permit regex:^/v1/models"), invoked("compat ogx", "permit regex:^/v1/models"), "in a named route"},
		{policylint.UnknownAttribute, policylint.Error, "permit 1", invoked("", "permit {\nwhen user with x in role\n}"), invoked("", "permit {\nwhen user with x in roles\n}"), "in a named route"},
		{
			policylint.UnknownAttribute, policylint.Error, "permit 2",
			strings.ReplaceAll(twice("", ""), "in teams", "in team"), twice("", ""), "behind blocks with matchers",
		},
	}...)
}

func TestWhereABlockIsIsSaidAsTheCaddyfileHasIt(t *testing.T) {
	for text, want := range map[string]string{
		"&(guard) {\nstack_auth {\npermit /a/\n}\n}\n" + listening("invoke guard"):                               ":8080, &(guard)",
		"&(guard) {\nhandle /v1/* {\nstack_auth {\npermit /a/\n}\n}\nrespond x\n}\n" + listening("invoke guard"): ":8080, &(guard), handle /v1/*",
		listening("respond x\nhandle_errors {\nstack_auth {\npermit /a/\n}\n}"):                                  ":8080, handle_errors",
	} {
		findings := lintText(t, text)
		if i := slices.IndexFunc(findings, func(f policylint.Finding) bool { return f.Code == policylint.PatternNeverMatches }); i < 0 || findings[i].Place != want {
			t.Errorf("%s: want %s: %+v", text, want, findings)
		}
	}
}

// There are more ways through them than anybody could go.
func TestNamedRoutesThatInvokeEachOtherComeToAnEnd(t *testing.T) {
	const routes = 20
	var all []string
	for i := range routes {
		all = append(all, fmt.Sprintf(`{"handler":"invoke","name":"r%d"}`, i))
	}
	named := make(map[string]json.RawMessage)
	for i := range routes {
		named[fmt.Sprint("r", i)] = json.RawMessage(`{"handle":[` + strings.Join(all, ",") + `]}`)
	}
	raw, err := json.Marshal(named)
	if err != nil {
		t.Fatal(err)
	}
	file := writeFile(t, "caddy.json", `{"apps":{"http":{"servers":{"s":{"listen":[":1"],"named_routes":`+string(raw)+`,"routes":[{"handle":[
		{"handler":"stack_auth","providers":[{"type":"api_key","file":"/k"}],"rules":[{"effect":"forbid","paths":["/v1/admin*"]},{"effect":"permit"}]},
		{"handler":"invoke","name":"r0"},{"handler":"reverse_proxy"}]}]}}}}}`)
	if out := run(t, "", "lint", "--json", "--config", file); out.code() != 0 {
		t.Error(out.all())
	}
}

// A block where none belongs has its number, too.
func TestABlockInAnInvokeIsNoPanic(t *testing.T) {
	const inner = `{"handler":"stack_auth","require":[{"attribute":"roles","values":["a"]}]}`
	file := writeFile(t, "caddy.json", `{"apps":{"http":{"servers":{"s":{"listen":[":1"],"named_routes":{"x":{"handle":[{"handler":"headers"}]}},"routes":[
		{"handle":[{"handler":"invoke","name":"x","routes":[{"handle":[`+inner+`]}]}]},
		{"match":[{"path":["/v1/*"]}],"handle":[{"handler":"stack_auth","providers":[{"type":"api_key","file":"/k"}],"require":[{"attribute":"roles","values":["a"]}]}]},
		{"handle":[{"handler":"reverse_proxy","upstreams":[{"dial":"127.0.0.1:1"}]}]}]}}}}}`)
	out := run(t, "", "lint", "--json", "--config", file)
	if !strings.Contains(out.stdout, `"block":2`) || !strings.Contains(out.stdout, `"unguarded-proxy"`) {
		t.Error(out.all())
	}
}
