package pyre

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

// What Python and RE2 read alike stays as it is; what they read otherwise is
// written anew.
func TestAnExpressionIsWrittenAsRE2ReadsIt(t *testing.T) {
	for source, want := range map[string]string{
		`^/v1/(files|providers)(/.*)?$`: `^/v1/(?:files|providers)(?:/.*)?$`,
		`model::(llama|mistral)-.*`:     `model::(?:llama|mistral)-.*`,
		`a+?b*?c??`:                     `a+b*c?`,
		`\d+`:                           `\p{Nd}+`,
		`\D`:                            `\P{Nd}`,
		`\w`:                            `[\p{L}\p{N}_]`,
		`\W`:                            `[^\p{L}\p{N}_]`,
		`[^\w-]`:                        `[^\p{L}\p{N}_\-]`,
		`(?a)\w\b`:                      `[0-9A-Z_a-z]\b`,
		`a{,3}`:                         `a{0,3}`,
		`a{,}`:                          `a*`,
		`a{2}`:                          `a{2}`,
		`{}`:                            `\x7b\x7d`,
		`x{a}`:                          `x\x7ba\x7d`,
		`a\Z`:                           `a\z`,
		`\A/a`:                          `^/a`,
		`(?P<name>a)`:                   `a`,
		`(?m)^a$`:                       `(?m:^)a(?m:$)`,
		`(?s).`:                         `(?s:.)`,
		`(?x) a b # c`:                  `ab`,
		`a(?#b)c`:                       `ac`,
		`\x41\u0042\U00000043\104\0`:    `ABCD\x00`,
		`(?i)llama-k`:                   `(?i:llama)-[Kk\x{212A}]`,
		`(?i)i`:                         `[Iiİı]`,
		`[[:alpha:]]`:                   `[:\[ahlp]\]`,
		`[]a]`:                          `[\]a]`,
		`[^\s\S]`:                       `[^\x00-\x{10FFFF}]`,
		`/admin\b`:                      `/admin(?:[^\p{L}\p{N}_]|\z)`,
		`/admin\b.*`:                    `/admin(?:[^\p{L}\p{N}_]|\z)`,
		`/admin\b/x`:                    `/admin/x`,
		`/\badmin`:                      `/admin`,
		`/a\bb`:                         `/a[^\x00-\x{10FFFF}]b`,
		`/[a-z/]\b[a-z/]`:               `/[/a-z]\b[/a-z]`,
		`/-\B`:                          `/-(?:[^\p{L}\p{N}_]|\z)`,
		"a`b":                           `a\x60b`,
	} {
		got, err := Translate(source)
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", source, got, err, want)
		}
	}
}

func TestWhatPythonRejectsIsRejected(t *testing.T) {
	for _, source := range []string{
		`(`, `)`, `a)`, `[`, `[]`, `[^]`, `[z-a]`, `[a-\d]`, `**`, `a**`, `a{2}{3}`, `^*`, `\b+`, `*a`, `a{3,1}`, `\`, `[\`, `[a-`,
		`\z`, `\pL`, `\C`, `\Q`, `\E`, `\x4`, `\u123`, `\U00110000`, `\400`, `[\400]`, `\1`, `(a)\2`, `\8`, `[\8]`, `\N`, `\N{}`, `[\q]`,
		`(?<n>a)`, `(?P`, `(?P<`, `(?P<1>a)`, `(?P<n>a)(?P<n>b)`, `(?P=n)`, `(?Px)`, `(?`, `(?#`, `(?y)`, `(?L)a`, `(?au)a`, `a(?i)`,
		`(?i`, `(?i-`, `(?i-a:b)`, `(?i-i:b)`, `(?-:a)`, `(?i-s)`, `(?()a)`, `|(?i)a`, `(?:`, `(?=a`,
	} {
		var invalid *InvalidError
		if got, err := Translate(source); !errors.As(err, &invalid) {
			t.Errorf("%q: got %q, %v", source, got, err)
		}
	}
}

// What only Python has is refused by its name, and never written as something
// that looks like it.
func TestWhatRE2CannotHaveIsRefused(t *testing.T) {
	for source, want := range map[string]string{
		`(?=a)`:                        "look-ahead",
		`(?!a)b`:                       "look-ahead",
		`(?<=a)b`:                      "look-behind",
		`(?<!a)b`:                      "look-behind",
		`(a)\1`:                        "back-reference",
		`(?P<n>a)(?P=n)`:               "back-reference",
		`(a)?(?(1)b|c)`:                "conditional",
		`(?>a)`:                        "atomic",
		`a*+`:                          "possessive",
		`a{1,2}+`:                      "possessive",
		`a{1001}`:                      "more than 1000",
		`(a{999}){999}`:                "RE2",
		`\N{DIGIT ONE}`:                `\N`,
		`[\N{DIGIT ONE}]`:              `\N`,
		`a$b`:                          "$ that is not at the end",
		`(?:a$|b)c`:                    "$ that is not at the end",
		`.\b.`:                         `\b`,
		`\w\B.c`:                       `\b or \B`,
		strings.Repeat(`(`, 201) + `a`: "too deeply",
		strings.Repeat(`a`, 4097):      "more than 4096",
	} {
		var unsupported *UnsupportedError
		if got, err := Translate(source); !errors.As(err, &unsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: got %q, %v", source, got, err)
		}
	}
}

// Whatever is written compiles, also behind what the engine puts in front, has
// no brace that a Caddyfile could take for a placeholder, and nothing that the
// engine takes for Python's.
func FuzzTranslate(f *testing.F) {
	for _, seed := range []string{`^/v1/(a|b)\b.*$`, `(?i)[^\w-]{,3}`, `[[:alpha:]]`, `(?x) a # b`, `\x41\101\u00e9`, `(?P<n>a)`, `a{`, `(?!a)`} {
		f.Add(seed)
	}
	brace := regexp.MustCompile(`\{(?:[0-9]+(?:,[0-9]*)?|[0-9A-F]+|L|N|Nd)\}`)
	f.Fuzz(func(t *testing.T, source string) {
		text, err := Translate(source)
		if err != nil {
			var invalid *InvalidError
			var unsupported *UnsupportedError
			if !errors.As(err, &invalid) && !errors.As(err, &unsupported) {
				t.Errorf("%T %v", err, err)
			}
			return
		}
		if _, err := regexp.Compile(`(?i)\A(?:` + text + `)`); err != nil {
			t.Error(err)
		}
		if rest := brace.ReplaceAllString(text, ""); strings.ContainsAny(rest, "{}`\n") {
			t.Errorf("%q has a brace, a backquote or a line feed", text)
		}
	})
}
