package policylint

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkPatterns looks at each path pattern by itself.
func (l *linter) checkPatterns() {
	for i := range l.routes {
		for j := range l.routes[i].patterns {
			p := &l.routes[i].patterns[j]
			if p.engine == nil {
				continue // no pattern: every path
			}
			switch {
			case p.dead != "":
				l.add(l.ofRule(i), PatternNeverMatches, Error,
					fmt.Sprintf("`%s` matches no request: %s", p.source, p.dead), adviceForDead(p))
			case l.takenOff(p) != "":
				l.addTakenOff(i, p)
			case p.expression == nil && p.set.prefix && endsInWord(p.set.text):
				l.addWithinSegment(i, p)
			}
		}
	}
}

func adviceForDead(p *pathPattern) string {
	switch p.dead {
	case startInside:
		return "take the `^` out: an expression is matched from the start of the path"
	case endInside:
		return "take the `$` out, or put it at the end of the expression"
	}
	if p.expression != nil {
		return "write what the path has after it was decoded once, beginning with `/` and without a slash at the end"
	}
	bare := strings.TrimRight(p.source, "/")
	return fmt.Sprintf("write `%s` for the path itself, `%s/*` for what is below it", bare, bare)
}

// endsInWord reports whether the text ends as a whole segment does: not in a
// slash, and not in something that joins, as in /v1/files-*.
func endsInWord(text string) bool {
	c, _ := utf8.DecodeLastRuneInString(text)
	return unicode.IsLetter(c) || unicode.IsDigit(c)
}

func (l *linter) addWithinSegment(rule int, p *pathPattern) {
	if p.forbids {
		return // widely is how a forbid is meant
	}
	segment := p.set.text[strings.LastIndexByte(p.set.text, '/')+1:]
	l.add(l.ofRule(rule), PrefixWithinSegment, Note,
		fmt.Sprintf("`%s` is a prefix of the text, not of segments: it also lets callers in to `%s-other`, whatever the stack puts there one day", p.source, p.set.text),
		fmt.Sprintf("if `%s` is the whole segment, write `%s %s/*`", segment, p.set.text, p.set.text))
}

// takenOff returns the prefix that a pattern begins with although it is taken off
// before rules are read; empty without one.
func (l *linter) takenOff(p *pathPattern) string {
	begins := p.outline().text
	if p.expression != nil {
		begins, _ = p.expression.lead()
	}
	return l.takenOffText(begins)
}

func (l *linter) takenOffText(begins string) string {
	below := func(prefix string) bool {
		rest, found := strings.CutPrefix(begins, prefix)
		return prefix != "" && found && (rest == "" || rest[0] == '/')
	}
	if below(l.block.BasePath) {
		return l.block.BasePath
	}
	taken := ""
	for _, change := range l.block.Before {
		switch prefix := strings.TrimSuffix(change.Prefix, "/"); {
		case change.Prefix == "":
			taken = "" // it may have been put in front again
		case taken == "" && below(prefix):
			taken = prefix
		}
	}
	return taken
}

func (l *linter) addTakenOff(rule int, p *pathPattern) {
	severity, effect := Warning, "lets nobody in"
	if p.forbids {
		severity, effect = Error, "forbids nothing"
	}
	l.addTakenOffText(l.ofRule(rule), severity, p.source, l.takenOff(p), "the pattern "+effect)
}

func (l *linter) addTakenOffText(s subject, severity Severity, source, prefix, effect string) {
	by := "`base_path`"
	if prefix != l.block.BasePath {
		by = "what runs before the block"
	}
	rest := strings.Replace(source, prefix, "", 1)
	if rest == "" {
		rest = "/"
	}
	l.add(s, PrefixTakenOff, severity,
		fmt.Sprintf("`%s` begins with %s, which %s takes off the path before rules are read: %s", source, prefix, by, effect),
		"write the path as the stack gets it: "+quoted(rest))
}

// checkPathChanges finds handlers after the block that give the stack another
// path than the one that was decided on.
func (l *linter) checkPathChanges() {
	var forbids []*pathPattern
	for i := range l.routes {
		for j := range l.routes[i].patterns {
			if p := &l.routes[i].patterns[j]; l.routes[i].forbids && p.dead == "" && p.engine != nil && p.source != "*" {
				forbids = append(forbids, p)
			}
		}
	}
	if forbids == nil || !slices.ContainsFunc(l.routes, func(r route) bool { return !r.forbids }) {
		return
	}
	for _, change := range l.block.After {
		if change.Prefix == "" {
			l.add(subject{list: OfRules}, PathChangedLater, Warning,
				fmt.Sprintf("%s comes after the block: the stack gets another path than the rules have decided on, and a forbid may have been about that one", quoted(change.Text)),
				"put stack_auth behind it, inside the `handle` or `route` that has it, or forbid the path as it is before, too")
			continue
		}
		if p, path := l.pastForbids(change, forbids); p != nil {
			prefix := strings.TrimSuffix(change.Prefix, "/")
			l.add(subject{list: OfRules}, PathChangedLater, Error,
				fmt.Sprintf("%s comes after the block and takes %s off the path: a request for `%s%s` is not what `%s` forbids, and what is behind gets `%s`",
					quoted(change.Text), prefix, prefix, path, p.source, path),
				fmt.Sprintf("say `base_path %s`, or put stack_auth inside the `handle_path`; where that leads to another service than the rules are about, put stack_auth inside the `handle` of theirs", prefix))
		}
	}
}

// pastForbids returns a forbidden pattern, and a path of it that is let in with the
// prefix that is taken off later; nil without any.
func (l *linter) pastForbids(change PathChange, forbids []*pathPattern) (*pathPattern, string) {
	prefix, under := strings.CutPrefix(strings.TrimSuffix(change.Prefix, "/"), l.block.BasePath)
	if !under || prefix == "" {
		return nil, "" // the rules are read below it
	}
	for _, p := range forbids {
		for _, path := range p.examples() {
			before := prefix + path
			if path == prefix || strings.HasPrefix(path, prefix+"/") {
				continue // it is forbidden as it is before
			}
			if slices.ContainsFunc(forbids, func(other *pathPattern) bool { return other.matches(before) }) {
				continue
			}
			if slices.ContainsFunc(l.routes, func(r route) bool { return !r.forbids && r.mayMatch(before) }) {
				return p, path
			}
		}
	}
	return nil, ""
}

func (r *route) mayMatch(path string) bool {
	return slices.ContainsFunc(r.patterns, func(p pathPattern) bool { return p.mayMatch(path) })
}

func (p *pathPattern) mayMatch(path string) bool { return p.engine == nil || p.matches(path) }
