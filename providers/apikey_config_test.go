package providers

import (
	"encoding/json"
	"strings"
	"testing"

	"go.uber.org/zap"
)

const (
	someHash  = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	otherHash = "sha256:cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34"
)

// People write the key where its hash belongs. What adapting and loading say is
// read by others, so no error may show what could be a key.
func TestAKeyThatIsWrittenInPlaceOfItsHashIsNotShown(t *testing.T) {
	for _, lines := range []string{
		"key " + aliceKey + " alice",
		"key alice " + aliceKey,
		"key " + aliceKey,
		"key " + someHash + " alice " + aliceKey,
		"key alice " + someHash + " " + aliceKey,
		"key sha256:" + aliceKey + " alice",
		"key SHA256:" + aliceKey + " alice",
		"key " + someHash + aliceKey + " alice",
		"key " + aliceKey + " {\nattribute roles x\n}",
		aliceKey + " alice",
		aliceKey,
		"key " + someHash + " alice {\n" + aliceKey + "\n}",
		"key " + someHash + " alice {\n" + aliceKey + " alice\n}",
		"key {\n" + someHash + " alice\n" + aliceKey + "\n}",
		// Everybody further on would learn the key.
		keyLine(t, aliceKey, aliceKey),
		keyLine(t, aliceKey, "alice {\nattribute teams "+aliceKey+"\n}"),
	} {
		_, err := parseKind("api_key", lines)
		if err == nil {
			t.Errorf("no error: %s", lines)
			continue
		}
		if strings.Contains(err.Error(), aliceKey) {
			t.Errorf("%s\nthe error has the key: %v", lines, err)
		}
		if !strings.Contains(err.Error(), "Testfile:") {
			t.Errorf("error without file and line: %v", err)
		}
	}
}

func TestAMistakeIsFoundAtItsLine(t *testing.T) {
	for lines, want := range map[string]string{
		"":       "file or key is required, at Testfile:3",
		"file":   "wrong argument count",
		"file a": "", "file a b": "expected one value",
		"file a\nfile b":                   "file is there twice, at Testfile:3",
		"file {http.request.uri.path}":     "file: {http.request.uri.path}: expected {env.NAME} or {file./absolute/path}, at Testfile:2",
		"key":                              "key: expected a hash and a principal, got 0 arguments, at Testfile:2",
		"\nkey sha256:x alice":             "key: hash: expected sha256: and 64 hex digits",
		"key " + someHash[:70] + " alice":  "key: hash: expected sha256: and 64 hex digits",
		"key " + someHash[:70] + "g alice": "key: hash: expected sha256: and 64 hex digits",
		"key " + someHash[:70] + "é a":     "key: hash: expected sha256: and 64 hex digits",
		"key " + someHash + "0 alice":      "key: hash: expected sha256: and 64 hex digits",
		"key sha512" + someHash[6:] + " a": "key: hash: expected sha256: and 64 hex digits",
		"key " + someHash + ` ""`:          "key: principal is empty, at Testfile:2",
		"key " + someHash + ` " a"`:        "key: principal begins or ends with a blank, at Testfile:2",
		"key " + someHash + " ad\u200bmin": "key: principal has the unprintable character U+200B, at Testfile:2",
		"key " + someHash + " a {\nx y\n}": "unrecognized option of key: expected attribute, tenant or expires, at Testfile:3",
		"key " + someHash + " a\nkey " + strings.ToUpper(someHash[7:]) + " b":             "hash: expected",
		"key " + someHash + " a\nkey " + someHash + " b":                                  "key: its hash is there twice, at Testfile:3",
		"key " + someHash + " a\nkey sha256:" + strings.ToUpper(someHash[7:]) + " b":      "key: its hash is there twice, at Testfile:3",
		"key " + someHash + " a {\nattribute\n}":                                          "key: attribute: expected a name and values, at Testfile:3",
		"key " + someHash + " a {\nattribute roles\n}":                                    `key: attribute "roles": expected at least one value, at Testfile:3`,
		"key " + someHash + " a {\nattribute roles x \"\"\n}":                             `key: attribute "roles": a value is empty, at Testfile:3`,
		"key " + someHash + " a {\nattribute id x\n}":                                     `key: attribute name "id" is taken`,
		"key " + someHash + " a {\nattribute a.b x\n}":                                    `key: attribute name "a.b": expected`,
		"key " + someHash + " a {\nattribute roles x\n\n\nattribute roles \"\"\n}":        `a value is empty, at Testfile:6`,
		"key " + someHash + " a {\ntenant\n}":                                             "wrong argument count",
		"key " + someHash + " a {\ntenant a b\n}":                                         "expected one value",
		"key " + someHash + " a {\ntenant a\ntenant b\n}":                                 "tenant is there twice, at Testfile:4",
		"key " + someHash + " a {\ntenant -a\n}":                                          "key: tenant is not of the form [a-z0-9][a-z0-9_-]*, at Testfile:3",
		"key " + someHash + " a {\nexpires\n}":                                            "wrong argument count",
		"key " + someHash + " a {\nexpires 2027-01-31\n}":                                 `key: expires: expected a time such as 2027-01-31T00:00:00Z, at Testfile:3`,
		"key " + someHash + " a {\nexpires 30d\n}":                                        `key: expires: expected`,
		"key " + someHash + " a {\nexpires 2027-01-31T0:00:00Z\n}":                        `key: expires: expected`, // time.Parse takes it
		"key " + someHash + " a {\nexpires 2027-01-31T00:00:00,5Z\n}":                     "expected a time",
		"key " + someHash + " a {\nexpires 2027-01-31T00:00:00\n}":                        "expected a time",
		"key " + someHash + " a {\nexpires 2027-01-31T00:00:00+24:30\n}":                  "expected a time",
		"key " + someHash + " a {\nexpires 2027-02-30T00:00:00Z\n}":                       "expected a time",
		"key " + someHash + " a {\nexpires 2027-01-31T00:00:00Z\nexpires 2028-01-31\n}":   "expires is there twice, at Testfile:4",
		"key " + someHash + " a\nprincipal_claim sub":                                     "principal_claim has no meaning for api_key",
		"key " + someHash + " a\ntenant_claim org":                                        "tenant_claim has no meaning for api_key",
		"key " + someHash + " a\nprincipal_prefix " + strings.Repeat("p", 256):            "principal has 257 bytes",
		"key " + someHash + " a\ntimeout 5s":                                              "unrecognized option of provider api_key",
		"key " + someHash + " a\nkey " + otherHash + " b\nclaims_mapping {\nroles id\n}":  "names the principal",
		"key " + someHash + " " + strings.Repeat("a", 250) + "\nprincipal_prefix toolong": "key 1: principal has 257 bytes, more than 256",
	} {
		_, err := parseKind("api_key", lines)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s\n%v", lines, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Testfile:")):
			t.Errorf("%s\nerror %v\nwant  %s", lines, err, want)
		}
	}
}

// What only JSON can say, and what only loading can tell.
func TestKeysThatCannotBeLoadedAreErrors(t *testing.T) {
	t.Setenv("STACK_AUTH_KEYS", aliceKey)
	for config, want := range map[string]string{
		`{}`:                               "file or key is required",
		`{"keys":[]}`:                      "file or key is required",
		`{"keys":[{"principal":"alice"}]}`: "key 1: hash: expected sha256:",
		`{"keys":[{"hash":"` + aliceKey + `","principal":"alice"}]}`:                                         "key 1: hash: expected sha256:",
		`{"keys":[{"hash":"` + someHash + `"}]}`:                                                             "key 1: principal is empty",
		`{"keys":[{"hash":"` + someHash + `","principal":"a","key":"x"}]}`:                                   `unknown field "key"`,
		`{"keys":[{"hash":"` + someHash + `","principal":"a"},{"hash":"` + someHash + `","principal":"b"}]}`: "key 2: its hash is that of key 1",
		`{"keys":[{"hash":"` + someHash + `","principal":"a","attributes":[{"attribute":"roles"}]}]}`:        `key 1: attribute "roles": expected at least one value`,
		`{"keys":[{"hash":"` + someHash + `","principal":"a","attributes":[{"values":["x"]}]}]}`:             `key 1: attribute name ""`,
		`{"keys":[{"hash":"` + someHash + `","principal":"a","tenant":"a b"}]}`:                              "key 1: tenant is not of the form",
		`{"keys":[{"hash":"` + someHash + `","principal":"a","expires":"tomorrow"}]}`:                        `key 1: expires: expected`,
		`{"keys":[{"hash":"` + someHash + `","principal":"a"}],"principal_claim":["sub"]}`:                   "principal_claim has no meaning for api_key",
		`{"keys":[{"hash":"` + someHash + `","principal":"a"}],"tenant_claim":"org"}`:                        "tenant_claim has no meaning for api_key",
		`{"keys":[{"hash":"` + someHash + `","principal":"a"}],"name":"A"}`:                                  `provider name "A"`,
		`{"keys":[{"hash":"` + someHash + `","principal":"a"}],"timeout":"5s"}`:                              `unknown field "timeout"`,
		`{"file":"/does/not/exist"}`:                          "file /does/not/exist: stat: no such file or directory",
		`{"file":"{env.STACK_AUTH_UNSET}"}`:                   "file: {env.STACK_AUTH_UNSET} is empty",
		`{"file":"{env.STACK_AUTH_KEYS}"}`:                    "file {env.STACK_AUTH_KEYS}: stat: no such file or directory",
		`{"file":"{http.request.uri.path}"}`:                  "file: {http.request.uri.path}: expected",
		`{"file":` + quoted(t.TempDir()) + `}`:                "not a regular file",
		`{"file":` + quoted(newKeyFileOf(t, `{}`).path) + `}`: "expected a JSON list",
		`{"file":` + quoted(newKeyFile(t, entry(t, "abc", "x")).path) + `,"keys":[{"hash":"` + someHash + `","principal":"a"}]}`: "entry 1: its hash is that of a key in the configuration",
		`{"file":` + quoted(newKeyFile(t, entry(t, "abc", strings.Repeat("x", 250))).path) + `,"principal_prefix":"toolong"}`:    "entry 1: principal has 257 bytes",
	} {
		v, err := newContext(t, zap.NewNop()).LoadModuleByID(Namespace+".api_key", json.RawMessage(config))
		if err == nil || v != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nerror %v\nwant  %s", config, err, want)
		}
		if err != nil && strings.Contains(err.Error(), aliceKey) {
			t.Errorf("%s: the error has a secret: %v", config, err)
		}
	}
	if n := watchers(); n != 0 {
		t.Errorf("%d watches are left", n)
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// An instance that did not come far enough to take anything gives nothing back.
func TestCleanupOfKeysThatWereNeverProvisioned(t *testing.T) {
	if err := new(APIKey).Cleanup(); err != nil {
		t.Error(err)
	}
}
