//go:build integration

package differential

import "math/rand/v2"

var (
	resourceTypes = []string{"model", "model", "vector_store", "sql_record::openai_files", "sql_record::openai_responses", "prompt", "Model"}
	resourceIDs   = []string{
		"llama", "llama-3.1/8b", "llama-secret", "Llama", "vs_1", "file-123", "resp_0a", "a\nb", "a\n", "llama\n", "*", "ll*", "日本", "ünï", "٣٤",
		"ſtandin", "x::y", "(x)", "a.b", "", " ", "team/red", "a b", "\\", "%2f", "id\u2028",
	}
	actions = []string{"create", "read", "read", "read", "update", "delete"}
)

type resourceName struct{ kind, id string }

func (n resourceName) String() string { return n.kind + "::" + n.id }

// newResources draws the material of a batch, so that OGX compiles each
// expression once: some resources, and expressions about each.
func newResources(r *rand.Rand) func() resourceCase {
	d := Draw{r}
	names := make([]resourceName, 24)
	about := make([][]expression, len(names))
	for i := range names {
		names[i] = resourceName{One(d, resourceTypes), One(d, resourceIDs)}
		for range 7 {
			about[i] = append(about[i], d.Expression(names[i].String()))
		}
	}
	var c resourceCase
	at, asked := 0, 0
	return func() resourceCase {
		if asked%questions != 0 {
			asked++
			return d.againOfResources(c, names, at)
		}
		asked++
		at = d.IntN(len(names))
		c = resourceCase{
			Action: One(d, actions), Type: names[at].kind, ID: names[at].id, User: d.User(),
			Expressions: []expression{}, Rules: []resourceRule{}, OwnerMatch: One(d, []string{"", "all", "any"}),
			compiled: new([2]compiledResources),
		}
		if d.Chance(60) {
			c.Unowned = d.unowned()
		}
		if d.Chance(7) {
			c.User = nil
		}
		d.otherID(&c)
		for range d.resourceRules() {
			c.Rules = append(c.Rules, d.resourceRule(&c, names, about, at))
		}
		d.own(&c)
		return c
	}
}

// againOfResources asks the rules of the case something else.
func (d Draw) againOfResources(c resourceCase, names []resourceName, at int) resourceCase {
	if d.Chance(25) {
		at = d.IntN(len(names))
	}
	c.Type, c.ID = names[at].kind, names[at].id
	switch {
	case d.Chance(7):
		c.User = nil
	case d.Chance(50):
		c.User = d.User()
	}
	if d.Chance(25) {
		c.Action = One(d, actions)
	}
	d.otherID(&c)
	d.own(&c)
	return c
}

func (d Draw) otherID(c *resourceCase) {
	if d.Chance(8) {
		c.ID += One(d, []string{"\n", "\n", "\n", "-secret", "/x", "٣"})
	}
}

// own gives the resource an owner, or none. What is created has none yet: OGX
// does not ask about other creations.
func (d Draw) own(c *resourceCase) {
	c.Owner = nil
	if c.Action != "create" && d.Chance(75) {
		c.Owner = d.owner(c.User)
	}
}

func (d Draw) resourceRules() int {
	if d.Chance(25) {
		return 0
	}
	return d.Between(1, 8)
}

// owner makes an owner: often somebody like the user, with fewer attributes.
func (d Draw) owner(u *User) *User {
	owner := d.User()
	if d.Chance(30) {
		owner.Tenant = ""
	}
	if u == nil || !d.Chance(75) {
		return owner
	}
	if d.Chance(30) {
		owner.Principal = u.Principal
	}
	owner.Tenant = One(d, []string{owner.Tenant, u.Tenant, u.Tenant, u.Tenant, "", ""})
	if d.Chance(60) {
		owner.Attributes = make(map[string][]string)
		for _, name := range categories {
			list := u.Attributes[name]
			if len(list) > 0 && d.Chance(70) {
				owner.Attributes[name] = []string{One(d, list)}
			}
		}
		if d.Chance(30) {
			owner.Attributes[d.Category()] = []string{d.Value()}
		}
	}
	return owner
}

func (d Draw) unowned() []unowned {
	list := []unowned{}
	for range d.IntN(3) {
		u := unowned{Actions: []string{}}
		for range d.IntN(4) {
			u.Actions = append(u.Actions, One(d, actions))
		}
		if d.Chance(70) {
			u.Types = append(u.Types, One(d, resourceTypes), One(d, resourceTypes))
		}
		list = append(list, u)
	}
	return list
}

func (d Draw) resourceRule(c *resourceCase, names []resourceName, about [][]expression, at int) resourceRule {
	scope := &resourceScope{}
	if d.Chance(20) {
		scope.Principal = d.Principal()
		if c.User != nil && d.Chance(60) {
			scope.Principal = c.User.Principal
		}
	}
	list := []string{One(d, actions)}
	if d.Chance(60) {
		list[0] = c.Action
	}
	for range d.IntN(4) {
		list = append(list, One(d, actions))
	}
	scope.Actions = oneOrMany(d, list)
	if d.Chance(80) {
		scope.Resource = d.resourcePattern(c, names, about, at)
	}
	var rule resourceRule
	if d.Chance(74) {
		rule.Permit = scope
	} else {
		rule.Forbid = scope
	}
	rule.When, rule.Unless = d.Conditions(c.User, 40)
	return rule
}

// resourcePattern makes the resource of a rule: mostly of the one at the index,
// which the case is about.
func (d Draw) resourcePattern(c *resourceCase, names []resourceName, about [][]expression, at int) string {
	i := at
	if d.Chance(35) {
		i = d.IntN(len(names))
	}
	n := names[i]
	switch kind := d.IntN(100); {
	case kind < 20 && n.id != "":
		return n.String()
	case kind < 40:
		return n.kind + "::*"
	case kind < 55:
		return n.kind + "::" + n.id[:cut(n.id, d.IntN(len(n.id)+1))] + "*"
	case kind < 56:
		return One(d, []string{"*", "*::" + n.id, n.kind + "::*" + n.id, n.kind + "::**", "mod*"})
	}
	e := One(d, about[i])
	c.Expressions = append(c.Expressions, e)
	return "regex:" + e.Source
}
