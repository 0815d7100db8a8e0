package stackauth

import (
	"fmt"
	"net/http"
	"strings"

	"go.uber.org/zap/zapcore"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// enforce decides what the caller may do on the path. In shadow, what the rules
// refuse goes on, and is logged and counted.
func (h *Handler) enforce(x *exchange, r *http.Request, path string) *refusal {
	// A preflight asks for nothing yet, and browsers send it without a credential.
	// What a directive in between has made something else of does ask.
	if x.preflight && r.Method == http.MethodOptions {
		return nil
	}
	if x.user == nil && !x.anonymous {
		return refuseMissing("no earlier stack_auth established who calls")
	}
	if len(h.Require) == 0 && h.routes == nil {
		if h.ExplainHeader != nil && x.explained == "" {
			h.explainTo(x)
		}
		return nil
	}
	x.forgetOthers(r) // matchers of rules must not take them for the caller
	earlier := x.rule
	no := h.judge(x, r, path)
	h.rehearsed.judges(h, x, r, path, no)
	if no == nil && x.decision == denied {
		x.rule = earlier // the decision stays that of a block in shadow further out
	}
	h.explainTo(x)
	if h.rehearsed == nil { // nobody has asked for anything
		countDecision(no == nil, h.Shadow)
	}
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
		if wantsHandshake(d.Err) {
			return tooEarly.because("matchers of " + h.ruleInLog(d.Rule) + " want to know the address, which early data does not prove")
		}
		reason := "matchers of " + h.ruleInLog(d.Rule) + " failed"
		if h.rehearsed != nil { // elsewhere a log has it: its words may repeat what the caller sent
			reason += ": " + d.Err.Error()
		}
		return x.refuseByPolicy(reason)
	case d.Cause == abac.ByRule:
		return x.refuseByPolicy(h.ruleInLog(d.Rule) + " applies")
	}
	reason := "no rule applies"
	if h.logsRefusalByPolicy(x) {
		reason += h.nearMisses(policy, q)
	}
	return x.refuseByPolicy(reason)
}

// logsRefusalByPolicy reports whether the log has room for one. What only it
// would say is not found out otherwise: it takes as long as the decision, and
// refusals may come in a flood.
func (h *Handler) logsRefusalByPolicy(x *exchange) bool {
	if h.rehearsed != nil {
		return true
	}
	kind := x.refuseByPolicy("").code
	if h.Shadow {
		kind = "shadow " + kind // as shadowRefusal has it
	}
	return h.log.of(categoryPolicy).Core().Enabled(zapcore.InfoLevel) &&
		h.log.refusals.limitOf(kind, categoryPolicy).limiter.Tokens() >= 1
}

// refuseByPolicy refuses the caller; one without a credential is told to bring
// one.
func (x *exchange) refuseByPolicy(reason string) *refusal {
	if x.anonymous {
		no := refuseMissing("anonymous: " + reason)
		no.category = categoryPolicy // a rule decided it, as it does of others
		return no
	}
	return insufficientPermissions.because(reason)
}

// ruleInLog names a rule for a reader who looks for it.
func (h *Handler) ruleInLog(index int) string {
	name := ruleName(string(h.Rules[index].Effect), index)
	if text := h.Rules[index].Description; text != "" {
		name += " “" + text + "”"
	}
	return name
}

// shownMisses is how many rules a reason names.
const shownMisses = 3

// nearMisses says, for the log, of the rules for this path and method why they
// did not apply.
func (h *Handler) nearMisses(policy *abac.RoutePolicy, q abac.RouteQuestion) string {
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
		fmt.Fprintf(&b, "; %s: %s", h.ruleInLog(i), policy.Why(i, step))
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
		return "", x.refuseForm(ambiguousRequest.because(err.Error()))
	}
	if x.by == nil || x.over || x.by.BasePath == "" {
		return path, nil
	}
	below, under := cutBase(path, x.by.BasePath)
	switch {
	case !under || path == x.below:
		return path, nil
	case strings.HasSuffix(x.below, path):
		// More than the base was taken off, and what is left begins with it again
		// (/llm/llm/…, as callers may write it): nobody can tell what to read.
		return "", x.refuseForm(ambiguousRequest.because("path begins with base_path again after more than that was taken off"))
	}
	return below, nil
}

// refuseForm refuses a request for the form that it has taken on the way here: no
// rule has decided that, whatever one further out has said.
func (x *exchange) refuseForm(no *refusal) *refusal {
	x.rule, x.explained = "", ""
	return no
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
