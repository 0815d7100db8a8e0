package stackauth

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/ogximport"
	"github.com/caddy-stack-auth/caddy-stack-auth/policylint"
)

// printedAs has for each object that the commands print with --json what the page
// of tools calls it.
var printedAs = map[reflect.Type]string{
	reflect.TypeFor[explanation]():        "explanation",
	reflect.TypeFor[requestReport]():      "request",
	reflect.TypeFor[personReport]():       "person",
	reflect.TypeFor[blockReport]():        "block",
	reflect.TypeFor[requireReport]():      "requirement",
	reflect.TypeFor[routeRuleReport]():    "rule",
	reflect.TypeFor[refusalReport]():      "refusal",
	reflect.TypeFor[stop]():               "handler",
	reflect.TypeFor[resourceReport]():     "resource",
	reflect.TypeFor[resourceRuleReport](): "resource rule",
	reflect.TypeFor[testEvent]():          "event",
	reflect.TypeFor[policylint.Finding](): "finding",
	reflect.TypeFor[imported]():           "import",
	reflect.TypeFor[ogximport.Remark]():   "remark",
}

// tableOfFields is a table of the page: its name, and a line for each field.
var tableOfFields = regexp.MustCompile("(?m)^\\| ([a-z ]+) \\| \\| \\|\n\\| --- \\| --- \\| --- \\|\n((?:\\| `.*\n)+)")

var lineOfFields = regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (always)? ?\\| ")

// Who writes a program goes by the page: a field that is not there, or that is
// called otherwise, is found by nobody.
func TestThePageOfToolsListsTheFieldsOfTheJSON(t *testing.T) {
	page, err := os.ReadFile("docs/policy-tools.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## Fields of `--json`\n")
	if !found {
		t.Fatal("no section about the fields")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	listed := make(map[string]string)
	for _, table := range tableOfFields.FindAllStringSubmatch(section, -1) {
		var fields []string
		for _, line := range lineOfFields.FindAllStringSubmatch(table[2], -1) {
			fields = append(fields, strings.TrimSpace(line[1]+" "+line[2]))
		}
		listed[table[1]] = strings.Join(fields, "\n")
	}
	if len(listed) != len(printedAs) {
		t.Errorf("%d tables of %d", len(listed), len(printedAs))
	}
	for of, name := range printedAs {
		if got, want := listed[name], strings.Join(fieldsOf(t, of), "\n"); got != want {
			t.Errorf("%s is on the page with\n%s\nand is printed with\n%s", name, got, want)
		}
	}
}

// fieldsOf returns the names of the fields, and which are never left out.
func fieldsOf(t *testing.T, of reflect.Type) []string {
	t.Helper()
	var fields []string
	for field := range of.Fields() {
		tag, tagged := field.Tag.Lookup("json")
		if !tagged || tag == "-" {
			if field.IsExported() && tag != "-" {
				t.Errorf("%s.%s is printed, and has no name", of, field.Name)
			}
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		if option == "" {
			name += " always"
		}
		fields = append(fields, name)
		inner := field.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && printedAs[inner] == "" {
			t.Errorf("%s.%s is a %s, of which no table is known", of, field.Name, inner)
		}
	}
	return fields
}
