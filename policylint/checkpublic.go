package policylint

import (
	"fmt"
	"slices"
	"strings"
)

// checkPublic finds rules for paths that are public, of which no rule is asked.
func (l *linter) checkPublic() {
	var public []plain
	var sources []string
	for _, source := range l.block.Public {
		set := publicSet(source)
		switch prefix := l.takenOffText(set.text); {
		case !set.prefix && set.text != "/" && strings.HasSuffix(set.text, "/"):
			bare := strings.TrimSuffix(set.text, "/")
			l.add(subject{list: OfBlock}, PatternNeverMatches, Error, fmt.Sprintf("`public %s` matches no request: %s", source, trailingSlash),
				fmt.Sprintf("write `%s` for the path itself, `%s/*` for what is below it", bare, bare))
		case prefix != "":
			l.addTakenOffText(subject{list: OfBlock}, Warning, source, prefix, "nothing is public by it")
		default:
			public, sources = append(public, set), append(sources, source)
		}
	}
	for i := range l.routes {
		for j := range l.routes[i].patterns {
			p := &l.routes[i].patterns[j]
			of := slices.IndexFunc(public, func(set plain) bool { return set.covers(p.writtenSet()) })
			if of < 0 || p.dead != "" {
				continue
			}
			l.addPublic(i, p.source, sources[of])
		}
	}
}

// publicSet is the set of paths of a pattern of `public`.
func publicSet(source string) plain {
	if source == "*" {
		return plain{text: "/", prefix: true}
	}
	text, prefix := strings.CutSuffix(source, "*")
	return plain{text: text, prefix: prefix}
}

func (l *linter) addPublic(rule int, path, public string) {
	message := fmt.Sprintf("`%s` is public by `%s`: nobody is asked for a credential there, and no rule is asked", path, public)
	switch r := &l.routes[rule]; {
	case r.forbids:
		l.add(l.ofRule(rule), PublicBeforeRule, Error, message+": the forbid forbids nothing", "take the path out of `public`")
	case !r.isUnconditional():
		l.add(l.ofRule(rule), PublicBeforeRule, Warning, message+": what the permit asks for, nobody needs", "take the path out of `public`, or out of the permit")
	default:
		l.add(l.ofRule(rule), PublicBeforeRule, Note, message+": the permit changes nothing for it", "take the path out of one of the two")
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
