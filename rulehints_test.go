package stackauth_test

import (
	"strings"
	"testing"
)

// What somebody writes on the first day is answered with what to write instead.
func TestErrorsOfRulesSayWhatWasProbablyMeant(t *testing.T) {
	for lines, hint := range map[string]string{
		"permit /a {\nwhen user in roles admin\n}":                  "did you mean `user with admin in roles`?",
		"permit /a {\nwhen user with admin roles\n}":                "did you mean `user with admin in roles`?",
		"permit /a {\nwhen user has admin in roles\n}":              "did you mean `user with admin in roles`?",
		"permit /a {\nwhen user has role admin\n}":                  "did you mean `user with admin in role`?",
		"permit /a {\nwhen user is admin\n}":                        "did you mean `user with admin in roles`?",
		"permit /a {\nwhen user with admin\n}":                      "did you mean `user with admin in roles`?",
		"permit /a {\nwhen roles admin\n}":                          "did you mean `user with admin in roles`?",
		"permit /a {\nwhen user not with admin in roles\n}":         "did you mean `user with admin not in roles`?",
		"permit /a {\nwhen user with ml engineer in roles\n}":       "did you mean `user with \"ml engineer\" in roles`?",
		"permit /a {\nwhen \"user with admin in roles\"\n}":         "take the quotes off the condition",
		"permit /a {\nwhen user with a in b or user with c in d\n}": "there is no `or`",
		"forbid /a {\nunless user with a in b and c in d\n}":        "there is no `and`",
		"permit GET /a":                                  "methods stand in the block of the rule, in a line of their own: `methods GET`",
		"permit ^/a$":                                    "an expression is written `regex:^/a$`",
		"permit ~ /a":                                    "an expression is written `regex:`",
		"permit https://ai.example.com/a":                "without scheme and host",
		"permit /a {\nif user is anonymous\n}":           "expected methods, match, when, unless or description; a condition is a `when`",
		"permit /a {\nclient_ip private_ranges\n}":       "it is a matcher of Caddy's: put it into a block of `match`",
		"permit /a {\nmethod GET\n}":                     "did you mean methods?",
		"permit /a {\nshadow\n}":                         "for all its rules",
		"permit /a {\nrequire roles admin\n}":            "a rule asks with `when`",
		"permit /a {\nresource model::x\n}":              "it is of the rules in access_policy",
		"forbid {\npaths /a\n}":                          "paths stand in the line of the rule: `forbid <path>...`",
		"permit /a {\nmatch client_ip private_ranges\n}": "match: unexpected \"client_ip\": expected a block",
		"access_policy {\npermit {\naction read\n}\n}":   "of permit in access_policy: expected principal, actions, resource, when, unless or description",
	} {
		_, err := adapt(site(lines))
		if err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%s\nis answered with %v\nand not with %s", lines, err, hint)
		}
	}
}

// A hint that misleads is worse than none.
func TestErrorsOfRulesSayNoMoreThanIsKnown(t *testing.T) {
	for _, lines := range []string{
		"permit /a {\nwhen\n}", "permit /a {\nwhen user\n}", "permit /a {\nwhen user in owners\n}", "permit v1", "permit \"\"", "permit /a /b//c",
		"permit /a {\nwhen user with \"\" in roles\n}", "permit /a {\nbogus\n}", "permit /a {\nwhen user is owner\n}",
	} {
		_, err := adapt(site(lines))
		if err == nil || strings.Contains(err.Error(), "; ") {
			t.Errorf("%s\nis answered with %v", lines, err)
		}
	}
}
