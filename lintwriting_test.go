package stackauth_test

import "github.com/caddy-stack-auth/caddy-stack-auth/policylint"

// What is written as it is elsewhere loads, and means something else.
func init() {
	codes = append(codes, []codeCase{
		{policylint.NoPermit, policylint.Error, "", site("forbid /v1/admin* {\nunless user with admin in roles\n}"), site("forbid /v1/admin* {\nunless user with admin in roles\n}\npermit"), ""},
		{policylint.NoPermit, policylint.Error, "", site("forbid {\n" + whenDeveloper + "}"), site("forbid"), "but what closes everything is meant"},
		{policylint.PatternOfAnother, policylint.Error, "permit 1", site("permit /v1/models/{model_id}"), site("permit /v1/models/*"), "a part in braces"},
		{policylint.PatternOfAnother, policylint.Error, "forbid 1", site("forbid /v1/:id/x"), site("forbid /v1/a:id/x"), "a part with a colon"},
		{policylint.PatternOfAnother, policylint.Error, "permit 1", site("permit /v1/{env.NAME}*"), site("permit regex:/v1/[a-z]{2}"), "a placeholder"},
		{policylint.CommaInPattern, policylint.Error, "forbid 1", site("forbid /v1/admin, /v1/inspect"), site("forbid /v1/admin /v1/a,b"), "in a forbid"},
		{policylint.CommaInPattern, policylint.Warning, "permit 1", site("permit /v1/models,/v1/files"), site("permit /v1/models /v1/files"), "in a permit"},
		{policylint.ExpressionStarts, policylint.Warning, "forbid 1", site("forbid regex:/admin\npermit"), site("forbid regex:.*/admin\npermit"), "a forbid that was to be found anywhere"},
		{policylint.ExpressionStarts, policylint.Warning, "forbid 1", site("forbid regex:/metrics\npermit"), site("forbid regex:^/metrics\nforbid regex:/v1/admin\npermit"), "and one that says where it begins"},
	}...)
}
