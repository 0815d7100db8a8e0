package ogximport

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// writer writes lines of a Caddyfile, as `caddy fmt` has them.
type writer struct {
	b      strings.Builder
	indent int
}

func (w *writer) line(tokens ...string) {
	w.b.WriteString(strings.Repeat("\t", w.indent) + strings.Join(tokens, " ") + "\n")
}

func (w *writer) open(tokens ...string) {
	w.line(append(tokens, "{")...)
	w.indent++
}

// close ends a block. One with nothing in it is none.
func (w *writer) close() {
	w.indent--
	if before, empty := strings.CutSuffix(w.b.String(), " {\n"); empty {
		w.b.Reset()
		w.b.WriteString(before + "\n")
		return
	}
	w.line("}")
}

// comment writes a comment. Caddy replaces {$…} in comments, too.
func (w *writer) comment(text string) {
	w.line("# " + strings.ReplaceAll(oneLine(text), "{$", "{ $"))
}

// add writes lines of another writer, further in.
func (w *writer) add(lines string) {
	for line := range strings.Lines(lines) {
		if line == "\n" {
			w.b.WriteString(line)
			continue
		}
		w.b.WriteString(strings.Repeat("\t", w.indent) + line)
	}
}

func (w *writer) String() string { return w.b.String() }

// bareCharacters can stand in a token without quotes wherever they stand.
const bareCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:*+,=@%~"

// quote returns a text as a token of a Caddyfile that is read as exactly that
// text. Braces are refused, in quotes too: Caddy replaces {$…} before it looks
// at quotes, and {path} and its like behind them.
func quote(text string) (string, error) {
	if strings.ContainsAny(text, "{}") {
		return "", fmt.Errorf("has a brace, which a Caddyfile takes for a placeholder: %s", oneLine(text))
	}
	return quoteTrusted(text)
}

// quoteTrusted is quote for texts whose braces are known to be no placeholders.
func quoteTrusted(text string) (string, error) {
	switch {
	case text == "":
		return "", fmt.Errorf("is empty")
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return "", fmt.Errorf("has a control character, which a Caddyfile cannot hold: %q", text)
	case text != "import" && strings.Trim(text, bareCharacters) == "":
		return text, nil
	case !strings.Contains(text, `"`) && !strings.HasSuffix(text, `\`):
		return `"` + text + `"`, nil // in which a backslash is one, but in front of a quote
	case !strings.Contains(text, "`"):
		return "`" + text + "`", nil
	}
	return "", fmt.Errorf("has both kinds of quotes, which a Caddyfile cannot hold: %s", oneLine(text))
}

// block returns the whole block.
func (im *importer) block(refusals []Remark) string {
	var w writer
	for _, r := range refusals {
		w.comment("not carried over: " + r.String())
	}
	w.open("stack_auth")
	w.line("compat", "ogx")
	w.add(im.provider.String())
	if im.hasOne {
		if len(im.public) > 0 {
			w.line(append([]string{"public"}, im.public...)...)
		}
		if im.tenancy != "" {
			w.line("tenancy", im.tenancy)
		}
	}
	if routes := im.routes.String(); routes != "" {
		w.b.WriteString("\n")
		w.add(routes)
	}
	if access := im.access.String(); access != "" {
		w.b.WriteString("\n")
		w.open("access_policy")
		w.add(access)
		w.close()
	}
	w.close()
	return w.String()
}
