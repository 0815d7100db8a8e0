package ogximport

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// kind is what a scalar is to PyYAML, which OGX reads its files with. It knows
// YAML 1.1: an unquoted yes is true there, and not a text.
type kind uint8

const (
	kindText kind = iota
	kindNull
	kindBool
	kindNumber
	kindOther // a date, bytes
)

var (
	nullForm = regexp.MustCompile(`^(?:~|null|Null|NULL|)$`)
	boolForm = regexp.MustCompile(`^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$`)
	intForm  = regexp.MustCompile(`^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$`)
	fltForm  = regexp.MustCompile(`^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|` +
		`[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
	dateForm = regexp.MustCompile(`^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9].*)?$`)
)

func scalarKind(n *yaml.Node) kind {
	if n.Kind != yaml.ScalarNode {
		return kindOther
	}
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 && n.Style&yaml.TaggedStyle == 0 {
		return kindText
	}
	if n.Style&yaml.TaggedStyle != 0 {
		switch n.Tag {
		case "!!str":
			return kindText
		case "!!null":
			return kindNull
		case "!!bool":
			return kindBool
		case "!!int", "!!float":
			return kindNumber
		}
		return kindOther
	}
	switch text := n.Value; {
	case nullForm.MatchString(text):
		return kindNull
	case boolForm.MatchString(text):
		return kindBool
	case intForm.MatchString(text), fltForm.MatchString(text):
		return kindNumber
	case dateForm.MatchString(text), text == "=":
		return kindOther
	}
	return kindText
}

// text returns the text that a value is. Anything else is refused, as OGX does.
func (im *importer) text(v value) (string, bool) {
	n := v.target()
	if n.Kind != yaml.ScalarNode || scalarKind(n) != kindText {
		im.refuse(v, "expected a text (in quotes, if it looks like something else): OGX does not load the file otherwise")
		return "", false
	}
	return n.Value, true
}

// known returns the text that a value is, with its variables filled in; it must
// be known now, for it is looked into.
func (im *importer) known(v value) (string, bool) {
	text, ok := im.text(v)
	if !ok {
		return "", false
	}
	parts := parseVariables(text)
	if !hasVariables(parts) {
		return text, im.checkLiteral(v, text)
	}
	filled, ok := im.fill(v, parts)
	if !ok {
		return "", false
	}
	if filled == "" || convertsTo(filled) != kindText {
		im.refuse(v, "its variables give no text, and OGX does not load the file")
		return "", false
	}
	return filled, true
}

// flag returns a boolean, as pydantic reads one; the second is false if it
// cannot be told.
func (im *importer) flag(v value) (on, ok bool) {
	n := v.target()
	text := n.Value
	if n.Kind == yaml.ScalarNode && scalarKind(n) == kindText {
		if parts := parseVariables(text); hasVariables(parts) {
			filled, ok := im.fill(v, parts)
			if !ok {
				return false, false
			}
			text = filled
		}
	}
	switch strings.ToLower(text) {
	case "true", "1", "yes", "on", "t", "y":
		return true, n.Kind == yaml.ScalarNode
	case "false", "0", "no", "off", "f", "n":
		return false, n.Kind == yaml.ScalarNode
	}
	im.refuse(v, "expected true or false")
	return false, false
}

// seconds returns a whole number of seconds that is not negative.
func (im *importer) seconds(v value) (string, bool) {
	n := v.target()
	if n.Kind == yaml.ScalarNode && scalarKind(n) == kindText {
		if parts := parseVariables(n.Value); hasVariables(parts) && len(parts) == 1 {
			token, present, ok := im.placeholder(v, parts, "")
			if ok && present && strings.HasPrefix(token, "{$") {
				return token, true
			}
			im.refuse(v, "expected a number of seconds, or a variable with a default that is one")
			return "", false
		}
	}
	number, err := strconv.ParseUint(n.Value, 10, 31)
	if n.Kind != yaml.ScalarNode || err != nil || number == 0 {
		im.refuse(v, "expected a whole number of seconds, more than zero")
		return "", false
	}
	return strconv.FormatUint(number, 10), true
}
