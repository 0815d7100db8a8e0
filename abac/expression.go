package abac

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// expressionPrefix marks a pattern that is a regular expression.
const expressionPrefix = "regex:"

// span is how much of a text an expression must match.
type span bool

const (
	whole     span = true
	fromStart span = false
)

// spanOf is the span of an expression in a rule: a permit reads narrowly, a
// forbid widely.
func spanOf(effect Effect, compat Compat) span {
	return span(effect == Permit && compat != CompatOGX)
}

// compileExpression compiles an RE2 expression. Go's engine takes linear time
// in the length of the text, whatever the expression.
func compileExpression(source string, s span) (*regexp.Regexp, error) {
	if source == "" {
		return nil, errors.New("expression is empty")
	}
	if construct := pythonOnly(source); construct != "" {
		return nil, fmt.Errorf("expression %q: %s is known to Python, and not to RE2", source, construct)
	}
	// By itself first: wrapped, `a)|(b` would compile too, and match anything.
	if _, err := regexp.Compile(source); err != nil {
		return nil, fmt.Errorf("expression %q: %w", source, err)
	}
	wrapped := `\A(?:` + source + `)`
	if s == whole {
		wrapped += `\z`
	}
	return regexp.Compile(wrapped)
}

// foldedExpression is the expression from the start of a text in any case.
func foldedExpression(source string) (*regexp.Regexp, error) {
	return regexp.Compile(`(?i)\A(?:` + source + `)`)
}

// matchExpression reports whether the expression matches. `$` of Python, from
// where policies come, also matches before a line feed that ends the text: a
// forbid that ends in it must not be got around with one.
func matchExpression(re *regexp.Regexp, s span, text string) bool {
	if re.MatchString(text) {
		return true
	}
	before, found := strings.CutSuffix(text, "\n")
	return found && s == fromStart && re.MatchString(before)
}

// pythonOnly names the first construct in the expression that Python has and
// RE2 has not, or reads otherwise; empty without any.
func pythonOnly(source string) string {
	inClass := false
	for i := 0; i < len(source); i++ {
		rest := source[i:]
		switch {
		case rest[0] == '\\' && len(rest) > 1:
			if construct := pythonEscape(rest[1], inClass); construct != "" {
				return construct
			}
			i++
		case inClass:
			inClass = rest[0] != ']'
		case rest[0] == '[':
			inClass = true
			// A bracket that comes first is one of the class.
			if after, found := strings.CutPrefix(rest[1:], "^"); found {
				i++
				rest = "[" + after
			}
			if strings.HasPrefix(rest, "[]") {
				i++
			}
		default:
			if construct := pythonGroup(rest); construct != "" {
				return construct
			}
		}
	}
	return ""
}

func pythonEscape(c byte, inClass bool) string {
	switch c {
	case 'Z':
		return `\Z (here: \z)`
	case 'u', 'U', 'N':
		return `\` + string(c) + ` (here: \x{…})`
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if !inClass {
			return "a back-reference"
		}
	}
	return ""
}

func pythonGroup(rest string) string {
	for _, g := range []struct{ prefix, name string }{
		{"(?=", "look-ahead"},
		{"(?!", "look-ahead"},
		{"(?<=", "look-behind"},
		{"(?<!", "look-behind"},
		{"(?P=", "a back-reference"},
		{"(?(", "a conditional group"},
		{"(?#", "a comment"},
		{"(?>", "an atomic group"},
	} {
		if strings.HasPrefix(rest, g.prefix) {
			return g.name
		}
	}
	if flags, found := strings.CutPrefix(rest, "(?"); found {
		if flag := strings.TrimLeft(flags, "imsU-"); flag != "" && strings.IndexByte("aLux", flag[0]) >= 0 {
			return "the flag " + flag[:1]
		}
	}
	if bounds, found := strings.CutPrefix(rest, "{,"); found && strings.HasPrefix(strings.TrimLeft(bounds, "0123456789"), "}") {
		return "a repetition without a least number (here: {0,…})"
	}
	if len(rest) > 1 && rest[1] == '+' && strings.IndexByte("*+?}", rest[0]) >= 0 {
		return "a possessive repetition"
	}
	return ""
}
