//go:build integration

package differential

import (
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// resourceCase is something that is done with a resource, in the form in which
// the oracle is asked.
type resourceCase struct {
	Action string         `json:"action"`
	Type   string         `json:"type"`
	ID     string         `json:"id"`
	Owner  *User          `json:"owner"` // nil: unowned
	User   *User          `json:"user"`  // nil: anonymous
	Rules  []resourceRule `json:"rules"`

	Expressions []expression `json:"expressions"` // of the rules

	// What of our options OGX has no counterpart for.
	OwnerMatch string    `json:"owner_match"`
	Unowned    []unowned `json:"unowned"` // nil: our default

	compiled *[2]compiledResources // of several cases, as of routes
}

type compiledResources struct {
	done   bool
	policy *abac.Policy
	err    error
}

type resourceRule struct {
	Permit *resourceScope `json:"permit,omitempty"`
	Forbid *resourceScope `json:"forbid,omitempty"`
	When   any            `json:"when,omitempty"`
	Unless any            `json:"unless,omitempty"`
}

type resourceScope struct {
	Principal string `json:"principal,omitempty"`
	Actions   any    `json:"actions"`
	Resource  string `json:"resource,omitempty"`
}

func (r *resourceRule) scope() (scope *resourceScope, forbids bool) {
	if r.Forbid != nil {
		return r.Forbid, true
	}
	return r.Permit, false
}

type unowned struct {
	Actions []string `json:"actions"`
	Types   []string `json:"types"`
}

// The rows that resources show, besides those that routes show too.
const (
	idPrefix Set = 1 << (iota + 8)
	unlessAny
	ownerMatch
	tenantless
	unownedAs
)

var resourceRows = []Row{
	{Bit: permitWholePath, Name: "permit-whole-path", Compat: true},
	{Bit: badExpression, Name: "bad-expression"},
	{Bit: anonymous, Name: "anonymous"},
	{Bit: expressions, Name: "expressions"},
	{Bit: idPrefix, Name: "id-prefix", Compat: true},
	{Bit: unlessAny, Name: "unless-any", Compat: true},
	{Bit: ownerMatch, Name: "owner-match", Compat: true},
	{Bit: tenantless, Name: "tenantless", Compat: true},
	{Bit: unownedAs, Name: "unowned", Compat: true},
}

func TestResourcesAreDecidedAsUpstreamDoesButForTheTable(t *testing.T) {
	c := Comparison[resourceCase, answer]{
		Kind:      "resources",
		Rows:      resourceRows,
		NewBatch:  newResources,
		Upstream:  (*answer).outcome,
		Reference: referenceResource,
		Ours:      ourResource,
		Looser:    moreIsAllowed,
		Smaller:   smallerResource,
	}
	c.Run(t, "../ogx/ogx.sh")
}

func ourResourcePolicy(c *resourceCase, compat bool) (*abac.Policy, error) {
	options := abac.Options{Compat: compatOf(compat), OwnerMatch: abac.OwnerMatch(c.OwnerMatch)}
	if c.Unowned != nil {
		options.Unowned = []abac.Unowned{}
	}
	for _, u := range c.Unowned {
		options.Unowned = append(options.Unowned, abac.Unowned{Actions: actionsOf(u.Actions), Types: u.Types})
	}
	rules := make([]abac.Rule, 0, len(c.Rules))
	for i := range c.Rules {
		scope, forbids := c.Rules[i].scope()
		rule := abac.Rule{
			Effect: abac.Permit, Principal: abac.Given(scope.Principal), Actions: actionsOf(listOf(scope.Actions)),
			Resource: abac.Given(scope.Resource),
		}
		if forbids {
			rule.Effect = abac.Forbid
		}
		var err error
		if rule.When, err = conditionsOf(c.Rules[i].When); err != nil {
			return nil, err
		}
		if rule.Unless, err = conditionsOf(c.Rules[i].Unless); err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return abac.NewPolicy(rules, options)
}

func actionsOf(names []string) []abac.Action {
	list := make([]abac.Action, 0, len(names))
	for _, name := range names {
		list = append(list, abac.Action(name))
	}
	return list
}

func ourResource(c *resourceCase, compat bool) (outcome, because string) {
	if c.compiled == nil {
		c.compiled = new([2]compiledResources)
	}
	p := &c.compiled[boolBit(compat)]
	if !p.done {
		p.policy, p.err = ourResourcePolicy(c, compat)
		p.done = true
	}
	if p.err != nil {
		return NotLoaded, NotLoaded
	}
	user, resource := ourUser(c.User), abac.NewResource(c.Type, c.ID, ourUser(c.Owner))
	action := abac.Action(c.Action)
	return outcomeOf(p.policy.Decide(user, action, resource), p.policy.Explain(user, action, resource))
}

func smallerResource(c resourceCase) []resourceCase {
	var all []resourceCase
	for _, rules := range withoutOne(c.Rules) {
		s := c
		s.Rules, s.Expressions, s.compiled = rules, []expression{}, nil
		for i := range rules {
			scope, _ := rules[i].scope()
			if source, found := strings.CutPrefix(scope.Resource, "regex:"); found {
				s.Expressions = append(s.Expressions, find(c.Expressions, source))
			}
		}
		all = append(all, s)
	}
	return all
}
