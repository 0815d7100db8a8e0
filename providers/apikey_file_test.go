package providers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// keyFile is a key file on disk.
type keyFile struct {
	t    testing.TB
	path string
}

func newKeyFile(t testing.TB, entries ...string) keyFile {
	t.Helper()
	return newKeyFileOf(t, "["+strings.Join(entries, ",")+"]")
}

func newKeyFileOf(t testing.TB, text string) keyFile {
	t.Helper()
	f := keyFile{t, filepath.Join(t.TempDir(), "keys.json")}
	f.write(text)
	return f
}

// holds replaces the file in one step, by one with the entries.
func (f keyFile) holds(entries ...string) {
	f.t.Helper()
	next := f.path + ".next"
	if err := os.WriteFile(next, []byte("["+strings.Join(entries, ",")+"]"), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(next, f.path); err != nil {
		f.t.Fatal(err)
	}
}

// write writes into the file as it is.
func (f keyFile) write(text string) {
	f.t.Helper()
	if err := os.WriteFile(f.path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f keyFile) remove() {
	f.t.Helper()
	if err := os.Remove(f.path); err != nil {
		f.t.Fatal(err)
	}
}

// entry is an entry of a key file; more are further members.
func entry(t testing.TB, key, principal string, more ...string) string {
	t.Helper()
	return strings.Join(append([]string{`{"hash":"` + hashOf(t, key) + `","principal":` + quoted(principal)}, more...), ",") + "}"
}

func TestKeysOfAFileAreAsGoodAsThoseOfTheConfiguration(t *testing.T) {
	file := newKeyFile(t,
		entry(t, aliceKey, "alice", `"attributes":[{"values":["a b","c"],"attribute":"roles"},{"attribute":"teams","values":["x"]},{"attribute":"roles","values":["c","d"]}]`, `"tenant":"ACME"`),
		entry(t, carolKey, "carol", `"expires":"2001-01-01T00:00:00Z"`))
	t.Setenv("STACK_AUTH_DIR", filepath.Dir(file.path))
	p := newKind[*APIKey](t, "api_key", "file {env.STACK_AUTH_DIR}/keys.json\nprincipal_prefix k:\n"+keyLine(t, bobKey, "bob"))
	u := wantYes(t, askKind(t, p, aliceKey), "k:alice").User
	if u.Tenant != "acme" || u.Attributes.JSON() != `{"roles":["a b","c","d"],"teams":["x"]}` {
		t.Errorf("tenant %q, attributes %s", u.Tenant, u.Attributes.JSON())
	}
	wantYes(t, askKind(t, p, bobKey), "k:bob")
	wantNo(t, askKind(t, p, carolKey), reasonExpired)
	wantNotMine(t, askKind(t, p, "nobody"))
	if p.File != "{env.STACK_AUTH_DIR}/keys.json" {
		t.Errorf("the configuration has changed: %s", p.File)
	}
}

func TestAnEmptyListIsAKeyFile(t *testing.T) {
	p := newKind[*APIKey](t, "api_key", "file "+newKeyFileOf(t, " [ ] \n").path)
	wantNotMine(t, askKind(t, p, aliceKey))
}

// A file is one list of keys to every reader, or it is an error that says where,
// and shows nothing that may be a key.
func TestFilesThatAreNoListOfKeysAreErrors(t *testing.T) {
	const rest = `"principal":"a"`
	hash := `"hash":"` + someHash + `"`
	for text, want := range map[string]string{
		"":                     "expected a JSON list",
		"null":                 "expected a JSON list",
		`{"keys":[]}`:          "expected a JSON list",
		`"` + aliceKey:         "expected a JSON list",
		aliceKey:               "expected a JSON list",
		"\ufeff[]":             "expected a JSON list",
		"[":                    "decoding JSON",
		"[]]":                  "decoding JSON: bytes after the list",
		"[] []":                "decoding JSON: bytes after the list",
		"[]\x00":               "decoding JSON: bytes after the list",
		"[" + aliceKey:         "decoding JSON: element 1: syntax error at byte 1",
		`["` + aliceKey + `"]`: "entry 1: expected an object",
		`[null]`:               "entry 1: expected an object",
		`[{}]`:                 "entry 1: hash: expected sha256:",
		`[{"hash":"` + aliceKey + `",` + rest + `}]`:                                                                          "entry 1: hash: expected sha256:",
		`[{"hash":5,` + rest + `}]`:                                                                                           "entry 1: hash: expected a string with something in it",
		`[{"hash":["` + someHash + `"],` + rest + `}]`:                                                                        "entry 1: hash: expected a string",
		`[{` + hash + `}]`:                                                                                                    "entry 1: principal is empty",
		`[{` + hash + `,"principal":null}]`:                                                                                   "entry 1: principal: expected a string",
		`[{` + hash + `,"principal":""}]`:                                                                                     "entry 1: principal: expected a string",
		`[{` + hash + `,"principal":" a"}]`:                                                                                   "entry 1: principal begins or ends with a blank",
		`[{` + hash + `,"principal":"a\u0000"}]`:                                                                              "entry 1: principal has the unprintable character U+0000",
		`[{` + hash + `,` + rest + `,"` + aliceKey + `":"x"}]`:                                                                "entry 1: unknown member",
		`[{` + hash + `,` + rest + `,"Tenant":"x"}]`:                                                                          "entry 1: unknown member",
		`[{` + hash + `,` + rest + `,` + rest + `}]`:                                                                          "element 1: a member name is there twice",
		`[{` + hash + `,` + rest + `,"h\u0061sh":"x"}]`:                                                                       "element 1: a member name is there twice",
		`[{` + hash + `,` + rest + `,}]`:                                                                                      "element 1: syntax error at byte",
		`[{` + hash + `,` + rest + `,"tenant":""}]`:                                                                           "entry 1: tenant: expected a string with something in it",
		`[{` + hash + `,` + rest + `,"tenant":null}]`:                                                                         "entry 1: tenant: expected a string",
		`[{` + hash + `,` + rest + `,"tenant":"a b"}]`:                                                                        "entry 1: tenant is not of the form",
		`[{` + hash + `,` + rest + `,"expires":""}]`:                                                                          "entry 1: expires: expected a string",
		`[{` + hash + `,` + rest + `,"expires":1893456000}]`:                                                                  "entry 1: expires: expected a string",
		`[{` + hash + `,` + rest + `,"expires":"2027-13-01T00:00:00Z"}]`:                                                      `entry 1: expires: expected a time`,
		`[{` + hash + `,` + rest + `,"attributes":null}]`:                                                                     "entry 1: attributes: expected a list",
		`[{` + hash + `,` + rest + `,"attributes":{"roles":["x"]}}]`:                                                          "entry 1: attributes: expected a list",
		`[{` + hash + `,` + rest + `,"attributes":["roles"]}]`:                                                                "entry 1: attributes: 1: expected an object with attribute and values",
		`[{` + hash + `,` + rest + `,"attributes":[{"attribute":5,"values":["x"]}]}]`:                                         "entry 1: attributes: 1: attribute: expected a string",
		`[{` + hash + `,` + rest + `,"attributes":[{"attribute":"roles"}]}]`:                                                  "entry 1: attributes: 1: expected an object with",
		`[{` + hash + `,` + rest + `,"attributes":[{"attribute":"roles","values":["x"],"x":1}]}]`:                             "entry 1: attributes: 1: expected an object with",
		`[{` + hash + `,` + rest + `,"attributes":[{"attribute":"roles","values":"x"}]}]`:                                     "entry 1: attributes: 1: values: expected a list of strings",
		`[{` + hash + `,` + rest + `,"attributes":[{"attribute":"roles","values":[]}]}]`:                                      `entry 1: attribute "roles": expected at least one value`,
		`[{` + hash + `,` + rest + `,"attributes":[{"attribute":"roles","values":["x",1]}]}]`:                                 "entry 1: attributes: 1: values: expected a string",
		`[{` + hash + `,` + rest + `,"attributes":[{"attribute":"roles","values":[""]}]}]`:                                    "entry 1: attributes: 1: values: expected a string",
		`[{` + hash + `,` + rest + `,"attributes":[{"attribute":"roles","values":["x"]},{"attribute":"id","values":["x"]}]}]`: `entry 1: attribute name "id" is taken`,
		`[{` + hash + `,` + rest + `},{` + hash + `,"principal":"b"}]`:                                                        "entry 2: its hash is that of entry 1",
		`[{` + hash + `,` + rest + `},{"hash":"sha256:` + strings.ToUpper(someHash[7:]) + `",` + rest + `}]`:                  "entry 2: its hash is that of entry 1",
		`[{` + hash + `,` + rest + `},{"hash":"` + otherHash + `"}]`:                                                          "entry 2: principal is empty",
		`[{` + hash + `,"principal":"abc"}]`:                                                                                  "entry 1: principal is the key itself",
		`[{` + hash + `,` + rest + `,"attributes":[{"attribute":"teams","values":["abc"]}]}]`:                                 `entry 1: attribute "teams": a value is the key itself`,
		`[{` + hash + `,"principal":"\ud800"}]`:                                                                               "element 1: syntax error at byte",
		"[" + strings.Repeat("[", 40) + strings.Repeat("]", 41):                                                               "element 1: more than 32 levels",
		"[" + strings.Repeat(" ", 8<<20) + "]":                                                                                "more than 8 MiB",
	} {
		_, err := loadKind(t, newContext(t, zap.NewNop()), "api_key", "file "+newKeyFileOf(t, text).path)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.300s\nerror %v\nwant  %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), aliceKey) {
			t.Errorf("%s: the error has a key: %v", text, err)
		}
	}
}

// Any bytes: no panic; and what is taken for a list of keys is one to
// encoding/json too, with different hashes, people who may be there, and
// attributes that may be named.
func FuzzKeyFile(f *testing.F) {
	f.Add([]byte(`[]`))
	f.Add([]byte(`[{"hash":"` + someHash + `","principal":"a"}]`))
	f.Add([]byte(`[{"hash":"` + someHash + `","principal":"a","tenant":"T","expires":"2027-01-31T00:00:00Z",` +
		`"attributes":[{"attribute":"roles","values":["x","y z"]}]},{"principal":"b","hash":"` + otherHash + `"}]`))
	f.Add([]byte(`[{"hash":"sha256:` + strings.ToUpper(someHash[7:]) + `","principal":"\u0061","attributes":[]}] `))
	f.Add([]byte(`[{"hash":"` + someHash + `","hash":"` + otherHash + `","principal":"a"}]`))
	f.Fuzz(func(t *testing.T, content []byte) {
		keys, err := readKeyFile(content)
		if err != nil {
			if keys != nil {
				t.Fatalf("refused and returned %v", keys)
			}
			return
		}
		var want []ListedKey
		if err := json.Unmarshal(content, &want); err != nil || len(want) != len(keys) {
			t.Fatalf("encoding/json: %d keys, %v; want %d", len(want), err, len(keys))
		}
		hashes := make(map[[32]byte]bool)
		for i, k := range keys {
			digest, err := k.digest()
			if err != nil || hashes[digest] {
				t.Errorf("entry %d: hash %q, %v", i+1, k.Hash, err)
			}
			hashes[digest] = true
			if _, err := abac.NewUser(k.Principal, k.Tenant, abac.Attributes{}); err != nil {
				t.Errorf("entry %d: %v", i+1, err)
			}
			for _, a := range k.Attributes {
				if err := abac.CheckAttributeName(a.Attribute); err != nil || len(a.Values) == 0 {
					t.Errorf("entry %d: %v, values %q", i+1, err, a.Values)
				}
			}
			if _, _, err := k.end(); err != nil {
				t.Errorf("entry %d: %v", i+1, err)
			}
			if quotedKey(want[i]) != quotedKey(k) {
				t.Errorf("entry %d is %+v, to encoding/json %+v", i+1, k, want[i])
			}
		}
	})
}

func quotedKey(k ListedKey) string {
	b, _ := json.Marshal(k)
	return string(b)
}
