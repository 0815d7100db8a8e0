package stackauth_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

const toolsPage = "docs/policy-tools.md"

// console is a command of a page, and what it prints.
var console = regexp.MustCompile("(?s)```console\n\\$ caddy stack-auth ([^\n]*)\n(.*?)```")

// What a page shows as output is output: written by hand it would be true once.
func TestThePageOfToolsShowsWhatTheyPrint(t *testing.T) {
	page, err := os.ReadFile(toolsPage)
	if err != nil {
		t.Fatal(err)
	}
	if found := console.FindAll(page, -1); len(found) < 6 {
		t.Fatalf("%d commands on the page", len(found))
	}
	corrected := console.ReplaceAllStringFunc(string(page), func(s string) string {
		parts := console.FindStringSubmatch(s)
		out := run(t, "", strings.Fields(parts[1])...)
		if out.code() == 2 {
			t.Errorf("%s: %s", parts[1], out.all())
		}
		shown := strings.TrimRight(out.all(), "\n")
		if parts[2] != shown+"\n" && !*update {
			t.Errorf("%s\nthe page shows\n%s\nit prints\n%s", parts[1], parts[2], shown)
		}
		return "```console\n$ caddy stack-auth " + parts[1] + "\n" + shown + "\n```"
	})
	if *update && corrected != string(page) {
		if err := os.WriteFile(toolsPage, []byte(corrected), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
