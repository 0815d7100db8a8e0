package policylint

import (
	"fmt"
	"slices"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// checkBlock looks at what holds for the block as a whole.
func (l *linter) checkBlock() {
	b := l.block
	whole := subject{list: OfBlock}
	if b.Enforces && b.Alone {
		l.add(whole, NoProviderBefore, Warning, "the block has no provider, and there is no stack_auth with one before it or further out: everybody gets 401",
			"put a stack_auth with a provider in front, or a provider into this one")
	}
	if b.Shadow {
		l.add(whole, ShadowOn, Warning, "`shadow` is on: what the rules and `require` refuse is logged and counted, and goes on to the stack",
			"take `shadow` out when the log shows that the rules are right")
	}
	if b.LimitedByPath && !b.Enforces {
		l.add(whole, BlockLimitedByPath, Warning, "a matcher of paths picks the requests that the block is for: "+
			"what Caddy reads otherwise than the stack does goes on without anybody asking who calls",
			"leave the matcher out, and say `public` for paths that need no credential")
	}
	if !b.Enforces && len(b.Rules) == 0 && len(b.Require) == 0 {
		l.add(whole, NoRules, Note, "there are no rules and no `require`: every authenticated caller may do everything that no block further in forbids",
			"say who may do what with `require`, `permit` and `forbid`, if that is not what the stack behind does")
	}
	if len(b.AccessPolicy) > 0 || b.OwnerMatch != "" {
		l.add(subject{list: OfAccessPolicy}, AccessPolicyUnenforced, Warning,
			"the gateway does not enforce the access policy in this version: it decides in `caddy stack-auth explain` and `test` only",
			"let the stack behind decide about its resources, and forbid here by path what nobody is to reach")
	}
	if b.OwnerMatch == abac.OwnerMatchAny {
		l.add(subject{list: OfAccessPolicy}, OwnerMatchAny, Note,
			"`owner_match any`: whoever has one value of one attribute other than roles in common with the owner of a resource has all the owner's rights to it",
			"say `owner_match all`, which asks for a value in common of every attribute that the owner has")
	}
	if q := b.ExplainHeader; q != nil {
		if value := universalOf(q.Values); value != "" {
			l.add(whole, ExplainHeaderToAll, Warning,
				fmt.Sprintf("`explain_header`: %s: so everybody is told which rule decided, by its description", isUniversal(value)),
				"name a role that only those have who look after the policy")
		}
	}
}

// checkAnonymous finds an allow_anonymous that lets nobody in.
func (l *linter) checkAnonymous() {
	if !l.block.AllowAnonymous || l.block.Enforces {
		return
	}
	refusal := ""
	advice := "take it out, or write a permit for them: `permit <path> { when user is anonymous }`"
	switch {
	case l.block.TenancyMulti:
		refusal = "`tenancy multi` refuses whoever has no tenant, and nobody anonymous has one"
		advice = "take it out, and say `public` for paths that need no credential"
	case len(l.block.Require) > 0:
		refusal = "`require` refuses everybody anonymous"
	case len(l.routes) > 0 && !slices.ContainsFunc(l.routes, func(r route) bool {
		_, applies := r.needs(world{anonymous: true})
		return !r.forbids && applies && !r.isDead()
	}):
		refusal = "no permit applies to anybody anonymous: every condition but `user is anonymous` counts against them"
	}
	if refusal != "" {
		l.add(subject{list: OfBlock}, AnonymousRefused, Warning, "`allow_anonymous` lets nobody in: "+refusal, advice)
	}
}

// checkRequire looks at lines that are about one attribute.
func (l *linter) checkRequire() {
	for i, q := range l.block.Require {
		if value := universalOf(q.Values); value != "" {
			l.add(l.ofRequire(i), UniversalRole, Warning, fmt.Sprintf("%s: so the line refuses nobody of the realm", isUniversal(value)),
				"name a role that only those have who are to come in")
		}
		for j, other := range l.block.Require[:i] {
			if other.Attribute != q.Attribute {
				continue
			}
			if within(other.Values, q.Values) || within(q.Values, other.Values) {
				l.add(l.ofRequire(i), RequireWithoutUse, Note,
					fmt.Sprintf("%s is about %s, too, and one of the two lines asks for no more than the other", l.ofRequire(j), q.Attribute),
					"take one of them out")
				break
			}
			l.add(l.ofRequire(i), RequireRepeated, Note,
				fmt.Sprintf("%s is about %s, too: lines add up, so a caller needs a value of each", l.ofRequire(j), q.Attribute),
				"if either is enough, name all values in one line")
			break
		}
	}
}

// within reports whether every value of the one list is in the other.
func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(v string) bool { return !slices.Contains(all, v) })
}
