package policylint

import (
	"fmt"
	"regexp"
	"strings"
)

// namedPart is how OpenAPI, and how many routers write a part of a path that may
// be anything: {model_id}, :model_id. Here both stand for themselves.
var namedPart = regexp.MustCompile(`\{[^/{}]*\}|/:[A-Za-z_]\w*`)

// checkWriting finds patterns that are written in the way of another language.
// They load, for each is a path that somebody could ask for.
func (l *linter) checkWriting() {
	for i := range l.routes {
		for j := range l.routes[i].patterns {
			if p := &l.routes[i].patterns[j]; p.engine != nil && p.expression == nil && p.dead == "" {
				l.checkWritingOf(i, p)
			}
		}
	}
}

// isOfAnother reports whether the pattern is written so: of what it stands for by
// itself there is nothing more to say.
func (p *pathPattern) isOfAnother() bool {
	return p.expression == nil && (namedPart.MatchString(p.source) || p.hasComma())
}

func (p *pathPattern) hasComma() bool {
	return strings.HasSuffix(p.source, ",") || strings.Contains(p.source, ",/")
}

func (l *linter) checkWritingOf(rule int, p *pathPattern) {
	effect := "lets nobody in"
	if p.forbids {
		effect = "forbids nothing"
	}
	if part := namedPart.FindString(p.source); part != "" {
		before, _, _ := strings.Cut(p.source, part)
		advice := fmt.Sprintf("write `%s/*` for all that is below it, or an expression: `[^/]+` is one part of a path", strings.TrimSuffix(before, "/"))
		if placeholder.MatchString(part) && !strings.HasPrefix(part, "{http.") { // {file} is short for one of those
			advice = insteadOf(part)
		}
		l.add(l.ofRule(rule), PatternOfAnother, Error,
			fmt.Sprintf("`%s`: `%s` stands for itself, and not for a part of the path: the pattern %s", p.source, strings.TrimPrefix(part, "/"), effect), advice)
	}
	if p.hasComma() {
		severity := Warning
		if p.forbids {
			severity = Error
		}
		l.add(l.ofRule(rule), CommaInPattern, severity,
			fmt.Sprintf("`%s` is one path, with a comma in it: the pattern %s", p.source, effect),
			"separate patterns by blanks")
	}
}
