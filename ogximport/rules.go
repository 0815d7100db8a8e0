package ogximport

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

var errUnknownCondition = errors.New("is no condition that OGX knows")

// rule is what route and resource rules have in common.
type rule struct {
	effect      abac.Effect
	scope       value
	when        conditions
	unless      conditions
	description string
	refused     bool // something about it is not carried over
}

// rule reads all of a rule but its scope. Its effect is empty if that cannot be
// told.
func (im *importer) rule(v value) (r rule) {
	before := len(im.refusals)
	o, ok := im.mapping(v)
	if !ok {
		r.refused = true
		return r
	}
	permit, permits := o.get("permit")
	forbid, forbids := o.get("forbid")
	permits, forbids = permits && !permit.isNull(), forbids && !forbid.isNull()
	switch {
	case permits == forbids:
		im.refuse(v, "expected permit or forbid, and not both: OGX does not start otherwise")
		r.refused = true
	case permits:
		r.effect, r.scope = abac.Permit, permit
	default:
		r.effect, r.scope = abac.Forbid, forbid
	}
	when, hasWhen := o.get("when")
	unless, hasUnless := o.get("unless")
	hasWhen, hasUnless = hasWhen && !isEmpty(when), hasUnless && !isEmpty(unless)
	if hasWhen && hasUnless {
		im.refuse(v, "has when and unless: OGX does not start with both")
		r.refused = true
	}
	if hasWhen {
		r.when = im.conditions(when)
	}
	if hasUnless {
		r.unless = im.conditions(unless)
	}
	r.refused = r.refused || r.when.refused || r.unless.refused
	if d, there := o.get("description"); there && !d.isNull() {
		if text, ok := im.text(d); ok {
			r.description = im.describe(d, text)
		}
	}
	im.unknown(o, "a rule")
	r.refused = r.refused || len(im.refusals) > before
	return r
}

// describedInside takes the description out of a scope, where it stands in one of
// upstream's own tests.
func (im *importer) describedInside(scope *object, r *rule) {
	d, there := scope.get("description")
	if !there || d.isNull() {
		return
	}
	n := d.target()
	if r.description != "" || n.Kind != yaml.ScalarNode || scalarKind(n) != kindText {
		im.note(d, "stands inside the %s, where OGX passes over it: it is left out", r.effect)
		return
	}
	im.note(d, "stands inside the %s, where OGX passes over it: here it is the rule's", r.effect)
	r.description = im.describe(d, n.Value)
}

// describe returns a description as ours can be. It decides nothing.
func (im *importer) describe(v value, text string) string {
	const most = 256
	clean := strings.NewReplacer("{", "(", "}", ")").Replace(text)
	if strings.Contains(clean, "`") && (strings.Contains(clean, `"`) || strings.HasSuffix(clean, `\`)) {
		clean = strings.NewReplacer("`", "'", `"`, "'").Replace(clean)
	}
	clean = strings.TrimSpace(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, clean))
	for len(clean) > most {
		_, size := utf8.DecodeLastRuneInString(clean)
		clean = strings.TrimSpace(clean[:len(clean)-size])
	}
	if clean != text {
		im.note(v, "is written otherwise: a description has at most %d bytes, and no braces, control characters or blanks at its edge", most)
	}
	return clean
}

// isConditional reports whether OGX passes over the rule where nobody is known.
func (r *rule) isConditional() bool {
	return len(r.when.list) > 0 || len(r.unless.list) > 0 || r.when.refused || r.unless.refused
}

// widen makes of a forbid that cannot be had one that forbids more. A list of
// unless of which a part is missing goes as a whole: the rest alone would keep
// the rule from more.
func (r *rule) widen() {
	if r.unless.refused || r.effect == "" {
		r.unless = conditions{}
	}
	if r.effect == "" {
		r.effect, r.when = abac.Forbid, conditions{}
	}
}

// write writes the rule with the tokens behind its name and the lines of its
// scope.
func (r *rule) write(w *writer, tokens []string, lines [][]string) {
	for _, c := range r.when.list {
		lines = append(lines, append([]string{"when"}, conditionTokens(c)...))
	}
	for _, c := range r.unless.list {
		lines = append(lines, append([]string{"unless"}, conditionTokens(c)...))
	}
	if r.description != "" {
		if token, err := quote(r.description); err == nil {
			lines = append(lines, []string{"description", token})
		}
	}
	head := append([]string{string(r.effect)}, tokens...)
	if len(lines) == 0 {
		w.line(head...)
		return
	}
	w.open(head...)
	for _, line := range lines {
		w.line(line...)
	}
	w.close()
}
