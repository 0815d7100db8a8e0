package policylint

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// checkExpressions looks at how the expressions of route rules begin and end.
func (l *linter) checkExpressions() {
	for i := range l.routes {
		for j := range l.routes[i].patterns {
			if p := &l.routes[i].patterns[j]; p.expression != nil && p.dead == "" {
				l.checkExpression(l.ofRule(i), p.expression, p.forbids)
			}
		}
	}
}

func (l *linter) checkExpression(s subject, e *expression, forbids bool) {
	ours := !forbids && l.block.Compat != abac.CompatOGX // it matches the whole
	severity := Warning
	if ours {
		severity = Note
	}
	half := e.halfClosed()
	switch {
	case half != "":
		l.add(s, ExpressionHalfClosed, severity,
			fmt.Sprintf("`regex:%s`: `%s` belongs to one side of the `|` only, which binds last; %s", e.source, half, e.reading(half)),
			"put the alternatives into a group: "+e.regrouped())
	case e.isClosed() && !e.begins():
		l.add(s, ExpressionStarts, severity,
			fmt.Sprintf("`regex:%s` ends with `$` and does not begin with `^`: it is matched from the start all the same, and not searched for", e.source),
			fmt.Sprintf("write `regex:^%s` to show it, or `regex:.*%s` if anything may stand in front", e.source, e.source))
	case forbids && e.soughtFor() != "":
		l.add(s, ExpressionStarts, Warning,
			fmt.Sprintf("`regex:%s` is matched from the start of the path, and not searched for: `/v1%s` is not forbidden", e.source, e.soughtFor()),
			fmt.Sprintf("write `regex:^%s` if that is meant, or `regex:.*%s` if anything may stand in front", e.grouped(), e.grouped()))
	case !forbids && !ours && !e.ends():
		l.add(s, ExpressionMatchesMore, Warning,
			fmt.Sprintf("with `compat ogx`, `regex:%s` is matched from the start and not to the end: the permit is for all that begins so", e.source),
			fmt.Sprintf("write `regex:%s$`, or `regex:%s.*` to show that it is meant", e.grouped(), e.grouped()))
	case ours && !e.ends():
		l.add(s, ExpressionMatchesLess, Warning,
			fmt.Sprintf("`regex:%s` has to match the whole in a permit; Llama Stack takes all that begins so", e.source),
			fmt.Sprintf("write `regex:%s.*` for all that begins so, or `regex:%s$` to show that the whole is meant", e.grouped(), e.grouped()))
	}
	if text := e.unescapedDot(); text != "" {
		l.add(s, ExpressionDot, Note, fmt.Sprintf("`regex:%s`: the dot in `%s` stands for any character", e.source, text),
			fmt.Sprintf("write `%s`", strings.ReplaceAll(text, ".", `\.`)))
	}
}

// versioned is how the paths of the APIs begin that are guarded here.
var versioned = regexp.MustCompile(`^/v\d`)

// soughtFor returns the text with which the expression begins if it may have been
// meant to be found anywhere in a path; empty if not. Where it is written from a
// version on, or from `^`, it says itself where it begins.
func (e *expression) soughtFor() string {
	text, _ := e.lead()
	if e.begins() || len(text) < 2 || text[0] != '/' || versioned.MatchString(text) {
		return ""
	}
	return text
}

// reading says what becomes of the alternatives that an anchor does not belong to.
func (e *expression) reading(anchor string) string {
	switch {
	case anchor == "^":
		return "the other is matched from the start all the same, and not searched for"
	case e.whole:
		return "the other has to match the whole all the same"
	}
	return "the other is for all that begins so"
}

// regrouped is the expression with its anchors around all alternatives.
func (e *expression) regrouped() string {
	if strings.ContainsAny(e.source, `[\`) {
		return "`regex:^(?:…|…)$`" // some of them may be something else
	}
	return quoted("regex:^(?:" + strings.NewReplacer("^", "", "$", "").Replace(e.source) + ")$")
}

// grouped is the expression as something may be put behind it.
func (e *expression) grouped() string {
	if strings.Contains(e.source, "|") {
		return "(?:" + e.source + ")"
	}
	return e.source
}

// halfClosed returns the anchor that holds for some of the alternatives only;
// empty without any.
func (e *expression) halfClosed() string {
	if len(e.parts) == 0 {
		return ""
	}
	alone := len(e.parts) == 1
	if uneven(e.parts[len(e.parts)-1], alone, func(row []*syntax.Regexp) bool { return len(row) > 0 && isEnd(row[len(row)-1]) }) {
		return "$"
	}
	if uneven(e.parts[0], alone, func(row []*syntax.Regexp) bool { return len(row) > 0 && isBegin(row[0]) }) {
		return "^"
	}
	return ""
}

// uneven reports whether the part has alternatives of which some are so, and some
// are not. Where one of them is nothing but the anchor, as in /a(?:/|$), it is
// meant, unless the part is the whole expression.
func uneven(part *syntax.Regexp, whole bool, is func([]*syntax.Regexp) bool) bool {
	if part.Op != syntax.OpAlternate {
		return false
	}
	count := 0
	for _, sub := range part.Sub {
		row := rowOf(sub)
		if !is(row) {
			continue
		}
		if len(row) == 1 && !whole {
			return false
		}
		count++
	}
	return count > 0 && count < len(part.Sub)
}
