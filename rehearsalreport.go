package stackauth

import (
	"context"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

// rehearsedBlock tells a rehearsal what its handler does. It is nil, and its
// methods do nothing, in a Caddy that serves.
type rehearsedBlock struct {
	rehearsal *rehearsal
	number    int
	providers []providers.Provider // those of the configuration
}

// rehearsedIn returns how the handler that is provisioned reports, nil for not
// at all.
func rehearsedIn(ctx caddy.Context) *rehearsedBlock {
	r, _ := ctx.Value(rehearsalKey{}).(*rehearsal)
	if r == nil {
		return nil
	}
	return &rehearsedBlock{rehearsal: r, number: r.entering}
}

// castsProviders reports whether callers are made up.
func (b *rehearsedBlock) castsProviders() bool { return b != nil && b.rehearsal.madeUp }

// holds keeps the providers of the handler.
func (b *rehearsedBlock) holds(list []providers.Provider) {
	if b != nil {
		b.providers = list
	}
}

// awaits waits until the providers are ready to judge. What serves has been
// running for long; a command has only just begun, and who asks has time.
func (b *rehearsedBlock) awaits(ctx context.Context) {
	if b == nil {
		return
	}
	for _, p := range b.providers {
		if w, ok := p.(interface{ Ready(ctx context.Context) }); ok {
			w.Ready(ctx)
		}
	}
}

// playProviders makes the chain of the handler's stand-in.
func (h *Handler) playProviders() ([]providers.Provider, error) {
	s, err := h.rehearsed.cast(h)
	if err != nil {
		return nil, err
	}
	list := []providers.Provider{s}
	h.chain, err = providers.NewChain(list, true)
	return list, err
}

// blockReport is what one stack_auth did with a request.
type blockReport struct {
	Block     int               `json:"block"`
	Matched   bool              `json:"matched"`
	Failed    string            `json:"matcher_failed,omitempty"`
	Finds     bool              `json:"finds_caller"`
	Public    bool              `json:"public,omitempty"`
	Preflight bool              `json:"preflight,omitempty"`
	Caller    *personReport     `json:"caller,omitempty"`
	Provider  string            `json:"provider,omitempty"`
	Path      string            `json:"path,omitempty"`
	Require   []requireReport   `json:"require,omitempty"`
	RuleCount int               `json:"rule_count"`
	Rules     []routeRuleReport `json:"rules,omitempty"`
	Decision  string            `json:"decision,omitempty"`
	Rule      string            `json:"rule,omitempty"`
	Reason    string            `json:"reason,omitempty"`
	Shadow    bool              `json:"shadow,omitempty"`
	Refusal   *refusalReport    `json:"refusal,omitempty"`
}

// personReport is somebody, or nobody.
type personReport struct {
	Anonymous  bool                `json:"anonymous,omitempty"`
	Principal  string              `json:"principal,omitempty"`
	Tenant     string              `json:"tenant,omitempty"`
	Attributes map[string][]string `json:"attributes,omitempty"`
}

type requireReport struct {
	Attribute string   `json:"attribute"`
	Values    []string `json:"values"`
	Holds     bool     `json:"holds"`
}

type routeRuleReport struct {
	Number      int         `json:"number"`
	Effect      abac.Effect `json:"effect"`
	Description string      `json:"description,omitempty"`
	Scope       string      `json:"scope,omitempty"`
	Applies     bool        `json:"applies"`
	Failed      bool        `json:"failed,omitempty"`
	Why         string      `json:"why"`
}

type refusalReport struct {
	Status  int    `json:"status"`
	Type    string `json:"type"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func reportPerson(u *abac.User) *personReport {
	if u == nil {
		return &personReport{Anonymous: true}
	}
	p := &personReport{Principal: u.Principal, Tenant: u.Tenant, Attributes: make(map[string][]string)}
	for a := range u.Attributes.All() {
		p.Attributes[a.Name] = a.Values
	}
	return p
}

// These are what handlers call. In a Caddy that serves, each is a comparison
// with nil, and no call.

// meets reports that a request has come to the handler.
func (b *rehearsedBlock) meets(h *Handler, matched bool, err error) {
	if b != nil {
		b.noteMeeting(h, matched, err)
	}
}

// judges reports what `require` and the rules said.
func (b *rehearsedBlock) judges(h *Handler, x *exchange, r *http.Request, path string, no *refusal) {
	if b != nil {
		b.noteJudgement(h, x, r, path, no)
	}
}

// decides reports how the handler's own part ended.
func (b *rehearsedBlock) decides(h *Handler, x *exchange, no *refusal) {
	if b != nil {
		b.noteDecision(h, x, no)
	}
}

func (b *rehearsedBlock) noteMeeting(h *Handler, matched bool, err error) {
	p := b.rehearsal.now
	report := &blockReport{Block: b.number, Matched: matched, Finds: h.chain != nil, RuleCount: len(h.Rules)}
	if err != nil {
		report.Failed = p.withoutToken(err.Error())
	}
	p.blocks = append(p.blocks, report)
}

func (p *performance) last() *blockReport { return p.blocks[len(p.blocks)-1] }

// What is asked again here does not decide anything.
func (b *rehearsedBlock) noteJudgement(h *Handler, x *exchange, r *http.Request, path string, no *refusal) {
	p := b.rehearsal.now
	report := p.last()
	report.Path = path
	refused := false
	for _, q := range h.Require {
		holds := q.Holds(x.user)
		refused = refused || !holds
		report.Require = append(report.Require, requireReport{q.Attribute, q.Values, holds})
	}
	report.Decision, report.Rule, report.Shadow = allowed, x.rule, h.Shadow
	if no != nil {
		report.Decision, report.Reason = denied, p.withoutToken(no.reason)
	}
	if h.routes == nil || refused {
		return
	}
	policy := h.routes.of(x)
	steps := policy.Explain(abac.RouteQuestion{User: x.user, Method: r.Method, Path: path, Request: r}).Steps
	for i, step := range steps {
		rule := &h.Rules[i]
		report.Rules = append(report.Rules, routeRuleReport{
			Number: i + 1, Effect: rule.Effect, Description: rule.Description, Scope: routeScope(&rule.RouteRule),
			Applies: step.Reason == abac.Applies, Failed: step.Reason == abac.CannotTell, Why: policy.Why(i, step),
		})
	}
}

// routeScope says which routes a rule is about.
func routeScope(r *abac.RouteRule) string {
	paths := "every path"
	if len(r.Paths) > 0 {
		paths = strings.Join(r.Paths, " ")
	}
	if len(r.Methods) > 0 {
		return paths + ", " + strings.Join(r.Methods, " ")
	}
	return paths
}

func (b *rehearsedBlock) noteDecision(h *Handler, x *exchange, no *refusal) {
	p := b.rehearsal.now
	report := p.last()
	report.Public = no == nil && h.chain != nil && x.user == nil && !x.anonymous && !x.preflight
	report.Preflight = x.preflight
	if p.known = x.user != nil || x.anonymous; p.known {
		p.caller, report.Caller, report.Provider = x.user, reportPerson(x.user), x.provider
	}
	if no == nil {
		if report.Decision == "" {
			report.Decision = allowed
		}
		return
	}
	report.Decision, report.Reason = denied, p.withoutToken(no.reason)
	if no.status == http.StatusServiceUnavailable {
		report.Decision = cannotTell
	}
	report.Refusal = &refusalReport{no.status, no.kind, no.code, no.message}
}
