package policylint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// checkAround looks at what stands before the block, and beside it.
func (l *linter) checkAround() {
	b := l.block
	whole := subject{list: OfBlock}
	if b.Answered != "" {
		l.add(whole, BlockNeverAsked, Error,
			fmt.Sprintf("`%s` before the block answers every request: the block is never asked, and nobody asks who calls", b.Answered),
			"put stack_auth in front of it: inside a `route` handlers run as they are written, elsewhere in Caddy's order, which `order stack_auth` changes")
	}
	if b.Beside != "" && !b.Enforces {
		l.add(whole, UnguardedProxy, Warning,
			fmt.Sprintf("`%s` also gets requests for other paths than those of the `handle` that the block is in, and nobody asks who sends them", b.Beside),
			"put stack_auth outside the `handle`, and say `public` for paths that need no credential")
	}
}

// checkMethodChanges finds handlers after the block by which the stack gets a
// method that a rule forbids.
func (l *linter) checkMethodChanges() {
	for _, method := range l.block.MethodsAfter {
		unknown := strings.Contains(method, "{")
		for i := range l.block.Rules {
			r := &l.block.Rules[i]
			if r.Effect != abac.Forbid || len(r.Methods) == 0 || !unknown && !slices.Contains(r.Methods, method) {
				continue
			}
			l.add(l.ofRule(i), MethodChangedLater, Warning,
				fmt.Sprintf("%s comes after the block: the rule is asked about the method that the client has sent, and the stack gets another, which the rule forbids",
					quoted("method "+method)),
				"put stack_auth behind it, inside the `handle` or `route` that has it, or take `methods` out of the forbid")
		}
	}
}

// checkPermitMatchers finds permits that leave paths out as Caddy reads them.
func (l *linter) checkPermitMatchers() {
	for i := range l.block.Rules {
		if r := &l.block.Rules[i]; r.Effect != abac.Permit || !r.ButPath {
			continue
		}
		l.add(l.ofRule(i), PermitByMatcher, Warning,
			"what the permit leaves out by its path, Caddy's matchers read otherwise than rules do: with a slash at its end it is another one to `path`, "+
				"and in another case to `path_regexp`, and the permit lets callers in to it",
			"leave it out with a `forbid` in front of the permit, which reads paths widely")
	}
}
