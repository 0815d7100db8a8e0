package stackauth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// resourceQuestion is what somebody wants to do with what.
type resourceQuestion struct {
	Type, ID string
	Action   abac.Action
	Owner    *abac.User // nil: nobody
}

// newResourceQuestion reads `type::id`.
func newResourceQuestion(name, action string, owner *abac.User) (*resourceQuestion, error) {
	kind, id, found := strings.Cut(name, "::")
	if !found || kind == "" || id == "" {
		return nil, fmt.Errorf("resource %q: expected <type>::<id>, such as model::llama", name)
	}
	if action == "" {
		action = string(abac.Read)
	}
	for _, known := range abac.Actions {
		if string(known) == action {
			return &resourceQuestion{kind, id, known, owner}, nil
		}
	}
	return nil, fmt.Errorf("action %q: expected create, read, update or delete", action)
}

// resourceReport is what the resource policy says. The gateway does not enforce
// it in this version.
type resourceReport struct {
	Resource string               `json:"resource"`
	Action   abac.Action          `json:"action"`
	Owner    *personReport        `json:"owner,omitempty"`
	Block    int                  `json:"block"`
	Default  bool                 `json:"default_policy"`
	Rules    []resourceRuleReport `json:"rules,omitempty"`
	Decision string               `json:"decision"`
	Cause    string               `json:"cause"`
	Rule     string               `json:"rule,omitempty"`
	Enforced bool                 `json:"enforced"`
}

type resourceRuleReport struct {
	Number      int         `json:"number"`
	Effect      abac.Effect `json:"effect"`
	Description string      `json:"description,omitempty"`
	Scope       string      `json:"scope"`
	Applies     bool        `json:"applies"`
	Why         string      `json:"why"`
}

var errNobodyKnown = errors.New("resource: no stack_auth on the way finds out who calls, or it refused to: there is nobody to decide about")

// judgeResource asks the resource policy of the innermost block that the request
// came to.
func (r *rehearsal) judgeResource(p *performance, q *resourceQuestion) (*resourceReport, error) {
	innermost, by := 0, 0
	for _, b := range p.blocks {
		if b.Matched {
			innermost = b.Block
		}
		if b.Matched && b.Finds {
			by = b.Block
		}
	}
	if innermost == 0 || !p.known {
		return nil, errNobodyKnown
	}
	policy, rules, from, err := r.resourcePolicy(innermost, by)
	if err != nil {
		return nil, err
	}
	d := policy.Explain(p.caller, q.Action, abac.NewResource(q.Type, q.ID, q.Owner))
	report := &resourceReport{
		Resource: q.Type + "::" + q.ID, Action: q.Action, Block: from, Default: len(rules) == 0,
		Decision: denied, Cause: d.Cause.String(),
	}
	if q.Owner != nil {
		report.Owner = reportPerson(q.Owner)
	}
	if d.Allowed {
		report.Decision = allowed
	}
	if d.Rule >= 0 {
		report.Rule = policy.Name(d.Rule)
	}
	for i, step := range d.Steps {
		report.Rules = append(report.Rules, resourceRuleReport{
			Number: i + 1, Effect: rules[i].Effect, Description: rules[i].Description, Scope: resourceScope(&rules[i]),
			Applies: step.Reason == abac.Applies, Why: policy.Why(i, step),
		})
	}
	return report, nil
}

// resourcePolicy returns the policy of a block: its own, or else that of the
// block by which callers are known, and whose it is.
func (r *rehearsal) resourcePolicy(number, by int) (policy *abac.Policy, rules []abac.Rule, from int, err error) {
	h, outer := r.blocks[number-1].Handler, new(Handler)
	if by > 0 {
		outer = r.blocks[by-1].Handler
	}
	o := abac.Options{Compat: h.Compat, OwnerMatch: h.OwnerMatch}
	if o.Compat == "" {
		o.Compat = outer.Compat
	}
	if o.OwnerMatch == "" {
		o.OwnerMatch = outer.OwnerMatch
	}
	rules, from = h.AccessPolicy, number
	if len(rules) == 0 && h.OwnerMatch == "" && (len(outer.AccessPolicy) > 0 || outer.OwnerMatch != "") {
		rules, from = outer.AccessPolicy, by
	}
	policy, err = abac.NewPolicy(rules, o)
	return policy, rules, from, err
}

// resourceScope says what a rule is about.
func resourceScope(r *abac.Rule) string {
	actions := make([]string, len(r.Actions))
	for i, a := range r.Actions {
		actions[i] = string(a)
	}
	resource, who := "every resource", ""
	if r.Resource != "" {
		resource = string(r.Resource)
	}
	if r.Principal != "" {
		who = " by " + string(r.Principal)
	}
	return strings.Join(actions, " ") + " " + resource + who
}
