package stackauth

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// enforce decides what the caller may do on the path. In shadow, what the rules
// refuse goes on, and is logged and counted.
func (h *Handler) enforce(x *exchange, r *http.Request, path string) *refusal {
	if x.preflight {
		return nil // it asks for nothing yet, and browsers send it without a credential
	}
	if x.user == nil && !x.anonymous {
		return refuseMissing("no earlier stack_auth established who calls")
	}
	if len(h.Require) == 0 && h.routes == nil {
		return nil
	}
	no := h.judge(x, r, path)
	h.explainTo(x)
	countDecision(no == nil, h.Shadow)
	if no == nil || !h.Shadow {
		return no
	}
	x.decision = denied
	h.log.shadowRefusal(r, x, no)
	return nil
}

// judge asks `require` and the route rules.
func (h *Handler) judge(x *exchange, r *http.Request, path string) *refusal {
	x.rule = ""
	for i, requirement := range h.Require {
		if !requirement.Holds(x.user) {
			x.rule = ruleName("require", i)
			return x.refuseByPolicy("caller does not have any of the required " + requirement.Attribute)
		}
	}
	if h.routes == nil {
		return nil
	}
	policy := h.routes.of(x)
	q := abac.RouteQuestion{User: x.user, Method: r.Method, Path: path, Request: r}
	d := policy.Decide(q)
	if d.Rule >= 0 {
		x.rule = policy.Name(d.Rule)
	}
	switch {
	case d.Allowed:
		return nil
	case d.Cause == abac.RuleFailed:
		return x.refuseByPolicy(fmt.Sprintf("matchers of %s failed: %v", x.rule, d.Err))
	case d.Cause == abac.ByRule:
		return x.refuseByPolicy(x.rule + " applies")
	}
	return x.refuseByPolicy("no rule applies" + nearMisses(policy, q))
}

// refuseByPolicy refuses the caller; one without a credential is told to bring
// one.
func (x *exchange) refuseByPolicy(reason string) *refusal {
	if x.anonymous {
		return refuseMissing("anonymous: " + reason)
	}
	return insufficientPermissions.because(reason)
}

// shownMisses is how many rules a reason names.
const shownMisses = 3

// nearMisses says, for the log, of the rules for this path and method why they
// did not apply.
func nearMisses(policy *abac.RoutePolicy, q abac.RouteQuestion) string {
	var b strings.Builder
	shown := 0
	for i, step := range policy.Explain(q).Steps {
		if step.Reason == abac.OtherPath || step.Reason == abac.OtherMethod {
			continue
		}
		if shown++; shown > shownMisses {
			b.WriteString("; and more")
			break
		}
		fmt.Fprintf(&b, "; %s: %s", policy.Name(i), policy.Why(i, step))
	}
	return b.String()
}

// rulePath returns the path that the rules of a handler without providers are
// read on: as it reaches the handler, and below the base_path of the handler
// that it enforces for, unless what is in between took that off already.
func (h *Handler) rulePath(x *exchange, r *http.Request) (string, *refusal) {
	if h.routes == nil {
		return "", nil // nothing is read on it
	}
	path, err := abac.CanonicalPath(r.URL.Path)
	if err != nil {
		return "", ambiguousRequest.because(err.Error())
	}
	if x.by == nil || x.over || x.by.BasePath == "" {
		return path, nil
	}
	if below, under := cutBase(path, x.by.BasePath); under && path != x.below {
		return below, nil
	}
	return path, nil
}

// cutBase returns the path below the base, and whether it is there.
func cutBase(path, base string) (string, bool) {
	below, found := strings.CutPrefix(path, base)
	switch {
	case !found || below != "" && below[0] != '/':
		return "", false
	case below == "":
		return "/", true
	}
	return below, true
}
