package policylint

import (
	"fmt"
	"slices"
	"strings"
)

// checkPublic finds rules for paths that are public, of which no rule is asked.
func (l *linter) checkPublic() {
	public := make([]plain, 0, len(l.block.Public))
	for _, source := range l.block.Public {
		text, prefix := strings.CutSuffix(source, "*")
		if source == "*" {
			text = "/"
		}
		public = append(public, plain{text: text, prefix: prefix})
		if !prefix && text != "/" && strings.HasSuffix(text, "/") {
			bare := strings.TrimSuffix(text, "/")
			l.add(subject{list: OfBlock}, PatternNeverMatches, Error, fmt.Sprintf("`public %s` matches no request: %s", source, trailingSlash),
				fmt.Sprintf("write `%s` for the path itself, `%s/*` for what is below it", bare, bare))
		}
	}
	for i := range l.routes {
		for j := range l.routes[i].patterns {
			set := l.routes[i].patterns[j].writtenSet()
			of := slices.IndexFunc(public, func(p plain) bool { return p.covers(set) })
			if of < 0 || l.routes[i].patterns[j].dead != "" {
				continue
			}
			l.addPublic(i, l.routes[i].patterns[j].source, l.block.Public[of])
		}
	}
}

func (l *linter) addPublic(rule int, path, public string) {
	message := fmt.Sprintf("`%s` is public by `%s`: nobody is asked for a credential there, and no rule is asked", path, public)
	switch r := &l.routes[rule]; {
	case r.forbids:
		l.add(l.ofRule(rule), PublicBeforeRule, Error, message+": the forbid forbids nothing", "take the path out of `public`")
	case !r.isUnconditional():
		l.add(l.ofRule(rule), PublicBeforeRule, Warning, message+": what the permit asks for, nobody needs", "take the path out of `public`, or out of the permit")
	}
}

// writtenSet returns a set that has at least what the pattern matches in the case
// in which it is written.
func (p *pathPattern) writtenSet() plain {
	set := p.set.written()
	if !p.ok {
		set.text, _ = p.expression.lead()
		set.prefix = true
	}
	if set.text == "" {
		set.text = "/"
	}
	return set
}
