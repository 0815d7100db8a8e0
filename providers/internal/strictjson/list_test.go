package strictjson

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestListsThatEveryReaderReadsAlikeAreDecoded(t *testing.T) {
	for in, want := range map[string][]any{
		`[]`:                     {},
		" \n[ ]\t":               {},
		`["a",1.50,null,[true]]`: {"a", Number("1.50"), nil, []any{true}},
		`[{"a":"b"},{"a":"c"}]`:  {map[string]any{"a": "b"}, map[string]any{"a": "c"}},
	} {
		got, err := List([]byte(in))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v, %v", in, got, err)
		}
	}
}

func TestWhatIsNotOneListIsRefused(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "expected a JSON list",
		"{}":                    "expected a JSON list",
		"null":                  "expected a JSON list",
		"\ufeff[]":              "expected a JSON list",
		"[":                     "decoding JSON: element 1: syntax error at byte 1",
		"[1":                    "decoding JSON: element 2: syntax error at byte 2",
		"[1,]":                  "decoding JSON: element 2: syntax error at byte 2",
		"[1 2]":                 "decoding JSON: element 2: syntax error at byte 3",
		"[]x":                   "decoding JSON: bytes after the list",
		"[][]":                  "decoding JSON: bytes after the list",
		"[]\x00":                "decoding JSON: bytes after the list",
		`[{},{"a":1,"a":2}]`:    "decoding JSON: element 2: a member name is there twice",
		"[\"\xff\"]":            "decoding JSON: element 1: syntax error at byte 2",
		`["\ud800"]`:            "decoding JSON: element 1: syntax error at byte 2",
		strings.Repeat("[", 33): "decoding JSON: element 1: more than 32 levels",
	} {
		got, err := List([]byte(in))
		if err == nil || got != nil || err.Error() != want {
			t.Errorf("%s: got %v, %v; want %s", in, got, err, want)
		}
	}
}

// Strictly less than encoding/json is accepted, and what is means the same.
func FuzzListAgreesWithEncodingJSON(f *testing.F) {
	for _, seed := range []string{`[]`, `[1,"a",null,{"b":[true]}]`, `[{"a":1,"a":2}]`, `[]x`, "\ufeff[]", `["\ud834"]`, "[\"\xff\"]", `{}`, `[01]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := List(in)
		if err != nil {
			if got != nil {
				t.Fatalf("refused and returned %v", got)
			}
			return
		}
		dec := json.NewDecoder(bytes.NewReader(in))
		dec.UseNumber()
		var want []any
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		if _, err := dec.Token(); err != io.EOF {
			t.Fatalf("encoding/json finds more behind it: %v", err)
		}
		if plain := plainNumbers(map[string]any{"": got}); !reflect.DeepEqual(plain, map[string]any{"": want}) {
			t.Errorf("read as %#v\nencoding/json: %#v", got, want)
		}
	})
}
