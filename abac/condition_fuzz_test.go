package abac

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

// wordsOf splits a condition as it is written into its words.
func wordsOf(t *testing.T, text string) []string {
	t.Helper()
	var words []string
	for text != "" {
		word, after, _ := strings.Cut(text, " ")
		if text[0] == '"' {
			quoted, err := strconv.QuotedPrefix(text)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if word, err = strconv.Unquote(quoted); err != nil {
				t.Fatal(err)
			}
			after = strings.TrimPrefix(text[len(quoted):], " ")
		}
		words, text = append(words, word), after
	}
	return words
}

// A condition that was accepted reads as it was written, in a trace and in JSON.
func FuzzCondition(f *testing.F) {
	for _, seed := range []string{
		"", "user", "user|with|admin|in|roles", "user|with|admin|not|in|roles", "user|with|ml team|in|teams", "user|with|not|in|roles",
		"user|with|a\"b|in|roles", "user|with|a\\b|in|roles", "user|with|`a|in|roles", "user|with|a\u2028b|in|roles", "user|with|\xff|in|roles",
		"user|with||in|roles", "user|with|a|in|", "user|with|a|in|id", "user|with|\n|not|in|roles", "user|with|é|in|roles", "user|with|\u00a0|in|roles",
		"user|in|owners|teams", "user|not|in|owners|teams", "user|in|owner|teams", "user|is|owner", "user|is|not|owner", "user|is|not|anonymous",
		"user|is|anonymous", "resource|is|unowned", "resource|is|not|unowned", "user|is|owner|", "User|is|owner",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Split(line, "|")
		c, err := ParseCondition(words)
		if err != nil {
			return
		}
		again, err := ParseCondition(wordsOf(t, c.String()))
		if err != nil || again != c {
			t.Fatalf("%q reads as %+v, is written %s, and that reads as %+v, %v", words, c, c, again, err)
		}
		if strings.ContainsFunc(c.String(), func(r rune) bool { return r < ' ' || r == '\u2028' || r == '\u0085' }) {
			t.Fatalf("%q is written on more than one line", c)
		}
		if !strings.Contains(line, "\xff") && json.Valid([]byte(strconv.Quote(c.Value))) {
			b, err := json.Marshal(c)
			var back Condition
			if err != nil || json.Unmarshal(b, &back) != nil || back != c {
				t.Fatalf("%+v is %s in JSON", c, b)
			}
		}
	})
}
