package policylint

import (
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// sample is a text that an expression is likely to match. Invented: some of it is
// a choice among many characters.
type sample struct {
	text     string
	invented bool
}

// mostSamples is how many texts are made up for an expression: alternatives
// multiply.
const mostSamples = 32

// samplesOf returns texts for parts in a row, for each alternative one.
func samplesOf(row []*syntax.Regexp) []sample {
	all := []sample{{}}
	for _, part := range row {
		var longer []sample
		for _, begin := range all {
			for _, s := range samplesOfPart(part) {
				if len(longer) < mostSamples {
					longer = append(longer, sample{begin.text + s.text, begin.invented || s.invented})
				}
			}
		}
		all = longer
	}
	return all
}

func samplesOfPart(re *syntax.Regexp) []sample {
	switch re.Op {
	case syntax.OpNoMatch:
		return nil
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return []sample{{text: strings.ToLower(string(re.Rune))}}
		}
		return []sample{{text: string(re.Rune)}}
	case syntax.OpCharClass:
		if len(re.Rune) == 0 {
			return nil
		}
		return []sample{{string(ofClass(re.Rune)), true}}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return []sample{{"x", true}}
	case syntax.OpCapture, syntax.OpPlus:
		return samplesOfPart(re.Sub[0])
	case syntax.OpStar, syntax.OpQuest:
		return append([]sample{{}}, samplesOfPart(re.Sub[0])...)
	case syntax.OpRepeat:
		if re.Min == 0 {
			return append([]sample{{}}, samplesOfPart(re.Sub[0])...)
		}
		repeated := samplesOfPart(re.Sub[0])
		for i, s := range repeated {
			repeated[i].text = strings.Repeat(s.text, re.Min)
		}
		return repeated
	case syntax.OpConcat:
		return samplesOf(re.Sub)
	case syntax.OpAlternate:
		var all []sample
		for _, sub := range re.Sub {
			all = append(all, samplesOfPart(sub)...)
		}
		return all[:min(len(all), mostSamples)]
	default: // anchors and word boundaries
		return []sample{{}}
	}
}

// ofClass returns a character of the class: a letter or a digit if it has one of
// those that paths often have.
func ofClass(ranges []rune) rune {
	for _, c := range "xadv1" {
		for i := 0; i+1 < len(ranges); i += 2 {
			if ranges[i] <= c && c <= ranges[i+1] {
				return c
			}
		}
	}
	return ranges[0]
}

// examples returns paths that the pattern matches, of each alternative of an
// expression one; none if none are known.
func (p *pathPattern) examples() []string {
	begins := []sample{{text: p.set.text}}
	if !p.ok {
		begins = samplesOf(p.expression.parts)
	}
	var paths []string
	for _, begin := range begins {
		for _, tail := range []string{"", "x"} {
			path := begin.text + tail
			if canonical, err := abac.CanonicalPath(path); err != nil || canonical != path || path == "/" || !p.matches(path) {
				continue
			}
			if !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
			break
		}
	}
	return paths
}
