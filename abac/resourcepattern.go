package abac

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// resourcePattern is the `resource` of a rule: exact, a prefix, or an
// expression, of `type::id`.
type resourcePattern struct {
	text   string
	prefix bool

	expression *expression // nil: text
}

// parseResourcePattern parses `type::id`, `type::prefix*` or `regex:<RE2>`. In
// compat with upstream a star stands for itself, unless the pattern ends in
// `::*`, and what could match nothing is no error.
func parseResourcePattern(pattern string, effect Effect, compat Compat) (resourcePattern, error) {
	if source, found := strings.CutPrefix(pattern, expressionPrefix); found {
		e, err := compileExpression(source, spanOf(effect, compat))
		return resourcePattern{expression: e}, err
	}
	if !utf8.ValidString(pattern) {
		return resourcePattern{}, fmt.Errorf("resource %q is not valid UTF-8", pattern)
	}
	if compat == CompatOGX {
		if strings.HasSuffix(pattern, separator+"*") {
			return resourcePattern{text: pattern[:len(pattern)-1], prefix: true}, nil
		}
		return resourcePattern{text: pattern}, nil
	}
	text, prefix := strings.CutSuffix(pattern, "*")
	switch kind, id, found := strings.Cut(text, separator); {
	case !found || !isType(kind):
		return resourcePattern{}, fmt.Errorf("resource %q: expected <type>::<id>, <type>::<prefix>* or regex:<expression>; leave it out for all", pattern)
	case strings.Contains(text, "*"):
		return resourcePattern{}, fmt.Errorf("resource %q: a * is only allowed at the end", pattern)
	case id == "" && !prefix:
		return resourcePattern{}, fmt.Errorf("resource %q has no id: write %s* for all", pattern, pattern)
	}
	return resourcePattern{text: text, prefix: prefix}, nil
}

// isType reports whether the name can be one of a type. `Regex:model::secret` is
// none: a forbid that is about it would be about nothing.
func isType(name string) bool {
	for i := range len(name) {
		c := lower(name[i])
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return name != ""
}

func (p *resourcePattern) matches(r *Resource) bool {
	switch {
	case p.expression != nil:
		return p.expression.matches(r.name)
	case p.prefix:
		return strings.HasPrefix(r.name, p.text)
	}
	return r.name == p.text
}

var errNoActions = errors.New("expected actions: some of create, read, update, delete")
