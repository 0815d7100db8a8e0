package policylint

import (
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

const expressionPrefix = "regex:"

// pathPattern is a pattern of paths of a rule, as a set of canonical paths.
type pathPattern struct {
	source  string
	forbids bool

	// set is all that it matches, or, of an expression, all in the case in which
	// it is written; ok: it is such a set.
	set plain
	ok  bool

	expression *expression       // nil: an exact path or a prefix
	engine     *abac.RoutePolicy // asks about a path
	dead       string            // why it matches nothing
}

var everyPath = pathPattern{source: "*", set: everything, ok: true}

func readPathPattern(source string, effect abac.Effect, compat abac.Compat) (pathPattern, error) {
	p := pathPattern{source: source, forbids: effect == abac.Forbid}
	var err error
	if p.engine, err = abac.NewRoutePolicy([]abac.RouteRule{{Effect: effect, Paths: []string{source}}}, compat); err != nil {
		return p, err
	}
	if text, found := strings.CutPrefix(source, expressionPrefix); found {
		whole := effect == abac.Permit && compat != abac.CompatOGX
		if p.expression, err = readExpression(text, whole); err != nil {
			return p, err
		}
		p.set, p.ok = p.expression.path()
		if p.dead = p.expression.whyNoPath(); p.dead == "" && p.expression.endsInSlash() && !p.matches("/") {
			p.dead = trailingSlash
		}
	} else {
		text, prefix := strings.CutSuffix(source, "*")
		if source == "*" {
			text = "/"
		}
		p.set, p.ok = plain{text: text, prefix: prefix}, true
		if !prefix && text != "/" && strings.HasSuffix(text, "/") {
			p.dead = trailingSlash
		}
	}
	p.set.fold = p.forbids
	return p, nil
}

const trailingSlash = "one trailing slash of a request is taken off before rules are read, and more are refused"

// matches asks the engine.
func (p *pathPattern) matches(path string) bool {
	return p.engine.Decide(abac.RouteQuestion{Method: "GET", Path: path}).Cause == abac.ByRule
}

// outline returns a set that has at least all that the pattern matches.
func (p *pathPattern) outline() plain {
	switch {
	case p.expression == nil:
		return p.set
	case p.forbids:
		// It is also tried on the path in lower case, where İ has become an i.
		if p.ok && !strings.ContainsAny(p.set.text, "iIİı") {
			return p.set
		}
		return everything
	case p.ok:
		return p.set
	}
	text, _ := p.expression.lead()
	return plain{text: text, prefix: true}
}

// covers reports whether every canonical path of the other pattern is one of
// this. true is certain.
func (p *pathPattern) covers(other *pathPattern) bool {
	switch {
	case other.dead != "", p.set.prefix && p.set.text == "/" && p.ok:
		return true
	case p.expression != nil && other.expression != nil && p.source == other.source &&
		(p.forbids || !other.forbids) && (!p.expression.whole || other.expression.whole):
		return true
	}
	outline := other.outline()
	if p.ok {
		return p.set.covers(outline)
	}
	return !outline.prefix && (!outline.fold || caseless(outline.text)) && p.matches(outline.text)
}

// coversWritten is the same, of paths in the case in which they are written.
func (p *pathPattern) coversWritten(other *pathPattern) bool {
	switch {
	case p.covers(other):
		return true
	case p.expression != nil && other.expression != nil && p.source == other.source:
		return !p.expression.whole || other.expression.whole || other.expression.isClosed()
	case p.ok:
		return p.set.written().covers(other.writtenSet())
	case other.ok && !other.set.prefix:
		return p.matches(other.set.text)
	}
	return false
}

// mayOverlap reports whether the patterns may have a path in common. false is
// certain.
func (p *pathPattern) mayOverlap(other *pathPattern) bool {
	if p.dead != "" || other.dead != "" {
		return false
	}
	return p.outline().overlaps(other.outline())
}
