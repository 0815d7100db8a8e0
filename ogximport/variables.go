package ogximport

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// part is a piece of a text: literal, or a variable of the environment.
type part struct {
	literal string

	name string // of the variable; empty: literal
	op   byte   // '=' with a default, '+' with what stands for one that is set, 0 for neither
	word string
}

// variable is ${env.NAME}, ${env.NAME:=default} or ${env.NAME:+text}. What OGX
// does not take for one, such as ${env.name} or ${env.NAME:-x}, stays as it is
// there.
var variable = regexp.MustCompile(`\$\{env\.([A-Z0-9_]+)(?::([=+])([^}]*))?\}`)

func parseVariables(text string) []part {
	var parts []part
	for text != "" {
		at := variable.FindStringSubmatchIndex(text)
		if at == nil {
			return append(parts, part{literal: text})
		}
		if at[0] > 0 {
			parts = append(parts, part{literal: text[:at[0]]})
		}
		p := part{name: text[at[2]:at[3]]}
		if at[4] >= 0 {
			p.op, p.word = text[at[4]], text[at[6]:at[7]]
		}
		parts = append(parts, p)
		text = text[at[1]:]
	}
	return parts
}

func hasVariables(parts []part) bool {
	for _, p := range parts {
		if p.name != "" {
			return true
		}
	}
	return false
}

// checkLiteral refuses what only looks like a variable.
func (im *importer) checkLiteral(v value, text string) bool {
	if strings.Contains(text, "${") {
		im.refuse(v, "has a ${ that OGX does not replace: its names have capitals, digits and _, and := or :+ behind them")
		return false
	}
	return true
}

// fill puts in what the environment has, as OGX does.
func (im *importer) fill(v value, parts []part) (string, bool) {
	var b strings.Builder
	for _, p := range parts {
		if p.name == "" {
			b.WriteString(p.literal)
			continue
		}
		if im.options.Env == nil {
			im.refuse(v, "depends on the variable %s: it has to be known here, name a file with it (--envfile)", p.name)
			return "", false
		}
		have, _ := im.options.Env(p.name)
		text := have
		switch {
		case p.op == '=' && have == "":
			text = p.word
		case p.op == '+' && have != "":
			text = p.word
		case p.op == 0 && have == "":
			im.refuse(v, "the variable %s is not set, and OGX does not start without it", p.name)
			return "", false
		}
		if strings.HasPrefix(text, "~") {
			im.refuse(v, "the variable %s gives a path of a home folder, which OGX looks up where it runs", p.name)
			return "", false
		}
		b.WriteString(text)
	}
	return b.String(), true
}

// convertsTo returns what OGX makes of a text in which it has replaced
// something: it may be no text any more.
func convertsTo(text string) kind {
	trimmed := strings.TrimSpace(text)
	switch lower := strings.ToLower(text); {
	case text == "":
		return kindNull
	case lower == "true" || lower == "false":
		return kindBool
	}
	// Python reads the digits of every script.
	bare := strings.Map(func(c rune) rune {
		switch {
		case c == '_':
			return -1
		case unicode.IsDigit(c):
			return '0'
		}
		return c
	}, trimmed)
	if _, err := strconv.ParseFloat(bare, 64); err == nil && !strings.ContainsAny(bare, "xXpP") {
		return kindNumber
	}
	return kindText
}

// placeholder returns the token of a text with variables for an option that is
// looked up when the configuration is loaded; present is false if OGX takes the
// key for absent. With the name of a secret no default is written.
func (im *importer) placeholder(v value, parts []part, secret string) (token string, present, ok bool) {
	if im.options.Env != nil && secret == "" && slices.ContainsFunc(parts, func(p part) bool { return p.op == '+' }) {
		return im.filled(v, parts)
	}
	var b strings.Builder
	for _, p := range parts {
		switch {
		case p.name == "":
			if !im.checkLiteral(v, p.literal) {
				return "", false, false
			}
			if strings.Trim(p.literal, bareCharacters) != "" {
				im.refuse(v, "has characters beside a variable that a Caddyfile does not take there")
				return "", false, false
			}
			b.WriteString(p.literal)
		case p.op == '+' && p.word == "": // always empty
			im.note(v, "${env.%s:+} is always empty in OGX, whatever the variable says (:= was meant?)", p.name)
		case p.op == '+':
			im.refuse(v, "is there only if the variable %s is set: name a file that says (--envfile)", p.name)
			return "", false, false
		case p.op == '=' && p.word != "":
			text, ok := im.withDefault(v, p, secret)
			if !ok {
				return "", false, false
			}
			b.WriteString(text)
		default:
			if p.op == '=' {
				im.note(v, "may be empty in OGX; here the variable %s has to be set (or take the line out)", p.name)
			}
			b.WriteString("{env." + p.name + "}")
		}
	}
	return b.String(), b.Len() > 0, true
}

func (im *importer) filled(v value, parts []part) (token string, present, ok bool) {
	text, ok := im.fill(v, parts)
	if !ok || text == "" {
		return "", false, ok
	}
	token, err := quote(text)
	if err != nil {
		im.refuse(v, "%v", err)
		return "", false, false
	}
	return token, true, true
}

// withDefault returns {$NAME:default}, which Caddy replaces when it reads the
// file.
func (im *importer) withDefault(v value, p part, secret string) (string, bool) {
	if secret != "" {
		im.keep(p.word)
		im.note(v, "has a default that is a secret, which is not copied: set the variable %s", p.name)
		return "{env." + p.name + "}", true
	}
	if strings.HasPrefix(p.word, "~") || strings.Trim(p.word, bareCharacters+"#?&") != "" {
		im.refuse(v, "the default of the variable %s has characters that a Caddyfile does not take there", p.name)
		return "", false
	}
	return "{$" + p.name + ":" + p.word + "}", true
}

// keep remembers a secret that must not show.
func (im *importer) keep(secret string) { im.secrets = append(im.secrets, secret) }
