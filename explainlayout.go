package stackauth

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// lineWidth is that of a terminal that nobody has made wider.
const lineWidth = 100

// linesOf breaks a text at its blanks into lines of a width, which only a single
// word is longer than.
func linesOf(text string, width int) []string {
	var lines []string
	var line strings.Builder
	left := width
	for i, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case n+1 > left:
			lines = append(lines, line.String())
			line.Reset()
			left = width
		default:
			line.WriteByte(' ')
			left--
		}
		line.WriteString(word)
		left -= n
	}
	return append(lines, line.String())
}

// margin is where the values of fields begin, at most.
const margin = len("  ") + fieldWidth + len("  ")

const fieldWidth = 10

func fits(value string) bool { return margin+utf8.RuneCountInString(value) <= lineWidth }

// field writes a name and its value, which goes on below itself if it is long.
func field(b *strings.Builder, indent, name, value string) {
	for _, line := range linesOf(value, lineWidth-margin) {
		fmt.Fprintf(b, "%s%-*s  %s\n", indent, fieldWidth, name, line)
		name = ""
	}
}

// label is what a rule is called that has no description.
func (r *routeRuleReport) label() string { return fmt.Sprintf("%s %d", r.Effect, r.Number) }

func (r *resourceRuleReport) label() string { return fmt.Sprintf("%s %d", r.Effect, r.Number) }

// called is the label of a rule with its description.
func called(label, description string) string {
	if description == "" {
		return label
	}
	return label + " " + inQuotes(description)
}

func inQuotes(description string) string { return "“" + plain(description) + "”" }

// named shows a description with what the rule is about.
func named(description, scope string) string {
	if description == "" {
		return plain(scope)
	}
	return inQuotes(description) + " " + plain(scope)
}

// writeRule writes a rule in one line, or, where that would be too long, why it
// did not apply in a line of its own, and what it is about, too.
func writeRule(b *strings.Builder, label, description, scope, why string) {
	what := named(description, scope)
	switch {
	case fits(what + ": " + why):
		field(b, "  ", label, what+": "+why)
		return
	case fits(what), description == "":
		field(b, "  ", label, what)
	default:
		field(b, "  ", label, inQuotes(description))
		field(b, "  ", "", plain(scope))
	}
	field(b, "  ", "", why)
}
