package stackauth_test

import "github.com/caddy-stack-auth/caddy-stack-auth/policylint"

// matching is a rule with a matcher.
func matching(effect, matcher string) string {
	return site(effect + " /a {\nmatch {\n" + matcher + "\n}\n}\npermit /b")
}

// What a matcher of Caddy's asks of the caller is no other than what a condition
// asks; and a name of a program is a name.
func init() {
	mapping := func(claim string) string {
		return ":8080 {\nstack_auth {\n" + mapsSub + claim + "\n}\n}\n}\n}\n"
	}
	codes = append(codes, []codeCase{
		{policylint.UnknownAttribute, policylint.Error, "permit 1", matching("permit", "stack_auth role admin"), matching("permit", "stack_auth roles admin"), "in a matcher"},
		{policylint.UnknownAttribute, policylint.Error, "forbid 1", matching("forbid", "not stack_auth role admin"), matching("forbid", "not stack_auth roles admin"), "in a matcher within not"},
		{
			policylint.UnknownAttribute, policylint.Error, "",
			":8080 {\n@x stack_auth role admin\nstack_auth {\n" + trusted + "}\nstack_auth @x {\nrequire teams x\n}\n}\n",
			":8080 {\n@x stack_auth roles admin\nstack_auth {\n" + trusted + "}\nstack_auth @x {\nrequire teams x\n}\n}\n", "in the matcher of a block",
		},
		{
			policylint.UnknownAttribute, policylint.Warning, "",
			site("identity_headers {\nattribute role X-Role\n}"), site("identity_headers {\nattribute roles X-Role\n}"), "with a header of its own",
		},
		{policylint.UniversalRole, policylint.Warning, "permit 1", matching("permit", "stack_auth roles offline_access"), matching("permit", "stack_auth roles offline_access\nclient_ip private_ranges"), "in a matcher"},
		{
			policylint.UniversalRole, policylint.Warning, "permit 1",
			matching("permit", "stack_auth roles offline_access admin"), matching("permit", "stack_auth roles offline_access\nstack_auth teams x"), "of several in a matcher",
		},
		{policylint.UniversalRole, policylint.Warning, "forbid 1", matching("forbid", "not stack_auth roles offline_access"), matching("forbid", "stack_auth roles offline_access"), "excepted by a matcher"},
		{policylint.NegativeCondition, policylint.Warning, "permit 1", matching("permit", "not stack_auth roles guest"), matching("forbid", "not stack_auth roles guest"), "by a matcher"},
		{
			policylint.NegativeCondition, policylint.Note, "permit 1",
			site("permit /a {\n" + whenDeveloper + "match {\nnot stack_auth roles guest\n}\n}"), site("permit /a {\n" + whenDeveloper + "match {\nstack_auth roles guest\n}\n}"), "by a matcher, of those who have something",
		},
		{policylint.IdentityInRoles, policylint.Error, "oauth2_token", mapping("client_id roles"), mapping("client_id clients"), "of a program"},
		{policylint.IdentityInRoles, policylint.Error, "oauth2_token", mapping("azp roles"), mapping("azp clients"), "of a program that was authorized"},
		{policylint.IdentityInRoles, policylint.Error, "oauth2_token", mapping("given_name roles"), mapping("given_name people"), "of a first name"},
		{policylint.IdentityInRoles, policylint.Error, "oauth2_token", mapping("profile.family_name roles"), mapping("profile.family roles"), "of a family"},
	}...)
}
