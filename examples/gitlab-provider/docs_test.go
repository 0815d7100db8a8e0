package gitlab_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var quoted = regexp.MustCompile("(?s)```go\n(.*?)```")

func TestThePageQuotesWhatTheCodeSays(t *testing.T) {
	page, err := os.ReadFile("../../docs/writing-a-provider.md")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, file := range []string{"gitlab.go", "answer.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(text)
	}
	quotes := quoted.FindAllSubmatch(page, -1)
	if len(quotes) < 8 {
		t.Fatalf("the page quotes %d pieces", len(quotes))
	}
	for _, quote := range quotes {
		if !strings.Contains(code.String(), string(quote[1])) {
			t.Errorf("not in the code:\n%s", quote[1])
		}
	}
}
