package abac

import (
	"encoding/json"
	"strings"
	"testing"
)

// What YAML or a template left empty must not make a rule for everybody, or for
// everything.
func TestAnOptionOfARuleThatIsNullIsAnError(t *testing.T) {
	for text, want := range map[string]string{
		`{"effect":"permit","actions":["read"],"when":[{"op":"user_is_owner"}]}`: "",
		`{"effect":"permit","actions":["read"],"when":null}`:                     "when is null",
		`{"effect":"permit","actions":["read"],"When": null}`:                    "When is null",
		`{"effect":"forbid","actions":["read"],"unless":null}`:                   "unless is null",
		`{"effect":"permit","actions":null}`:                                     "actions is null",
		`{"effect":"permit","actions":["read"],"principal":null}`:                "principal is null",
		`{"effect":"permit","actions":["read"],"resource":null}`:                 "resource is null",
		`{"effect":"permit","actions":["read"],"principal":""}`:                  "principal or resource is empty",
		`{"effect":"permit","actions":["read"],"whenever":[]}`:                   `unknown field "whenever"`,
		`["permit"]`: "cannot unmarshal array",
	} {
		var rule Rule
		err := json.Unmarshal([]byte(text), &rule)
		if want == "" && (err != nil || rule.Effect != Permit || len(rule.When) != 1) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %+v, %v", text, rule, err)
		}
	}
}
