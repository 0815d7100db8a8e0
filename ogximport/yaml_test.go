package ogximport_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/ogximport"
)

// The wrong one of two values of a key is another policy. What counts is what
// PyYAML makes of merged keys: the last << first, and of a list the first.
func TestMergedKeysCountAsOGXReadsThem(t *testing.T) {
	for rule, want := range map[string]string{
		"{permit: {<<: {paths: /a}, <<: {paths: /b}}}":                        "permit /b",
		"{permit: {<<: [{paths: /a}, {paths: /b}]}}":                          "permit /a",
		"{permit: {<<: [{paths: /a}, {paths: /b}], <<: {paths: /c}}}":         "permit /c",
		"{permit: {<<: {paths: /a}, <<: {<<: {paths: /b}, paths: /c}}}":       "permit /c",
		"{permit: {paths: /a, <<: {paths: /b}, <<: {paths: /c}}}":             "permit /a",
		"{<<: {forbid: {paths: /a}}, <<: {forbid: {paths: /b}}}":              "forbid /b",
		"{permit: {<<: [{<<: {paths: /a}}, {paths: /b}], <<: [{paths: /c}]}}": "permit /c",
	} {
		r := importFile(t, typed+"    route_policy:\n    - "+rule+"\n", ogximport.Options{})
		if len(r.Refusals) > 0 || !strings.Contains(r.Caddyfile, "\t"+want+"\n") {
			t.Errorf("%s: want %s, %q\n%s", rule, want, r.Refusals, r.Caddyfile)
		}
	}
}

// A tag makes a set, or nothing that OGX loads, of what looks like keys or a
// list.
func TestATagThatChangesWhatAListOrMappingIsIsRefused(t *testing.T) {
	for _, rules := range []string{
		"    route_policy: !!omap\n    - permit: {paths: '*'}\n",
		"    route_policy: !rules\n    - permit: {paths: '*'}\n",
		"    route_policy:\n    - !!set {permit: {paths: '*'}}\n",
		"    route_policy:\n    - permit: !scope {paths: '*'}\n",
		"    route_policy:\n    - permit: {paths: !!pairs [/a]}\n",
		"    route_policy:\n    - forbid: {paths: !!str {a: b}}\n",
		"    route_policy:\n    - forbid: {paths: '*'}\n      unless: !!str []\n",
	} {
		if r := importFile(t, typed+rules, ogximport.Options{}); r.Caddyfile != "" || len(r.Refusals) == 0 {
			t.Errorf("%s\n%s", rules, r.Caddyfile)
		}
		if r := importFile(t, typed+rules, ogximport.Options{Partial: true}); !strings.Contains(r.Caddyfile, "\tforbid") {
			t.Errorf("%s\n%s", rules, r.Caddyfile)
		}
	}
	r := importFile(t, typed+"    route_policy: !!seq\n    - !!map {permit: ! {paths: ! [/a]}}\n", ogximport.Options{})
	if !strings.Contains(r.Caddyfile, "permit /a\n") {
		t.Errorf("%q", r.Refusals)
	}
}

// Whose rules are all commented out has a key with nothing behind it. OGX does
// not start with it; without rules everybody would get everywhere.
func TestAPolicyThatIsNullIsNotNoPolicy(t *testing.T) {
	for file, want := range map[string]string{
		typed + "    route_policy:\n":       "\tforbid\n",
		typed + "    route_policy: null\n":  "\tforbid\n",
		typed + "    access_policy:\n":      "\tforbid {\n",
		typed + "  tenancy:\n":              "",
		typed + "  tenancy: ~\n":            "",
		typed + "    route_policy: false\n": "\tforbid\n",
	} {
		if r := importFile(t, file, ogximport.Options{}); r.Caddyfile != "" || len(r.Refusals) != 1 {
			t.Errorf("%s: %q\n%s", file, r.Refusals, r.Caddyfile)
		}
		if r := importFile(t, file, ogximport.Options{Partial: true}); !strings.Contains(r.Caddyfile, want) {
			t.Errorf("%s\n%s", file, r.Caddyfile)
		}
	}
}

// A key that is no text, such as `on`, is passed over by OGX as a misspelt one
// is. What it was meant to keep out must not come in.
func TestARuleWithAKeyThatIsNoTextIsNotPermittedInPart(t *testing.T) {
	for _, rules := range []string{
		"    route_policy:\n    - permit: {paths: '*'}\n      on: user with a in roles\n",
		"    route_policy:\n    - permit: {paths: '*', 1: GET}\n",
		"    access_policy:\n    - permit: {actions: read, yes: alice}\n",
	} {
		r := importFile(t, typed+rules, ogximport.Options{Partial: true})
		if len(r.Refusals) != 1 || strings.Contains(r.Caddyfile, "permit ") {
			t.Errorf("%s: %q\n%s", rules, r.Refusals, r.Caddyfile)
		}
	}
}

// A password that begins with a star is an alias to YAML, and the parser says
// which one is missing.
func TestAnErrorOfTheParserShowsNothingOfTheFile(t *testing.T) {
	const secret = "not-a-real-secret"
	for _, file := range []string{
		"client_secret: *" + secret + "\n",
		"client_secret: *" + secret + "'\n",
		"client_secret: [*" + secret + "]\n",
		"client_secret: &" + secret + " *" + secret + "\n",
		"client_secret: @" + secret + "\n",
		"client_secret: !!x!" + secret + " y\n",
		"%" + secret + "\n---\na: b\n",
		"%TAG !" + secret + "\n---\na: b\n",
	} {
		_, err := ogximport.Import([]byte(file), ogximport.Options{})
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// Remarks quote what the file has: a secret that is written otherwise in quotes
// is one all the same.
func TestASecretWithAQuoteShowsNowhere(t *testing.T) {
	for _, secret := range []string{`not-a"real-secret`, `not-a\real-secret`, "not-a\treal-secret", "not-a-real-secret\u2028"} {
		file := fmt.Sprintf("server:\n  auth:\n    provider_config: {type: local_api_key, api_keys: [%q]}\n    access_policy: [{permit: {actions: %q}}]\n", secret, secret)
		for _, partial := range []bool{false, true} {
			r := importFile(t, file, ogximport.Options{Partial: partial})
			for _, part := range []string{"real-secret", "not-a"} {
				if all := fmt.Sprint(r.Caddyfile, r.Notes, r.Refusals); strings.Contains(all, part) {
					t.Errorf("%q: %s", secret, all)
				}
			}
		}
	}
}

// A query may have a key in it, and an address is copied.
func TestAnAddressWithAQueryIsNotCopied(t *testing.T) {
	for _, provider := range []string{
		"{type: custom, endpoint: 'https://a.example/v?key=not-a-real-secret'}",
		"{type: custom, endpoint: '${env.A:=https://a.example/v?key=not-a-real-secret}'}",
		"{type: oauth2_token, audience: a, jwks: {uri: 'https://a.example/v?not-a-real-secret'}}",
	} {
		for _, partial := range []bool{false, true} {
			r := importFile(t, "server:\n  auth:\n    provider_config: "+provider+"\n", ogximport.Options{Partial: partial})
			if all := fmt.Sprint(r.Caddyfile, r.Notes, r.Refusals); !says(r.Refusals, "an address with a query") || strings.Contains(all, "not-a-real-secret") {
				t.Errorf("%s: %s", provider, all)
			}
		}
	}
	r := importFile(t, "server:\n  auth:\n    provider_config: {type: custom, endpoint: '${env.ADDRESS}'}\n", ogximport.Options{})
	if !strings.Contains(r.Caddyfile, "endpoint {env.ADDRESS}\n") {
		t.Errorf("%q", r.Refusals)
	}
}

// A name that a key has here may be one that the file is about already: in OGX
// nobody has it.
func TestTheNewNameOfAKeyIsNobodysElse(t *testing.T) {
	const keys = "server:\n  auth:\n    provider_config: {type: local_api_key, api_keys: [not-a-real-key-0123456789-0123456789]}\n"
	for _, rules := range []string{
		"    route_policy:\n    - permit: {paths: '*'}\n      when: user with key-1 in teams\n",
		"    access_policy:\n    - permit: {actions: read}\n      when: user with key-1 in teams\n",
		"    access_policy:\n    - permit: {actions: read, principal: key-1}\n",
	} {
		for _, partial := range []bool{false, true} {
			r := importFile(t, keys+rules, ogximport.Options{Partial: partial})
			if !says(r.Refusals, `"key-1"`) || strings.Contains(r.Caddyfile, "permit ") {
				t.Errorf("%s: %q\n%s", rules, r.Refusals, r.Caddyfile)
			}
		}
	}
}

// Nothing that the file may hold takes minutes.
func TestManyKeysAreImportedInTime(t *testing.T) {
	var file strings.Builder
	file.WriteString("server:\n  auth:\n    provider_config:\n      type: local_api_key\n      api_keys:\n")
	for i := range 20_000 {
		fmt.Fprintf(&file, "      - not-a-real-key-0123456789-0123456789-%d\n", i)
	}
	start := time.Now()
	r := importFile(t, file.String(), ogximport.Options{})
	if r.Caddyfile == "" || len(r.Notes) != 20_000 {
		t.Errorf("%d notes, %q", len(r.Notes), r.Refusals)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Programs differ in whether a # ends an unquoted value; Caddy's own does.
func TestAFileOfVariablesThatCanBeReadInTwoWaysIsAnError(t *testing.T) {
	for _, line := range []string{"ROLE=admin # the boss", "ROLE=admin\t#x", "ROLE=admin#x", "ROLE= # nobody", "ROLE='a' # b", `ROLE="a`, "ROLE='a", `ROLE="a"b"`} {
		if env, err := ogximport.ParseEnv("A=b\n" + line + "\n"); err == nil || !strings.Contains(err.Error(), "line 2: ") || strings.Contains(err.Error(), "admin") {
			t.Errorf("%s: %q, %v", line, env, err)
		}
	}
	env, err := ogximport.ParseEnv("\ufeffA='b # c'\r\nB=\"#\"\r\n")
	if err != nil || env["A"] != "b # c" || env["B"] != "#" {
		t.Errorf("%q, %v", env, err)
	}
}

// OGX passes over a description inside of a permit, as one of its own tests has
// it. It decides nothing, so that nothing is refused for it.
func TestADescriptionInsideOfAScopeIsTheRules(t *testing.T) {
	for rules, want := range map[string]string{
		"    access_policy:\n    - permit: {actions: read, description: a b}\n":                    `description "a b"`,
		"    route_policy:\n    - forbid: {paths: /a, description: a b}\n":                         `description "a b"`,
		"    route_policy:\n    - forbid: {paths: /a, description: a b}\n      description: c d\n": `description "c d"`,
		"    route_policy:\n    - forbid: {paths: /a, description: [a b]}\n":                       "forbid /a\n",
		"    route_policy:\n    - forbid: {paths: /a, description: null}\n":                        "forbid /a\n",
	} {
		r := importFile(t, typed+rules, ogximport.Options{})
		if !strings.Contains(r.Caddyfile, want) || !strings.Contains(rules, "null") && !says(r.Notes, "stands inside the") {
			t.Errorf("%s: %q %q\n%s", rules, r.Notes, r.Refusals, r.Caddyfile)
		}
	}
}

// OGX makes a number of what a variable gives, if it is one in any script, and
// then does not load the file.
func TestAVariableThatGivesANumberGivesNoText(t *testing.T) {
	for _, number := range []string{"12", " 12", "1_0", "1e5", "-.5", "NaN", "Infinity", "\u0661\u0662", "\u0661.5", "\uff11"} {
		o := ogximport.Options{Env: func(string) (string, bool) { return number, true }}
		r := importFile(t, typed+"    access_policy:\n    - permit: {actions: read, principal: '${env.WHO}'}\n", o)
		if !says(r.Refusals, "give no text") {
			t.Errorf("%q: %q\n%s", number, r.Refusals, r.Caddyfile)
		}
	}
}

// To OGX an issuer is any text, which here is the address of one.
func TestAnIssuerThatIsNoAddressIsRefusedByName(t *testing.T) {
	const provider = "server:\n  auth:\n    provider_config: {type: oauth2_token, audience: a, issuer: ISSUER, jwks: {uri: https://k.example/jwks}}\n"
	for issuer, want := range map[string]string{
		"accounts.example.com":            "! is no address with http or https",
		"https://u:secret-word@a.b":       "! an address with an @",
		"'https://a.example/#b'":          "! is no address with http or https",
		"ftp://a.example":                 "! is no address with http or https",
		"http://id.example":               "allow_http\n",
		"http://localhost:8080/realm":     "issuer http://localhost:8080/realm\n",
		"https://id.example/realms/a":     "issuer https://id.example/realms/a\n",
		"'${env.ISS:=http://id.example}'": "allow_http\n",
		"'${env.ISS:=id.example}'":        "! is no address with http or https",
		"'${env.ISS}'":                    "issuer {env.ISS}\n",
	} {
		r := importFile(t, strings.ReplaceAll(provider, "ISSUER", issuer), ogximport.Options{})
		refusal, refused := strings.CutPrefix(want, "! ")
		if refused && (r.Caddyfile != "" || !says(r.Refusals, refusal) || says(r.Refusals, "secret-word")) || !refused && !strings.Contains(r.Caddyfile, want) {
			t.Errorf("%s: want %s, %q\n%s", issuer, want, r.Refusals, r.Caddyfile)
		}
		if strings.Contains(issuer, "localhost") && strings.Contains(r.Caddyfile, "allow_http") {
			t.Error("allow_http for this machine")
		}
	}
}
