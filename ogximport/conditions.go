package ogximport

import (
	"fmt"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// conditions are the `when` or the `unless` of a rule.
type conditions struct {
	list    []abac.Condition
	values  []value
	refused bool
}

// isEmpty reports whether OGX takes a when or unless for absent.
func isEmpty(v value) bool {
	n := v.target()
	return v.isNull() || v.isList() && len(n.Content) == 0 || !v.isList() && !v.isMapping() && n.Value == "" && scalarKind(n) == kindText
}

// conditions reads one condition or a list of them. What OGX does not know keeps
// it from starting.
func (im *importer) conditions(v value) (c conditions) {
	items := []value{v}
	if v.isList() {
		items = v.items()
	}
	for _, item := range items {
		text, ok := im.known(item)
		if !ok {
			c.refused = true
			continue
		}
		condition, err := parseCondition(text)
		if err == nil {
			condition, err = im.renamed(condition)
		}
		if err != nil {
			im.refuse(item, "%v", err)
			c.refused = true
			continue
		}
		c.list = append(c.list, condition)
		c.values = append(c.values, item)
	}
	return c
}

// parseCondition reads a condition in upstream's words, which are split as
// Python splits. `user is anonymous` is ours alone.
func parseCondition(text string) (abac.Condition, error) {
	words := strings.FieldsFunc(text, func(c rune) bool {
		return c >= '\t' && c <= '\r' || c >= 0x1c && c <= ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 || c >= 0x2000 && c <= 0x200a ||
			c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000
	})
	c, err := abac.ParseCondition(words)
	if err == nil && c.Op == abac.UserIsAnonymous {
		return c, errUnknownCondition
	}
	return c, err
}

// renamed replaces an API key, which OGX makes a team, by its name here.
func (im *importer) renamed(c abac.Condition) (abac.Condition, error) {
	if c.Value == "" {
		return c, nil
	}
	var err error
	if c.Value, err = im.nameOf(c.Value); err == nil {
		_, err = quote(c.Value)
	}
	return c, err
}

// nameOf returns what a principal or a team of the file is called here. A name
// that a key has only here would be somebody who is nobody in OGX.
func (im *importer) nameOf(text string) (string, error) {
	if name, is := im.names[text]; is {
		return name, nil
	}
	if im.named[text] {
		return "", fmt.Errorf("%q is what an API key is called here, and nobody in OGX: take another name", text)
	}
	return text, nil
}

func conditionTokens(c abac.Condition) []string {
	value, _ := quote(c.Value) // looked at when it was read
	switch c.Op {
	case abac.UserWithIn:
		return []string{"user", "with", value, "in", c.Attribute}
	case abac.UserWithNotIn:
		return []string{"user", "with", value, "not", "in", c.Attribute}
	default:
		return strings.Fields(c.String())
	}
}

// onRoute returns what a condition is on a route, which nobody owns: always
// true, always false, or neither.
func onRoute(c abac.Condition) (constant, value bool) {
	switch c.Op {
	case abac.UserIsOwner, abac.UserInOwners:
		return true, false
	case abac.UserIsNotOwner, abac.UserNotInOwners, abac.ResourceIsUnowned:
		return true, true
	default:
		return false, false
	}
}

// fold takes out the conditions of a route rule that are constant. never says
// that the rule can never apply.
func (im *importer) fold(when, unless *conditions) (never bool) {
	never = im.foldList(when, false)
	return im.foldList(unless, true) || never
}

// foldList takes out what has no effect: what is true from `when`, and what is
// false from `unless`. The other is decisive, and is never.
func (im *importer) foldList(c *conditions, decisive bool) (never bool) {
	var list []abac.Condition
	var values []value
	for i, condition := range c.list {
		constant, holds := onRoute(condition)
		if !constant {
			list, values = append(list, condition), append(values, c.values[i])
			continue
		}
		text := map[bool]string{true: "always", false: "never"}[holds]
		if holds == decisive {
			never = true
			im.note(c.values[i], "%s is %s true of a route, which nobody owns: the rule never applies, and is left out", condition, text)
		} else {
			im.note(c.values[i], "%s is %s true of a route, which nobody owns, and is left out", condition, text)
		}
	}
	c.list, c.values = list, values
	return never
}
