//go:build integration

package differential

import (
	"regexp"
	"strings"
)

// expression is a regular expression of a rule, and what RE2 means by it, in
// the words of Python; nil where RE2 does not know it.
type expression struct {
	Source  string  `json:"source"`
	Meaning *string `json:"meaning"`
}

// pieces is an expression in the making, in both ways.
type pieces struct{ source, meaning strings.Builder }

func (p *pieces) add(source, meaning string) {
	p.source.WriteString(source)
	p.meaning.WriteString(meaning)
}

func (p *pieces) expression() expression {
	meaning := p.meaning.String()
	return expression{p.source.String(), &meaning}
}

// These the two engines read otherwise: for one they are of all scripts, for
// the other of ASCII.
var classes = map[string]string{
	`\w`: `[0-9A-Za-z_]`, `\W`: `[^0-9A-Za-z_]`, `\d`: `[0-9]`, `\D`: `[^0-9]`,
	`\s`: `[\t\n\f\r ]`, `\S`: `[^\t\n\f\r ]`, `[\w.-]`: `[0-9A-Za-z_.-]`, `[^\w]`: `[^0-9A-Za-z_]`,
}

var (
	classNames = []string{`\w`, `\w`, `\w`, `\W`, `\d`, `\D`, `\s`, `\S`, `[\w.-]`, `[^\w]`}
	sharedSets = []string{".", ".", "[a-z]", "[^a-z]", "[^A-Z]", "[^A-Z]", "[^/]", "[a-zA-Z0-9._-]", "[^:]", "[ä-ö]", "[]a]", "[^]a]", `(?:.|\n)`, `[\x00-\x7f]`}
	repeats    = []string{"*", "+", "?", "{1,3}", "{2}", "{0,}", "*?", "+?", "??", "{1,40}?"}
)

// Expression makes an expression that has to do with the text: it is written
// from the text, character by character, more and more loosely.
func (d Draw) Expression(text string) expression {
	switch {
	case d.Chance(1):
		return d.refusedByBoth(text)
	case d.Chance(1):
		return d.unknownToRE2(text)
	case d.Chance(3):
		return d.unknownToPython(text)
	}
	var p pieces
	if d.Chance(8) {
		flag := One(d, []string{"(?i)", "(?i)", "(?s)", "(?m)", "(?is)"})
		p.add(flag, flag)
	}
	if d.Chance(40) {
		anchor := One(d, []string{"^", "^", "^", `\A`})
		p.add(anchor, anchor)
	}
	if d.Chance(15) {
		d.alternatives(&p, text)
	} else {
		d.branch(&p, text)
	}
	if p.source.Len() == 0 {
		p.add(".", ".") // an empty one we refuse, see TestWhatWeRefuseToLoad
	}
	return p.expression()
}

// alternatives makes some, of which an anchor may bind the first or last alone.
func (d Draw) alternatives(p *pieces, text string) {
	for i := range d.Between(2, 3) {
		if i > 0 {
			p.add("|", "|")
		}
		d.branch(p, text[:cut(text, d.Between(0, len(text)))])
	}
}

// cut returns the end of the character at i.
func cut(text string, i int) int {
	for i < len(text) && text[i]&0xc0 == 0x80 {
		i++
	}
	return i
}

func (d Draw) branch(p *pieces, text string) {
	characters := []rune(text)
	end := len(characters)
	if d.Chance(50) {
		end = d.Between(0, end)
	}
	for i := 0; i < end; i++ {
		switch c := string(characters[i]); {
		case d.Chance(3):
			class := One(d, classNames)
			p.add(class, classes[class])
			d.repeat(p)
		case d.Chance(3):
			set := One(d, sharedSets)
			p.add(set, set)
			d.repeat(p)
		case d.Chance(2):
			n := min(end, i+d.Between(1, 5))
			d.group(p, string(characters[i:n]))
			i = n - 1
		case d.Chance(1):
			p.add(`\b`+regexp.QuoteMeta(c), `(?a:\b)`+regexp.QuoteMeta(c))
		case d.Chance(1):
			p.add("[[:alpha:]]", "[A-Za-z]")
		default:
			p.add(regexp.QuoteMeta(c), regexp.QuoteMeta(c))
		}
	}
	if end < len(characters) && d.Chance(40) {
		rest := One(d, []string{".*", ".+", "[^/]*", "[^A-Z]+", "[^A-Z]+", `\w*`, `\w+`, `[\w.-]*`})
		if class, repeat := rest[:len(rest)-1], rest[len(rest)-1:]; classes[class] != "" {
			p.add(rest, classes[class]+repeat)
		} else {
			p.add(rest, rest)
		}
	}
	if d.Chance(30) {
		p.add("$", "$")
	}
}

func (d Draw) repeat(p *pieces) {
	if d.Chance(60) {
		repeat := One(d, repeats)
		p.add(repeat, repeat)
	}
}

func (d Draw) group(p *pieces, text string) {
	open := One(d, []string{"(", "(?:", "(?P<part>", "(?i:"})
	if open == "(?P<part>" && strings.Contains(p.source.String(), "<part>") {
		open = "("
	}
	quoted := regexp.QuoteMeta(text)
	other := regexp.QuoteMeta(One(d, values))
	inner := One(d, []string{quoted, quoted + "|" + other, other + "|" + quoted, quoted + "|"})
	p.add(open+inner+")", open+inner+")")
	d.repeat(p)
}

// refusedByBoth is none for either engine.
func (d Draw) refusedByBoth(text string) expression {
	quoted := regexp.QuoteMeta(text)
	return expression{Source: One(d, []string{
		quoted + "(", quoted + ")", "^" + quoted + "[a", "*" + quoted, quoted + "{2,1}", "(?P<n" + quoted, quoted + `\`, quoted + "**", "(?P<>" + quoted + ")",
	})}
}

// unknownToRE2 is what Python alone has, or RE2 reads as something else.
func (d Draw) unknownToRE2(text string) expression {
	quoted := regexp.QuoteMeta(text)
	return expression{Source: One(d, []string{
		"(?=" + quoted + ")", "(?!x)" + quoted, "(?<!x)" + quoted, quoted + `\Z`, "(?#why)" + quoted, quoted + "{,3}",
		`(/|.)` + `.*\1`, "(?P<n>.)(?P=n)?" + quoted, "(?>" + quoted + ")", ".*+" + quoted + "?", `\u002f.*`, "(?x)" + quoted, quoted + ".{0,1001}",
	})}
}

// unknownToPython is what RE2 alone has.
func (d Draw) unknownToPython(text string) expression {
	quoted := regexp.QuoteMeta(text)
	pairs := [][2]string{
		{quoted + `\z`, quoted + `\Z`},
		{"(?<n>" + quoted + ")", "(?P<n>" + quoted + ")"},
		{"(?P<n>.)(?P<n>.)" + quoted + "?", ".." + quoted + "?"},
		{`\Q` + text + `\E`, quoted},
		{quoted + `\p{Nd}*`, quoted + `\d*`},
		{`.(?i)` + quoted + ".*", `.(?i:` + quoted + ".*)"},
	}
	if strings.Contains(text, `\E`) {
		pairs = pairs[:3]
	}
	pair := One(d, pairs)
	return expression{pair[0], &pair[1]}
}

// reading is how an expression is read where a rule applies it.
type reading struct {
	re2   bool // as RE2 means it
	whole bool // all of the text; otherwise from its start
	fold  bool // in any case, too
}

// Bits of what the oracle says of an expression.
const (
	matchesStart = 1 << iota
	matchesWhole
	matchesAnyCase
	matchesLowerCase
	asRE2Means    = 4 // how much higher the same of what RE2 means is
	pythonRefuses = 256
)

// holds reports whether the oracle found that the expression, read so, matches.
func (r reading) holds(e expression, found int) bool {
	if r.re2 && e.Meaning != nil {
		found >>= asRE2Means
	}
	if r.whole {
		return found&matchesWhole != 0
	}
	return found&matchesStart != 0 || r.fold && found&(matchesAnyCase|matchesLowerCase) != 0
}
