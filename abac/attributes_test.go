package abac

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAttributesAreSortedByNameAndKeepTheOrderOfTheirValues(t *testing.T) {
	a := NewAttributes(
		Attribute{"teams", []string{"z", "a", "z"}},
		Attribute{"roles", []string{"writer"}},
		Attribute{"empty", nil},
		Attribute{"also-empty", []string{}},
		Attribute{"teams", []string{"m", "a"}},
		Attribute{"Roles", []string{"other"}}, // names are compared byte for byte
	)
	want := []Attribute{
		{"Roles", []string{"other"}},
		{"roles", []string{"writer"}},
		{"teams", []string{"z", "a", "m"}},
	}
	if got := slices.Collect(a.All()); !reflect.DeepEqual(got, want) {
		t.Errorf("attributes are %v, want %v", got, want)
	}
	if got, want := a.JSON(), `{"Roles":["other"],"roles":["writer"],"teams":["z","a","m"]}`; got != want {
		t.Errorf("JSON is %s, want %s", got, want)
	}
	if !a.Has("teams", "m") || a.Has("teams", "M") || a.Has("empty", "") || a.Values("empty") != nil {
		t.Error("Has or Values see what is not there")
	}
}

func TestNoAttributesAreAnEmptyObject(t *testing.T) {
	for name, a := range map[string]Attributes{
		"zero value": {}, "none given": NewAttributes(), "one without values": NewAttributes(Attribute{"roles", nil}),
	} {
		if a.JSON() != "{}" || a.Values("roles") != nil || a.Has("roles", "") || len(slices.Collect(a.All())) != 0 {
			t.Errorf("%s: %s", name, a.JSON())
		}
	}
}

// Upstream's two mappings of one claim share a list, so that what is added to
// one attribute turns up in the other (contract, aliased-values).
func TestAttributesShareNoMemoryWithWhatTheyWereMadeOf(t *testing.T) {
	claim := make([]string, 2, 8)
	claim[0], claim[1] = "a", "b"
	x := NewAttributes(Attribute{"roles", claim}, Attribute{"teams", claim}, Attribute{"teams", []string{"c"}})
	claim[0] = "admin"
	_ = append(claim, "admin")
	if x.Has("roles", "admin") || x.Has("teams", "admin") || x.Has("roles", "c") {
		t.Errorf("values leak: %v", slices.Collect(x.All()))
	}
	// Nor may one attribute grow into what lies behind it.
	for a := range x.All() {
		if cap(a.Values) != len(a.Values) {
			t.Errorf("%s has room for %d more values", a.Name, cap(a.Values)-len(a.Values))
		}
	}
}

func TestRepeatedValuesAreDroppedFromShortAndLongLists(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 17, 1000} {
		var given, want []string
		for i := range n {
			want = append(want, fmt.Sprint("group-", i))
			given = append(given, fmt.Sprint("group-", i), "group-0")
		}
		a := NewAttributes(Attribute{"teams", given})
		if got := a.Values("teams"); !slices.Equal(got, want) {
			t.Errorf("%d values: got %d", n, len(got))
		}
	}
}

// Case 96. A header must survive every hop, so it is ASCII; encoding/json
// would leave DEL, U+00E9 and the astral planes as they are.
func TestJSONEscapesEverythingButPlainASCII(t *testing.T) {
	for value, want := range map[string]string{
		`a"b`:          `"a\"b"`,
		`a\b`:          `"a\\b"`,
		"a,b":          `"a,b"`,
		"a\nb\r\t":     `"a\u000ab\u000d\u0009"`,
		"\x00\x1f\x7f": `"\u0000\u001f\u007f"`,
		"é€":           `"\u00e9\u20ac"`,
		"𝄞":            `"\ud834\udd1e"`,
		"\U0010ffff":   `"\udbff\udfff"`,
		"\u2028":       `"\u2028"`,
		"\uffff":       `"\uffff"`,
		"a\xffb":       `"a\ufffdb"`,
		"<script>&":    `"<script>&"`,
		"":             `""`,
	} {
		if got := string(AppendList(nil, []string{value})); got != "["+want+"]" {
			t.Errorf("%q: %s, want [%s]", value, got, want)
		}
	}
}

func TestAppendListAppends(t *testing.T) {
	if got := string(AppendList([]byte("x"), []string{"a", "b"})); got != `x["a","b"]` {
		t.Error(got)
	}
	if got := string(AppendList(nil, nil)); got != "[]" {
		t.Error(got)
	}
}

func TestAttributeNames(t *testing.T) {
	for _, name := range []string{"roles", "_", "Roles", "a-b_c9", strings.Repeat("a", 64), "ID", "ids"} {
		if err := CheckAttributeName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	const form = `: expected letters, digits, _ and -, beginning with a letter or _`
	for name, want := range map[string]string{
		"":                      `attribute name "": expected 1 to 64 characters`,
		strings.Repeat("a", 65): `attribute name "` + strings.Repeat("a", 65) + `": expected 1 to 64 characters`,
		"id":                    `attribute name "id" is taken: it names the principal`,
		"1a":                    `attribute name "1a"` + form,
		"-a":                    `attribute name "-a"` + form,
		"a.b":                   `attribute name "a.b"` + form,
		"a b":                   `attribute name "a b"` + form,
		"a:b":                   `attribute name "a:b"` + form,
		"é":                     `attribute name "é"` + form,
		"a\n":                   `attribute name "a\n"` + form,
	} {
		if err := CheckAttributeName(name); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", name, err, want)
		}
	}
}

// encoding/json is the oracle: it must read back exactly what went in, with
// broken bytes as U+FFFD, which is what its own encoder makes of them.
func FuzzAttributesJSON(f *testing.F) {
	f.Add("roles", "admin", "teams", "a\"b")
	f.Add("roles", "é€𝄞", "roles", "\xff\u2028\x7f\\")
	f.Add("a", "\ud7ff\ue000", "b", "\U0010ffff\x00")
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string) {
		a := NewAttributes(Attribute{name1, []string{value1, value2}}, Attribute{name2, []string{value2}})
		text := a.JSON()
		for i := range len(text) {
			if text[i] < ' ' || text[i] > '~' {
				t.Fatalf("JSON has byte %#x: %q", text[i], text)
			}
		}
		var got map[string][]string
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		want := make(map[string][]string)
		for attribute := range a.All() {
			name := strings.ToValidUTF8(attribute.Name, "\ufffd")
			if !utf8.ValidString(attribute.Name) {
				return // two such names may become one
			}
			for _, v := range attribute.Values {
				want[name] = append(want[name], oracle(t, v))
			}
		}
		if !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s reads as %v, want %v", text, got, want)
		}
	})
}

// oracle returns what encoding/json makes of a string.
func oracle(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back string
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	return back
}
