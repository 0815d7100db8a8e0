package abac

import "strings"

// pythonOnly names the first construct in the expression that Python has and
// RE2 has not, or reads otherwise, with what to write instead; empty without
// any. What RE2 alone has is left to its compiler.
func pythonOnly(source string) string {
	inClass := false
	for i := 0; i < len(source); i++ {
		rest := source[i:]
		switch {
		case rest[0] == '\\' && len(rest) > 1:
			if rest[1] == 'Q' && !inClass {
				literal, _, _ := strings.Cut(rest, `\E`)
				i += len(literal) - 1 // \E is read as an escape
				continue
			}
			if construct := pythonEscape(rest[1:], inClass); construct != "" {
				return construct
			}
			i++
		case inClass && strings.HasPrefix(rest, "[:"):
			if name, _, found := strings.Cut(rest, ":]"); found {
				i += len(name) + 1
			}
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
		case rest[0] == '(':
			if construct := pythonGroup(rest); construct != "" {
				return construct
			}
		default:
			if construct := pythonRepetition(rest); construct != "" {
				return construct
			}
		}
	}
	return ""
}

// pythonEscape looks at what comes after a backslash.
func pythonEscape(rest string, inClass bool) string {
	switch c := rest[0]; {
	case c == 'Z':
		return `\Z (here: \z)`
	case c == 'u' || c == 'U' || c == 'N':
		return `\` + rest[:1] + ` (here: \x{…})`
	case c == 'b' && inClass:
		return `\b in brackets (here: \x08)`
	case '1' <= c && c <= '9' && !inClass && !isOctal(rest):
		// RE2 takes \12 for a line feed.
		return "a back-reference (here: write out what it can be)"
	}
	return ""
}

// isOctal reports whether the text begins with three octal digits, which both
// take for a character.
func isOctal(rest string) bool {
	return len(rest) >= 3 && strings.Trim(rest[:3], "01234567") == ""
}

// pythonGroups are what a group of Python can begin with and one of RE2 cannot.
var pythonGroups = []struct{ prefix, name string }{
	{"(?=", "look-ahead (here: a rule of its own before this one)"},
	{"(?!", "look-ahead (here: a rule of its own before this one)"},
	{"(?<=", "look-behind (here: a rule of its own before this one)"},
	{"(?<!", "look-behind (here: a rule of its own before this one)"},
	{"(?P=", "a back-reference (here: write out what it can be)"},
	{"(?(", "a conditional group (here: both cases, with | between)"},
	{"(?#", "a comment (here: the description of the rule)"},
	{"(?>", "an atomic group (here: (?:…))"},
}

func pythonGroup(rest string) string {
	for _, g := range pythonGroups {
		if strings.HasPrefix(rest, g.prefix) {
			return g.name
		}
	}
	flags, found := strings.CutPrefix(rest, "(?")
	if !found {
		return ""
	}
	switch flag := strings.TrimLeft(flags, "imsU-"); {
	case flag == "":
	case flag[0] == 'a':
		return `the flag a (here: none, \w \d \s are always of ASCII)`
	case flag[0] == 'L' || flag[0] == 'u':
		return "the flag " + flag[:1] + " (here: none)"
	case flag[0] == 'x':
		return "the flag x (here: without blanks and comments)"
	}
	return ""
}

func pythonRepetition(rest string) string {
	if bounds, found := strings.CutPrefix(rest, "{,"); found && strings.HasPrefix(strings.TrimLeft(bounds, "0123456789"), "}") {
		return "a repetition without a least number (here: {0,…})" // RE2 takes it for itself
	}
	if len(rest) > 1 && rest[1] == '+' && strings.IndexByte("*+?", rest[0]) >= 0 || isPossessive(rest) {
		return "a possessive repetition (here: without its last +)"
	}
	return ""
}

// isPossessive reports whether the text begins as {1,2}+ does.
func isPossessive(rest string) bool {
	bounds, found := strings.CutPrefix(rest, "{")
	if !found {
		return false
	}
	after := strings.TrimLeft(bounds, "0123456789,")
	return len(after) < len(bounds) && strings.HasPrefix(after, "}+")
}
