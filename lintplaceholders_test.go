package stackauth_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/policylint"
)

// Rules are taken as they are written, and a variable that Caddy puts in when it
// reads the file is one of the file.
func init() {
	inResource := func(lines string) string { return site("access_policy {\npermit {\nactions read\n" + lines + "\n}\n}") }
	codes = append(codes, []codeCase{
		{
			policylint.PlaceholderInRule, policylint.Error, "forbid 1",
			site("forbid /v1/admin* {\nwhen user with {env.BANNED} in roles\n}\npermit"), site("forbid /v1/admin* {\nwhen user with \"{$BANNED:evil}\" in roles\n}\npermit"), "in when",
		},
		{
			policylint.PlaceholderInRule, policylint.Error, "forbid 1",
			site("forbid /v1/admin* {\nunless user with {file./run/admin} in roles\n}\npermit"), site("forbid /v1/admin* {\nunless user with {admin} in roles\n}\npermit"), "in unless",
		},
		{policylint.PlaceholderInRule, policylint.Error, "forbid 1", site("forbid regex:/v1/{env.X}"), site("forbid regex:/v1/[a-z]{2}"), "in an expression"},
		{policylint.PlaceholderInRule, policylint.Error, "require 1", site("require roles {http.auth.user.role}"), site("require roles {role}"), "in require"},
		{policylint.PlaceholderInRule, policylint.Error, "", site("explain_header roles {vars.auditor}"), site("explain_header roles auditor"), "in explain_header"},
		{policylint.PlaceholderInRule, policylint.Error, "", site("public /v1/{env.OPEN}"), site("public /v1/{$OPEN:x}"), "in public"},
		{policylint.PlaceholderInRule, policylint.Error, "", site("base_path /{env.BASE}"), site("base_path /{$BASE:llm}"), "in base_path"},
		{policylint.PlaceholderInRule, policylint.Error, "permit 1", inResource("principal {env.WHO}"), inResource("principal \"{$WHO:bob}\""), "in a principal"},
		{policylint.PlaceholderInRule, policylint.Error, "permit 1", inResource("resource model::{system.hostname}"), inResource("resource model::{hostname}"), "in a resource"},
	}...)
}

func TestInsteadOfAPlaceholderIsSaidWhatReallyIsPutIn(t *testing.T) {
	for found, advice := range map[string]string{
		"{env.X}": "`\"{$X}\"`", "{file./run/x}": "`import` a file", "{http.request.host}": "a matcher in `match`", "{system.os}": "a matcher in `match`", "{time.now}": "a matcher in `match`",
	} {
		text := adviceOf(t, site("require roles a "+found), policylint.PlaceholderInRule)
		if !strings.Contains(text, "`require roles a "+found+"`: `"+found+"` stands for itself") || !strings.Contains(text, advice) {
			t.Errorf("%s: %s", found, text)
		}
	}
	if text := adviceOf(t, site("permit /v1/{env.X}"), policylint.PatternOfAnother); !strings.Contains(text, "`\"{$X}\"`") {
		t.Error(text)
	}
	if text := adviceOf(t, site("permit /v1/files/{file}"), policylint.PatternOfAnother); !strings.Contains(text, "write `/v1/files/*`") {
		t.Error(text)
	}
}

// The advice says so: what a template left empty must not become another rule.
func TestAVariableInQuotesThatIsNotSetIsAnErrorWhereverLintAdvisesIt(t *testing.T) {
	for _, lines := range []string{
		`permit "{$UNSET_HERE}"`, `forbid "{$UNSET_HERE}"`, `public "{$UNSET_HERE}"`, `base_path "{$UNSET_HERE}"`, `require roles "{$UNSET_HERE}"`,
		`explain_header roles "{$UNSET_HERE}"`, "permit {\nwhen user with \"{$UNSET_HERE}\" in roles\n}", "forbid {\nunless user with \"{$UNSET_HERE}\" in roles\n}",
		"access_policy {\npermit {\nactions read\nprincipal \"{$UNSET_HERE}\"\n}\n}", "access_policy {\npermit {\nactions read\nresource \"{$UNSET_HERE}\"\n}\n}",
	} {
		file := filepath.Join(t.TempDir(), "Caddyfile")
		if err := os.WriteFile(file, []byte(site(lines)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := run(t, "", "lint", "--config", file); out.code() != 2 || !strings.Contains(out.all(), "Caddyfile:") {
			t.Errorf("%s: exit code %d\n%s", lines, out.code(), out.all())
		}
	}
}
