package ogximport_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/ogximport"
)

func hash(key string) (string, error) {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(key))), nil
}

func importFile(t testing.TB, file string, o ogximport.Options) *ogximport.Result {
	t.Helper()
	o.HashKey = hash
	r, err := ogximport.Import([]byte(file), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func says(list []ogximport.Remark, text string) bool {
	return slices.ContainsFunc(list, func(r ogximport.Remark) bool { return strings.Contains(r.String(), text) })
}

const typed = "image_name: x\ndistro_name: x\nserver:\n  auth:\n    provider_config: {type: custom, endpoint: https://a.example}\n"

// Each refusal names the line and the key, and there is no block then.
func TestWhatCannotBeCarriedOverIsListedWithItsLine(t *testing.T) {
	for file, want := range map[string]string{
		"server: {}\n": "line 1: server: there is no server.auth",
		"x: 1\n":       "line 1: there is no server: either it is no run file",
		"server:\n  auth:\n    provider_config: {type: saml}\n":                                                                        `line 3: server.auth.provider_config.type: "saml" is no type`,
		"server:\n  auth:\n    provider_config: {}\n":                                                                                  "line 3: server.auth.provider_config: has no type",
		"server:\n  auth: yes\n":                                                                                                       "line 2: server.auth: expected keys and values",
		"server:\n  auth:\n    provider_type: custom\n":                                                                                "provider_type without config",
		typed + "    route_policy: {}\n":                                                                                               "line 6: server.auth.route_policy: expected a list",
		typed + "    access_policy: x\n":                                                                                               "line 6: server.auth.access_policy: expected a list",
		typed + "    route_policy:\n    - permit: {}\n":                                                                                "line 7: server.auth.route_policy[0].permit: expected paths",
		typed + "    access_policy:\n    - permit: {}\n":                                                                               "line 7: server.auth.access_policy[0].permit: expected actions",
		typed + "    access_policy:\n    - permit: {actions: [fly]}\n":                                                                 `"fly": OGX knows create`,
		typed + "    access_policy:\n    - permit: {actions: read}\n      when: {a: b}\n":                                              "expected a text",
		typed + "    route_policy:\n    - permit: {paths: '${env.P:=/v1/x}'}\n":                                                        "depends on the variable P",
		typed + "    route_policy:\n    - permit: {paths: '/${env.p}'}\n":                                                              "has a ${ that OGX does not replace",
		typed + "    realm: x\n":                                                                                                       "server.auth.realm: is not known",
		typed + "  tenancy: {mode: some}\n":                                                                                            `line 6: server.tenancy.mode: "some"`,
		typed + "  tenancy: {mode: single}\n":                                                                                          "single without default_tenant_id",
		typed + "  tenancy: {mode: single, default_tenant_id: '-'}\n":                                                                  "tenant is not of the form",
		"server:\n  auth:\n    provider_config: {type: custom, endpoint: https://u:p@a.b}\n":                                           "an address with an @",
		"server:\n  auth:\n    provider_config: {type: custom, endpoint: a.b/c}\n":                                                     "is not an address",
		"server:\n  auth:\n    provider_config: {type: custom}\n":                                                                      "has no endpoint",
		"server:\n  auth:\n    provider_config: {type: local_api_key}\n":                                                               "has no list of api_keys",
		"server:\n  auth:\n    provider_config: {type: upstream_header}\n":                                                             "has no principal_header",
		"server:\n  auth:\n    provider_config: {type: upstream_header, principal_header: x, trusted_proxy_cidrs: [a]}\n":              `"a" is no network`,
		"server:\n  auth:\n    provider_config: {type: upstream_header, principal_header: 'x y', trusted_proxy_cidrs: [10.0.0.0/8]}\n": "is not the name of a header",
		"server:\n  auth:\n    provider_config: {type: github_token, claims_mapping: {login: 'a b'}}\n":                                "attribute name",
		"server:\n  auth:\n    provider_config: {type: github_token, claims_mapping: {a.b: roles, 'a\\.b': teams}}\n":                  "leak from one attribute into the other",
		"server:\n  auth:\n    provider_config: {type: oauth2_token, audience: a, jwks: {uri: https://a, key_recheck_period: soon}}\n": "whole number of seconds",
		"server:\n  auth:\n    provider_config: {type: oauth2_token, jwks: {uri: https://a}, introspection: {url: https://a}}\n":       "has jwks and introspection",
		"server:\n  auth:\n    provider_config: {type: oauth2_token, introspection: {url: https://a}}\n":                               "has no client_secret",
	} {
		r := importFile(t, file, ogximport.Options{})
		if r.Caddyfile != "" || !says(r.Refusals, want) {
			t.Errorf("%s: got %q, want %s\n%s", file, r.Refusals, want, r.Caddyfile)
		}
	}
}

// A run file that is no YAML, or a bomb, is broken, and not half of one.
func TestABrokenFileIsAnError(t *testing.T) {
	bomb := "a0: &a0 [x, x]\n"
	for i := range 30 {
		bomb += fmt.Sprintf("a%d: &a%d [*a%d, *a%d, *a%d]\n", i+1, i+1, i, i, i)
	}
	for _, file := range []string{
		"", "a: [", "a: b\n---\nc: d\n", "\t", bomb, "a: &a [*a]\n", strings.Repeat("[", 400) + strings.Repeat("]", 400), strings.Repeat("# x\n", 1<<21),
	} {
		if r, err := ogximport.Import([]byte(file), ogximport.Options{}); err == nil {
			t.Errorf("%.40q: %+v", file, r)
		}
	}
}

// A secret shows neither in the block nor in what is said about it, wherever
// else it stands in the file.
func TestASecretOfTheFileShowsNowhere(t *testing.T) {
	const secret = "not-a-real-secret-0123456789"
	for _, file := range []string{
		"server:\n  auth:\n    provider_config: {type: local_api_key, api_keys: [SECRET]}\n",
		"server:\n  auth:\n    provider_config: {type: local_api_key, api_keys: [SECRET, {SECRET: SECRET}]}\n",
		"server:\n  auth:\n    provider_config: {type: local_api_key, api_keys: [SECRET]}\n    route_policy:\n    - permit: {paths: /SECRET}\n",
		"server:\n  auth:\n    provider_config: {type: local_api_key, api_keys: [SECRET]}\n    route_policy:\n    - permit: {paths: SECRET}\n",
		"server:\n  auth:\n    provider_config: {type: local_api_key, api_keys: [SECRET]}\n    access_policy:\n    - permit: {principal: SECRET, actions: read}\n      when: user with SECRET in teams\n",
		"server:\n  auth:\n    provider_config: {type: oauth2_token, jwks: {uri: https://a, token: SECRET}}\n",
		"server:\n  auth:\n    provider_config: {type: oauth2_token, jwks: {uri: https://a, token: '${env.T:=SECRET}'}}\n",
		"server:\n  auth:\n    provider_config: {type: oauth2_token, jwks: {uri: https://a, token: 'SECRET${env.T}'}}\n",
		"server:\n  auth:\n    provider_config: {type: oauth2_token, jwks: {uri: https://a, token: [SECRET]}}\n",
		"server:\n  auth:\n    provider_config: {type: oauth2_token, jwks: {uri: https://a, token: '${env.T:+SECRET}'}}\n",
		"server:\n  auth:\n    provider_config: {type: oauth2_token, jwks: {uri: https://a, token: '${env.T}${env.T:+}'}}\n",
		"server:\n  auth:\n    provider_config: {type: oauth2_token, introspection: {url: https://a, client_id: a, client_secret: SECRET}}\n",
		"server:\n  auth:\n    provider_config: {type: custom, endpoint: 'https://u:SECRET@a.example'}\n",
	} {
		for _, partial := range []bool{false, true} {
			env := func(string) (string, bool) { return secret, true }
			for _, o := range []ogximport.Options{{Partial: partial}, {Partial: partial, Env: env}} {
				r := importFile(t, strings.ReplaceAll(file, "SECRET", secret), o)
				if all := fmt.Sprint(r.Caddyfile, r.Notes, r.Refusals); strings.Contains(all, secret) {
					t.Errorf("%s: %s", file, all)
				}
			}
		}
	}
}

// What the file takes from variables is a placeholder, or, in a place that has
// to be known, what the file of variables says, as OGX reads it.
func TestVariablesAreFilledInAsOGXDoes(t *testing.T) {
	env := map[string]string{"SET": "value", "EMPTY": "", "NUMBER": "12", "HOME_PATH": "~/x"}
	options := ogximport.Options{Env: func(name string) (string, bool) { v, set := env[name]; return v, set }}
	for text, want := range map[string]string{
		"/a/${env.SET}":             "permit /a/value",
		"/a/${env.UNSET:=default}":  "permit /a/default",
		"/a/${env.EMPTY:=default}":  "permit /a/default",
		"/a/${env.SET:=default}":    "permit /a/value",
		"/a/${env.SET:+yes}":        "permit /a/yes",
		"/a${env.UNSET:+/yes}":      "permit /a",
		"/a/${env.UNSET:=}b":        "permit /a/b",
		"/${env.SET}/${env.NUMBER}": "permit /value/12",
		"/a/${env.UNSET}":           "! UNSET is not set",
		"${env.NUMBER}":             "! give no text",
		"${env.UNSET:+x}":           "! give no text",
		"${env.HOME_PATH}":          "! home folder",
		"/a/${env.SET:-x}":          "! does not replace",
		"/a/${env.set}":             "! does not replace",
	} {
		r := importFile(t, typed+"    route_policy:\n    - permit: {paths: \""+text+"\"}\n", options)
		if refusal, refused := strings.CutPrefix(want, "! "); refused {
			if !says(r.Refusals, refusal) {
				t.Errorf("%s: %q, want %s", text, r.Refusals, refusal)
			}
		} else if !strings.Contains(r.Caddyfile, want+"\n") {
			t.Errorf("%s: %q\n%s", text, r.Refusals, r.Caddyfile)
		}
	}
}

func TestAFileOfVariablesIsReadLineByLine(t *testing.T) {
	env, err := ogximport.ParseEnv("# x\n\nA=b\n export B = c\n")
	if err == nil {
		t.Errorf("got %v", env)
	}
	env, err = ogximport.ParseEnv("A=b c\nexport B=\"c # d\"\nC='e'\nD=\n")
	if err != nil || env["A"] != "b c" || env["B"] != "c # d" || env["C"] != "e" || env["D"] != "" || len(env) != 4 {
		t.Errorf("got %q, %v", env, err)
	}
	if _, err := ogximport.ParseEnv("A=b\nno-secret-0123456789\n"); err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v", err)
	}
}

// With Partial a forbid that cannot be had is wider and never gone, and a policy
// whose permits are gone does not become the policy of everybody.
func TestAPartOfAPolicyLetsInNobodyElse(t *testing.T) {
	for rules, want := range map[string]string{
		"    route_policy:\n    - forbid: {paths: ['/a', 'regex:(?!b)']}\n      when: user with x in y\n    - permit: {paths: '*'}\n":    "\tforbid * {\n\t\twhen user with x in y\n\t}\n",
		"    route_policy:\n    - forbid: {paths: '/a'}\n      when: [user with x in y, user with x in 1]\n    - permit: {paths: '*'}\n": "\tforbid /a {\n\t\twhen user with x in y\n\t}\n",
		"    route_policy:\n    - forbid: {paths: '/a'}\n      unless: [user with x in y, user with x in 1]\n":                           "\tforbid /a\n",
		"    route_policy:\n    - {}\n    - permit: {paths: '*'}\n":                                                                      "\tforbid *\n\tpermit *\n",
		"    route_policy:\n    - permit: {paths: 'regex:(?!b)'}\n":                                                                      "\tforbid /v1/health /v1/version",
		"    route_policy: x\n":  "\tforbid\n",
		"    access_policy: x\n": "\tforbid {\n\t\t\tactions create read update delete\n",
		"    access_policy:\n    - permit: {actions: read, resource: 'regex:(?!b)'}\n":                                          "\tforbid {\n\t\t\tactions create read update delete\n",
		"    access_policy:\n    - forbid: {actions: read, principal: '{a}', resource: 'file::*'}\n      when: user is owner\n": "\tforbid {\n\t\t\tactions read\n\t\t\tresource file::*\n\t\t\twhen user is owner\n",
		"    access_policy:\n    - forbid: {actions: read}\n      unless: [user is owner, user in owners 1]\n":                  "\tforbid {\n\t\t\tactions read\n\t\t}\n",
	} {
		r := importFile(t, typed+rules, ogximport.Options{Partial: true})
		if len(r.Refusals) == 0 || !strings.Contains(r.Caddyfile, want) {
			t.Errorf("%s\n%q\n%s", rules, r.Refusals, r.Caddyfile)
		}
	}
}

// Nothing breaks it, and what it refuses is refused with a reason.
func FuzzImport(f *testing.F) {
	f.Add(typed + "    route_policy:\n    - permit: {paths: ['/a', 'regex:^/\\w+']}\n      when: user with a in b\n")
	f.Add("server:\n  auth: {provider_type: kubernetes, config: {ca_cert_path: a}}\n  tenancy: {mode: multi}\n")
	f.Add("server: &a\n  auth: {endpoint: https://a}\n  <<: *a\n")
	f.Add("server:\n  auth:\n    provider_config: {type: oauth2_token, jwks: {uri: '${env.A:=https://b}'}}\n    access_policy: [{forbid: {actions: read}}]\n")
	f.Fuzz(func(t *testing.T, file string) {
		for _, partial := range []bool{false, true} {
			r, err := ogximport.Import([]byte(file), ogximport.Options{HashKey: hash, Partial: partial})
			if err != nil {
				return
			}
			if (r.Caddyfile == "") != (len(r.Refusals) > 0 && !partial) && !says(r.Refusals, "a secret of the file") {
				t.Errorf("%q\n%s", r.Refusals, r.Caddyfile)
			}
			for _, list := range [][]ogximport.Remark{r.Notes, r.Refusals} {
				for _, remark := range list {
					if remark.Text == "" {
						t.Errorf("%+v", remark)
					}
				}
			}
		}
	})
}
