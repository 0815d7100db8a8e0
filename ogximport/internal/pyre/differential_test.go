//go:build integration

package pyre

import (
	"errors"
	"flag"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testpython"
)

var (
	expressions = flag.Int("expressions", 20_000, "how many expressions are made up")
	seed        = flag.Uint64("seed", 1, "of the generator")
)

// match returns what Python says of each text; nil if it rejects the expression.
func match(t *testing.T, p *testpython.Python, expression string, texts []string) (answer []bool) {
	t.Helper()
	p.Ask(t, []any{expression, texts}, &answer)
	return answer
}

// Each class, alone and in a class, has exactly the characters that it has to
// Python, and each letter the same ones in any case: over all of Unicode.
func TestClassesHaveThePythonsCharacters(t *testing.T) {
	p := testpython.Start(t, "../../..", "testdata/oracle.py")
	var texts []string
	for c := rune(0); c <= unicode.MaxRune; c++ {
		if c < 0xd800 || c > 0xdfff {
			texts = append(texts, string(c))
		}
	}
	expressions := []string{
		`\w`, `\W`, `\d`, `\D`, `\s`, `\S`, `.`, `(?s).`, `(?a)\w`, `(?a)\W`, `(?a)\d`, `(?a)\D`, `(?a)\s`, `(?a)\S`,
		`[\w-]`, `[^\w-]`, `[\W_]`, `[^\W_]`, `[\d.]`, `[^\D]`, `[\s\S]`, `[^\s\S]`, `(?i)[^\W\d]`, `[[:alpha:]`,
		`(?i)[a-z]`, `(?i)[^a-z]`, `(?i)[à-ÿ]`, `(?ia)[a-z]`, `(?i)[\u0000-\uffff]`, `(?i)[𐐀-𐐧]`, `(?i)[K-T]`, `(?i)[^ſ]`, `\Z|\W`, `\w\b`, `\B\W`, `\W\B`,
	}
	for _, e := range expressions {
		compare(t, p, e, texts)
	}
	t.Logf("%d expressions on %d characters", len(expressions), len(texts))
}

func TestEachLetterIsItselfInAnyCaseAsPythonHasIt(t *testing.T) {
	p := testpython.Start(t, "../../..", "testdata/oracle.py")
	var cased []string
	for c := rune(0); c <= unicode.MaxRune; c++ {
		if unicode.ToLower(c) != c || unicode.ToUpper(c) != c || unicode.SimpleFold(c) != c || unicode.Is(unicode.Other_Lowercase, c) {
			cased = append(cased, string(c))
		}
	}
	for _, c := range cased {
		compare(t, p, "(?i)"+c, cased)
	}
	for _, c := range cased[:200] {
		compare(t, p, "(?ia)"+c, cased)
		compare(t, p, "(?i)["+c+"]", cased)
	}
	t.Logf("%d letters", len(cased))
}

// compare reports what differs, and whether the expression is translated.
func compare(t *testing.T, p *testpython.Python, expression string, texts []string) string {
	t.Helper()
	e, err := Translate(expression)
	want := match(t, p, expression, texts)
	var invalid *InvalidError
	switch {
	case errors.As(err, &invalid) != (want == nil):
		if err != nil && want == nil {
			return "refused"
		}
		t.Errorf("%q: got %v, Python: rejected %t", expression, err, want == nil)
		return "differs"
	case want == nil:
		return "rejected"
	case err != nil:
		return "refused"
	}
	re, err := regexp.Compile(`\A(?:` + e + `)`)
	if err != nil {
		t.Fatalf("%q: %v", expression, err)
	}
	for i, text := range texts {
		if strings.HasSuffix(text, "\n") && strings.Contains(expression, "$") {
			continue // the engine's own, which also tries the text without it
		}
		if got := re.MatchString(text); got != want[i] {
			t.Errorf("%q as %q on %q: got %t, Python %t", expression, e, text, got, want[i])
			return "differs"
		}
	}
	return "translated"
}

func TestMadeUpExpressionsMatchWhatTheyMatchInPython(t *testing.T) {
	p := testpython.Start(t, "../../..", "testdata/oracle.py")
	g := &maker{rand.New(rand.NewPCG(*seed, 0))}
	counts := map[string]int{}
	for range *expressions {
		e := g.expression(3)
		counts[compare(t, p, e, g.texts(e))]++
	}
	t.Logf("%d expressions, 40 texts each: %v", *expressions, counts)
	for _, kind := range []string{"translated", "rejected", "refused"} {
		if counts[kind] == 0 {
			t.Errorf("none was %s", kind)
		}
	}
}

// maker makes up expressions, and texts that have a chance of matching.
type maker struct{ *rand.Rand }

func (g *maker) pick(list ...string) string { return list[g.IntN(len(list))] }

const alphabet = "abkisAKIZ019_-/:. \n{}[]^$\\é٣ßſKİıЯ語\u00a0\x1c"

func (g *maker) char() string {
	list := []rune(alphabet)
	return string(list[g.IntN(len(list))])
}

func (g *maker) expression(depth int) string {
	var b strings.Builder
	if depth == 3 && g.IntN(6) == 0 {
		b.WriteString(g.pick("(?i)", "(?a)", "(?s)", "(?m)", "(?x)", "(?ia)", "(?u)", "(?L)"))
	}
	for range 1 + g.IntN(4) {
		b.WriteString(g.part(depth))
		if g.IntN(3) == 0 {
			b.WriteString(g.pick("*", "+", "?", "*?", "+?", "??", "{2}", "{,2}", "{1,}", "{,}", "{1,3}?", "{}", "{a}", "{2", "{3,1}", "*+", "{2}{3}"))
		}
	}
	return b.String()
}

func (g *maker) part(depth int) string {
	switch n := g.IntN(20); {
	case n < 7:
		return strings.NewReplacer("\n", `\n`, "{", `\{`, "}", "}", "[", `\[`, "]", "]", "^", `\^`, "$", `\$`, `\`, `\\`).Replace(g.char())
	case n < 9:
		return g.pick(`\w`, `\W`, `\d`, `\D`, `\s`, `\S`, ".", "model", "llama", "/v1/")
	case n < 12:
		return g.class()
	case n < 14:
		return g.pick("^", "$", `\A`, `\Z`, `\b`, `\B`, `\b`)
	case n < 15:
		return g.pick(`\x41`, `\u00e9`, `\U0001F600`, `\101`, `\0`, `\07`, `\1`, `\z`, `\Q`, `\pL`, `\C`, `\E`, `\N{DIGIT ONE}`, `\_`, `\-`, `\400`, `\x4`, `\é`)
	case depth == 0:
		return g.char()
	case n < 17:
		return "(" + g.expression(depth-1) + ")"
	case n < 19:
		return "(?:" + g.expression(depth-1) + "|" + g.expression(depth-1) + ")"
	}
	return g.pick("(?P<n>", "(?<n>", "(?=", "(?!", "(?<=", "(?i:", "(?-i:", "(?s-i:", "(?a:", "(?>", "(?#", "(?x: ", "(?m:", "(?i)", "(?P=n)(", "(?i-i:") + g.expression(depth-1) + ")"
}

func (g *maker) class() string {
	var b strings.Builder
	b.WriteString(g.pick("[", "[", "[^", "[]", "[^]"))
	for range g.IntN(4) {
		b.WriteString(g.pick(`\w`, `\W`, `\d`, `\s`, `\S`, `\b`, "a-c", "i-k", "Z-A", "[:alpha:]", `\]`, "-", "&&", `\x41-\x5a`, "é-ü", `\d-z`, g.char(), g.char()))
	}
	return b.String() + "]"
}

// texts returns texts, some of them made of the expression's own letters.
func (g *maker) texts(e string) []string {
	own := []rune(strings.NewReplacer(`\`, "", "(", "", ")", "", "?", "", "*", "", "+", "", "|", "").Replace(e) + "ak/é")
	var texts []string
	for i := range 40 {
		var b strings.Builder
		for range 1 + g.IntN(5) { // of the empty text, which no path and no name is, Python has its own view
			if i%2 == 0 {
				b.WriteRune(own[g.IntN(len(own))])
			} else {
				b.WriteString(g.char())
			}
		}
		texts = append(texts, b.String())
	}
	return texts
}
