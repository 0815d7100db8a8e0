package ogximport

import (
	"regexp"
	"slices"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// importAccess reads access_policy. Without rules that is the default policy,
// which a policy that is there must not become.
func (im *importer) importAccess(v value) {
	if !v.isList() {
		im.refuse(v, "expected a list of rules")
		im.forbidAllAccess()
		return
	}
	if len(v.items()) == 0 {
		return
	}
	im.note(v, "decides in `caddy stack-auth explain` and `test` only: the gateway does not enforce it yet. Leave it in OGX as well")
	for _, item := range v.items() {
		r := im.rule(item)
		im.accessRule(&r)
	}
	if im.access.String() == "" {
		im.forbidAllAccess()
		im.note(v, "permits nothing: everything is forbidden")
	}
}

func (im *importer) forbidAllAccess() {
	r := rule{effect: abac.Forbid}
	r.write(&im.access, nil, [][]string{allActions()})
}

func allActions() []string {
	line := append(make([]string, 0, 1+len(abac.Actions)), "actions")
	for _, a := range abac.Actions {
		line = append(line, string(a))
	}
	return line
}

// accessScope is what a rule is about; the empty lines are for all.
type accessScope struct {
	principal, resource []string
	actions             []string
	never               string // why no resource is meant
}

func (im *importer) accessRule(r *rule) {
	s := accessScope{actions: allActions()}
	if r.effect != "" {
		r.refused = !im.accessScope(r, &s) || r.refused
	}
	switch {
	case r.refused && r.effect == abac.Permit:
		return
	case r.refused:
		r.widen()
	case s.never != "":
		im.note(r.scope, "%s: the rule is left out", s.never)
		return
	}
	var lines [][]string
	for _, line := range [][]string{s.principal, s.actions, s.resource} {
		if line != nil {
			lines = append(lines, line)
		}
	}
	r.write(&im.access, nil, lines)
}

// accessScope reads who, what and on what. It reports whether all of that can be
// had; what cannot is left wide.
func (im *importer) accessScope(r *rule, s *accessScope) bool {
	before := len(im.refusals)
	scope, ok := im.mapping(r.scope)
	if !ok {
		return false
	}
	complete := im.principal(scope, s)
	complete = im.actions(r.scope, scope, s) && complete
	complete = im.resource(scope, s, r.effect) && complete
	im.describedInside(scope, r)
	im.unknown(scope, string(r.effect))
	return complete && len(im.refusals) == before
}

func (im *importer) principal(scope *object, s *accessScope) bool {
	v, there := scope.get("principal")
	if !there || isEmpty(v) {
		if there && !v.isNull() {
			im.note(v, "is empty: OGX takes that for everybody")
		}
		return true
	}
	text, ok := im.known(v)
	if !ok {
		return false
	}
	text, err := im.nameOf(text)
	if err != nil {
		im.refuse(v, "%v", err)
		return false
	}
	if _, err = abac.NewUser(text, "", abac.Attributes{}); err != nil {
		s.never = "is for nobody (" + err.Error() + ")"
		return true
	}
	token, err := quote(text)
	if err != nil {
		im.refuse(v, "%v", err)
		return false
	}
	s.principal = []string{"principal", token}
	return true
}

func (im *importer) actions(at value, scope *object, s *accessScope) bool {
	v, there := scope.get("actions")
	if !there || v.isNull() {
		im.refuse(at, "expected actions: OGX does not start without")
		return false
	}
	items := []value{v}
	if v.isList() {
		items = v.items()
	}
	line := []string{"actions"}
	for _, item := range items {
		text, ok := im.known(item)
		if !ok {
			return false
		}
		if !slices.Contains(abac.Actions, abac.Action(text)) {
			im.refuse(item, "%q: OGX knows create, read, update and delete", text)
			return false
		}
		if !slices.Contains(line, text) {
			line = append(line, text)
		}
	}
	if len(line) == 1 {
		s.never = "is about no action"
		return true
	}
	s.actions = line
	return true
}

func (im *importer) resource(scope *object, s *accessScope, effect abac.Effect) bool {
	v, there := scope.get("resource")
	if !there || isEmpty(v) {
		if there && !v.isNull() {
			im.note(v, "is empty: OGX takes that for all")
		}
		return true
	}
	text, ok := im.known(v)
	if !ok {
		return false
	}
	if source, found := strings.CutPrefix(text, expressionPrefix); found {
		return im.resourceExpression(v, source, s, effect)
	}
	prefix, isPrefix := strings.CutSuffix(text, "*")
	isPrefix = isPrefix && strings.HasSuffix(prefix, "::")
	switch {
	case !isPrefix && !strings.Contains(text, "::"):
		s.never = "has the resource " + text + ", which nothing has: OGX takes it literally, and names are type::id"
		return true
	case strings.HasSuffix(text, "*") && !isPrefix:
		im.note(v, "%q is one name for OGX, with the star in it: a star means something only behind ::", text)
	}
	token, err := quote(text)
	if err != nil { // a brace, or quotes
		if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			im.refuse(v, "%v", err)
			return false
		}
		expression := regexp.QuoteMeta(prefix)
		if !isPrefix {
			expression = regexp.QuoteMeta(text) + `\z`
		}
		token = expressionToken(expression)
	}
	s.resource = []string{"resource", token}
	return true
}

func (im *importer) resourceExpression(v value, source string, s *accessScope, effect abac.Effect) bool {
	if source == "" {
		im.note(v, "is empty, and matches everything in OGX")
		return true
	}
	e, re, ok := im.expression(v, source, effect)
	if !ok {
		return false
	}
	if re == nil {
		s.never = "matches nothing"
		return true
	}
	s.resource = []string{"resource", expressionToken(e)}
	return true
}
