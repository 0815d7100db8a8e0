package policylint

import (
	"fmt"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// checkResources looks at the resource of each rule of the access policy.
func (l *linter) checkResources() {
	for i := range l.resources {
		r := &l.resources[i]
		p := &r.pattern
		switch {
		case p.expression != nil:
			l.checkExpression(l.ofResourceRule(i), p.expression, r.forbids)
		case p.dead != "":
			l.add(l.ofResourceRule(i), PatternNeverMatches, Error, fmt.Sprintf("`%s` matches no resource: %s", p.source, p.dead),
				fmt.Sprintf("write `%s::*` for all of the type, or `%s::<id>` for one", p.source, p.source))
		case l.block.Compat == abac.CompatOGX && !p.set.prefix && strings.Contains(p.source, "*"):
			l.add(l.ofResourceRule(i), CompatLiteralStar, Error,
				fmt.Sprintf("`%s`: with `compat ogx` a star stands for itself unless the pattern ends in `::*`, so the rule is for one id with a star in it", p.source),
				"write an expression, such as `regex:"+expressionFor(p.source)+"`")
		case r.forbids && !p.set.prefix && strings.HasPrefix(p.source, "model"+separator):
			l.add(l.ofResourceRule(i), ForbidExactResource, Note,
				fmt.Sprintf("`%s` is forbidden under this id; a model may have others, such as `provider/model`", p.source),
				"forbid every id that the stack has for it, or all that begin alike: `"+p.source+"*`")
		}
	}
}

// expressionFor is an expression for what a pattern with stars seems to mean.
func expressionFor(pattern string) string {
	var b strings.Builder
	b.WriteByte('^')
	for _, c := range pattern {
		switch {
		case c == '*':
			b.WriteString(".*")
			continue
		case strings.ContainsRune(`\.+?()|[]{}^$`, c):
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	b.WriteByte('$')
	return b.String()
}
