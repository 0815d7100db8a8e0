package strictjson

import (
	"reflect"
	"strings"
	"testing"
)

func TestObjectsThatEveryReaderReadsAlikeAreDecoded(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want map[string]any
	}{
		{`{}`, map[string]any{}},
		{" \t\r\n{ } \n", map[string]any{}},
		{
			`{"s":"a\"\u00e9\ud834\udd1e","t":true,"f":false,"n":null,"i":12,"d":-1.50e3,"l":[],"o":{}}`,
			map[string]any{
				"s": "a\"é𝄞", "t": true, "f": false, "n": nil, "i": Number("12"), "d": Number("-1.50e3"),
				"l": []any{}, "o": map[string]any{},
			},
		},
		// A number stays as it was written: 2^53+1 is no float64.
		{`{"n":9007199254740993,"z":-0}`, map[string]any{"n": Number("9007199254740993"), "z": Number("-0")}},
		// Names are told apart byte for byte (case 78: struct decoding folds them).
		{`{"sub":"a","Sub":"b","ſub":"c"}`, map[string]any{"sub": "a", "Sub": "b", "ſub": "c"}},
		{`{"":"empty"}`, map[string]any{"": "empty"}},
		{`{"l":["a",1,[null,{"x":false}]]}`, map[string]any{
			"l": []any{"a", Number("1"), []any{nil, map[string]any{"x": false}}},
		}},
	} {
		got, err := Object([]byte(tc.in))
		if err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: got %#v, %v", tc.in, got, err)
		}
	}
}

// Cases 61, 62 and 77. One reader takes the first of two members, the next the
// last; one stops at the end of the object, the next reads on.
func TestJSONThatTwoReadersReadDifferentlyIsRefused(t *testing.T) {
	const twice = "decoding JSON: a member name is there twice"
	for _, tc := range []struct{ name, in, want string }{
		{"a member twice", `{"sub":"alice","sub":"admin"}`, twice},
		{"a member twice, once escaped", `{"sub":"alice","s\u0075b":"admin"}`, twice},
		{"a member twice, below", `{"a":{"b":[{"x":1,"x":1}]}}`, twice},
		{"the empty member twice", `{"":1,"":2}`, twice},
		{"a byte order mark", "\ufeff{}", "expected a JSON object"},
		{"a trailing brace", `{"a":1}}`, "decoding JSON: bytes after the object"},
		{"a second object", `{} {}`, "decoding JSON: bytes after the object"},
		{"a trailing NUL", "{}\x00", "decoding JSON: bytes after the object"},
		{"a trailing byte order mark", "{}\ufeff", "decoding JSON: bytes after the object"},
		{"a lone high surrogate", `{"a":"\ud834"}`, "decoding JSON: syntax error at byte 6"},
		{"a lone low surrogate", `{"a":"\udd1e"}`, "decoding JSON: syntax error at byte 6"},
		{"surrogates in the wrong order", `{"a":"\udd1e\ud834"}`, "decoding JSON: syntax error at byte 6"},
		{"invalid UTF-8 in a value", "{\"a\":\"\xff\"}", "decoding JSON: syntax error at byte 6"},
		{"invalid UTF-8 in a name", "{\"\xff\":1}", "decoding JSON: syntax error at byte 2"},
		{"a surrogate as UTF-8", "{\"a\":\"\xed\xa0\x80\"}", "decoding JSON: syntax error at byte 6"},
		{"an overlong slash", "{\"a\":\"\xc0\xaf\"}", "decoding JSON: syntax error at byte 6"},
		{"a raw control character", "{\"a\":\"\n\"}", "decoding JSON: syntax error at byte 6"},
		{"a trailing comma", `{"a":1,}`, "decoding JSON: syntax error at byte 6"},
		{"a leading zero", `{"a":01}`, "decoding JSON: syntax error at byte 6"},
		{"NaN", `{"a":NaN}`, "decoding JSON: syntax error at byte 5"},
		{"single quotes", `{'a':1}`, "decoding JSON: syntax error at byte 1"},
		{"a comment", `{/**/}`, "decoding JSON: syntax error at byte 1"},
		{"a number for a name", `{1:1}`, "decoding JSON: syntax error at byte 1"},
		{"an object cut off", `{"a":`, "decoding JSON: syntax error at byte 5"},
		{"a list cut off", `{"a":[1,`, "decoding JSON: syntax error at byte 8"},
		{"a closing bracket for a brace", `{"a":1]`, "decoding JSON: syntax error at byte 6"},
		{"a closing brace for a bracket", `{"a":[1}`, "decoding JSON: syntax error at byte 7"},
		{"null", `null`, "expected a JSON object"},
		{"a list", `[]`, "expected a JSON object"},
		{"a string", `"x"`, "expected a JSON object"},
		{"a number", `1`, "expected a JSON object"},
		{"nothing", ``, "expected a JSON object"},
		{"blanks", "  ", "expected a JSON object"},
		{"garbage", `x`, "expected a JSON object"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Object([]byte(tc.in))
			if err == nil || got != nil {
				t.Fatalf("got %v, %v; want an error and nothing", got, err)
			}
			if err.Error() != tc.want {
				t.Errorf("error is %q, want %q", err, tc.want)
			}
		})
	}
}

func TestNestingIsBounded(t *testing.T) {
	for _, tc := range []struct {
		open, end string
	}{
		{`{"a":`, `}`},
		{`[`, `]`},
	} {
		nest := func(n int) []byte {
			// The outermost object is a level of its own.
			return []byte(`{"a":` + strings.Repeat(tc.open, n-1) + "1" + strings.Repeat(tc.end, n-1) + `}`)
		}
		if _, err := Object(nest(32)); err != nil {
			t.Errorf("32 levels of %s: %v", tc.open, err)
		}
		_, err := Object(nest(33))
		if err == nil || err.Error() != "decoding JSON: more than 32 levels" {
			t.Errorf("33 levels of %s: error is %v", tc.open, err)
		}
		// Deep enough to end a process whose stack has a limit, if followed.
		if _, err := Object([]byte(`{"a":` + strings.Repeat(tc.open, 200_000))); err == nil {
			t.Errorf("200,000 levels of %s pass", tc.open)
		}
	}
}

// What comes in is somebody's token, and errors go to logs.
func TestErrorsDoNotQuoteTheInput(t *testing.T) {
	for _, in := range []string{
		`{"secret":"secret"secret}`, `{"secret":1,"secret":2}`, `{"a":secret}`, "{\"secret\xff\":1}", `{}secret`, `secret`,
	} {
		if _, err := Object([]byte(in)); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: error is %v", in, err)
		}
	}
}

func TestStringReadsOneMemberAndBelievesNothing(t *testing.T) {
	for _, tc := range []struct {
		in, want string
		found    bool
	}{
		{`{"iss":"x"}`, "x", true},
		{`{"a":{"iss":"no"},"b":[{"iss":"no"}],"c":1,"iss":"x"}`, "x", true},
		{`{"i\u0073s":"x"}`, "x", true},
		{`{"iss":"x",broken`, "x", true}, // it reads no further than it has to
		{`{"iss":""}`, "", true},
		{`{"iss":1}`, "", false},
		{`{"iss":null}`, "", false},
		{`{"iss":["x"]}`, "", false},
		{`{"ISS":"x"}`, "", false},
		{`{"a":1}`, "", false},
		{`{}`, "", false},
		{`{"a":broken,"iss":"x"}`, "", false},
		{`{"a":1,"a":2,"iss":"x"}`, "", false},
		{"{\"iss\":\"\xff\"}", "", false},
		{"{\"\xff\":1}", "", false},
		{`{"iss"`, "", false},
		{`["iss"]`, "", false},
		{`"iss"`, "", false},
		{``, "", false},
	} {
		if got, found := String([]byte(tc.in), "iss"); got != tc.want || found != tc.found {
			t.Errorf("%s: %q, %t; want %q, %t", tc.in, got, found, tc.want, tc.found)
		}
	}
}
