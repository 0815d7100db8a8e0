package policylint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// placeholder is what Caddy replaces elsewhere, when it loads a configuration or
// for each request. Rules are taken as they are written: what a caller sends must
// not become a rule, and a rule with an empty variable would be another one.
var placeholder = regexp.MustCompile(`\{(?:env|file|http|vars|system|time)\.[^{}]*\}`)

// checkPlaceholders finds placeholders where they stand for themselves.
func (l *linter) checkPlaceholders() {
	whole := subject{list: OfBlock}
	for _, source := range l.block.Public {
		l.lookForPlaceholder(whole, "public "+source)
	}
	if l.block.BasePath != "" {
		l.lookForPlaceholder(whole, "base_path "+l.block.BasePath)
	}
	if q := l.block.ExplainHeader; q != nil {
		l.lookForPlaceholder(whole, "explain_header "+lineOf(q))
	}
	for i := range l.block.Require {
		l.lookForPlaceholder(l.ofRequire(i), "require "+lineOf(&l.block.Require[i]))
	}
	for i := range l.block.AccessPolicy {
		r := &l.block.AccessPolicy[i]
		l.lookForPlaceholder(l.ofResourceRule(i), "principal "+string(r.Principal), "resource "+string(r.Resource))
	}
	for i := range l.routes {
		for j := range l.routes[i].patterns {
			if p := &l.routes[i].patterns[j]; p.expression != nil { // else it is said of the pattern
				l.lookForPlaceholder(l.ofRule(i), p.source)
			}
		}
	}
	l.eachRule(func(s subject, c *conditions) {
		for _, condition := range c.when {
			l.lookForPlaceholder(s, "when "+condition.String())
		}
		for _, condition := range c.unless {
			l.lookForPlaceholder(s, "unless "+condition.String())
		}
	})
}

func lineOf(q *abac.Requirement) string {
	return strings.Join(slices.Concat([]string{q.Attribute}, q.Values), " ")
}

func (l *linter) lookForPlaceholder(s subject, lines ...string) {
	for _, line := range lines {
		for _, found := range placeholder.FindAllString(line, -1) {
			l.add(s, PlaceholderInRule, Error,
				fmt.Sprintf("%s: %s stands for itself: rules are taken as they are written, and no value is put in for it", quoted(line), quoted(found)),
				insteadOf(found))
		}
	}
}

// insteadOf says what to write in place of a placeholder.
func insteadOf(found string) string {
	if name, isVariable := strings.CutPrefix(found, "{env."); isVariable {
		return fmt.Sprintf("write `\"{$%s}\"`, for which Caddy puts the variable in when it reads the Caddyfile; with the quotes, an empty one is an error", strings.TrimSuffix(name, "}"))
	}
	if strings.HasPrefix(found, "{file.") {
		return "write the value itself, or `import` a file that has the line"
	}
	return "write the value itself; what only a request has is for a matcher in `match`, such as `vars` or `expression`"
}
