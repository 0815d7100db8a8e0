package stackauth

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// explanation is what explain says, in the order in which it is said.
type explanation struct {
	Request  requestReport   `json:"request"`
	Blocks   []*blockReport  `json:"blocks"`
	Passed   []stop          `json:"passed,omitempty"`
	Omitted  []string        `json:"omitted,omitempty"`
	Answer   *stop           `json:"answer,omitempty"`
	Resource *resourceReport `json:"resource,omitempty"`
	Decision string          `json:"decision"`
	Status   int             `json:"status"`

	unread  bool
	unasked int // the last block on the way with an access_policy that nobody asked about
}

type requestReport struct {
	Method   string        `json:"method"`
	Path     string        `json:"path"`
	Query    bool          `json:"query,omitempty"`
	Host     string        `json:"host"`
	ClientIP string        `json:"client_ip"`
	MadeUp   *personReport `json:"made_up,omitempty"`
	Token    bool          `json:"token,omitempty"`
}

func (r *rehearsal) explanation(p *performance, q *rehearsedRequest, question *resourceQuestion) (*explanation, error) {
	e := &explanation{
		Request: requestReport{Method: q.Method, Path: pathOnly(q.Path), Query: strings.Contains(q.Path, "?"), Host: q.Host, ClientIP: q.ClientIP, Token: q.Token != ""},
		Blocks:  append([]*blockReport{}, p.blocks...), Passed: p.passed, Omitted: r.omitted, Answer: p.answer,
		Decision: p.decision(), Status: p.status, unread: p.unread,
	}
	if p.decider() == nil && e.Answer == nil && e.Status == http.StatusOK {
		e.Decision = unanswered
	}
	if q.Token == "" {
		e.Request.MadeUp = reportPerson(p.user)
	}
	if question == nil {
		e.unasked = r.lastAccessPolicy(p)
		return e, nil
	}
	var err error
	e.Resource, err = r.judgeResource(p, question)
	return e, err
}

// lastAccessPolicy returns the last block that the request came to and that has
// an access_policy; 0 without one.
func (r *rehearsal) lastAccessPolicy(p *performance) int {
	last := 0
	for _, b := range p.blocks {
		if b.Matched && len(r.blocks[b.Block-1].Handler.AccessPolicy) > 0 {
			last = b.Block
		}
	}
	return last
}

// text is the explanation for people.
func (e *explanation) text() string {
	var b strings.Builder
	q := e.Request
	query := ""
	if q.Query {
		query = "?…" // it may have a credential
	}
	fmt.Fprintf(&b, "%s %s%s at %s from %s\n", plain(q.Method), plain(q.Path), query, plain(q.Host), q.ClientIP)
	switch {
	case q.Token:
		b.WriteString("with a token\n")
	case q.MadeUp.Anonymous:
		b.WriteString("without a credential\n")
	default:
		fmt.Fprintf(&b, "as made-up %s\n", q.MadeUp)
	}
	for _, block := range e.Blocks {
		b.WriteString("\n")
		block.write(&b)
	}
	b.WriteString("\n")
	matched := func(r *blockReport) bool { return r.Matched || r.Failed != "" }
	if !slices.ContainsFunc(e.Blocks, matched) && !e.unread {
		b.WriteString("No stack_auth block is for this request: nothing was decided about it.\n")
	}
	e.writeAnswer(&b)
	if e.Resource != nil {
		b.WriteString("\n")
		e.Resource.write(&b)
	}
	return b.String()
}

func (e *explanation) writeAnswer(b *strings.Builder) {
	var passed []string
	for _, s := range e.Passed {
		if !slices.Contains(passed, s.String()) {
			passed = append(passed, s.String())
		}
	}
	if len(passed) > 0 {
		field(b, "", "not run", strings.Join(passed, ", "))
	}
	if len(e.Omitted) > 0 {
		field(b, "", "left out", strings.Join(e.Omitted, ", "))
	}
	if e.unasked > 0 && e.Decision == allowed {
		field(b, "", "not asked", fmt.Sprintf("access_policy of block %d: --resource asks it; the gateway does not yet", e.unasked))
	}
	field(b, "", "answer", e.answeredBy())
	field(b, "", "decision", e.Decision+e.remark())
}

// remark says of the decision what is easily overlooked.
func (e *explanation) remark() string {
	if e.Decision == cannotTell {
		return ": a service that judges credentials failed, or cannot be reached from here"
	}
	if e.Decision == unanswered {
		return ": no site and no handler is for it; is the host right?"
	}
	for _, block := range e.Blocks {
		if e.Decision == allowed && block.Shadow && block.Decision == denied {
			return fmt.Sprintf(", though block %d, which is in shadow, says deny", block.Block)
		}
	}
	return ""
}

func (e *explanation) answeredBy() string {
	for _, block := range e.Blocks {
		if no := block.Refusal; no != nil {
			text := fmt.Sprintf("%d %s from block %d", no.Status, no.Code, block.Block)
			if e.Answer != nil || e.Status != no.Status {
				text += fmt.Sprintf(", answered by the error routes: %s", e.handledBy())
			}
			return text
		}
	}
	return e.handledBy()
}

func (e *explanation) handledBy() string {
	switch a := e.Answer; {
	case e.unread:
		return "400 from the HTTP server: it does not read this as a request"
	case a == nil && e.Status == 200:
		return "200 from Caddy, empty: no handler answers"
	case a == nil:
		return fmt.Sprintf("%d from Caddy", e.Status)
	case a.kind == hangsUp:
		return "none: the connection is closed"
	case a.kind == answers:
		return "by " + a.String()
	default:
		return fmt.Sprintf("%d from %s", e.Status, a)
	}
}

// String names the handler, and where it would have asked.
func (s stop) String() string {
	if s.Target == "" {
		return s.Handler
	}
	return s.Handler + " " + plain(s.Target)
}

func (r *blockReport) write(b *strings.Builder) {
	switch {
	case r.Failed != "":
		fmt.Fprintf(b, "block %d: its matcher failed: %s\n", r.Block, plain(r.Failed))
		return
	case !r.Matched:
		fmt.Fprintf(b, "block %d: its matcher leaves this request out\n", r.Block)
		return
	case r.Finds:
		fmt.Fprintf(b, "block %d finds out who calls\n", r.Block)
	default:
		fmt.Fprintf(b, "block %d enforces on who calls\n", r.Block)
	}
	if r.Caller != nil {
		who := r.Caller.String()
		if r.Finds && r.Provider != "" {
			who += " (provider " + plain(r.Provider) + ")"
		}
		field(b, "  ", "caller", who)
	}
	if r.Path != "" && r.RuleCount > 0 {
		field(b, "  ", "path", plain(r.Path))
	}
	for i, q := range r.Require {
		holds := "does not hold"
		if q.Holds {
			holds = "holds"
		}
		field(b, "  ", fmt.Sprintf("require %d", i+1), plain(q.Attribute+" "+strings.Join(q.Values, " "))+": "+holds)
	}
	for _, rule := range r.Rules {
		why := because(rule.Applies, rule.Why)
		if rule.Failed {
			why = "denies: " + plain(rule.Why)
		}
		writeRule(b, rule.label(), rule.Description, rule.Scope, why)
	}
	if n, asked := r.RuleCount, len(r.Rules); asked > 0 && asked < n {
		field(b, "  ", "…", fmt.Sprintf("%d more, not asked", n-asked))
	}
	reason := r.Reason
	if len(r.Rules) > 0 {
		reason, _, _ = strings.Cut(reason, ";") // what follows is why rules did not apply, which was said
	}
	field(b, "  ", "decision", r.verdict(reason))
}

// because says whether a rule applied, and why it did not.
func because(applies bool, why string) string {
	if applies {
		return why
	}
	return "passed over: " + plain(why)
}

// decidedBy names the rule that decided; empty without one. After a permit
// something else may refuse.
func (r *blockReport) decidedBy() string {
	for _, rule := range r.Rules {
		if rule.Applies && (rule.Effect == abac.Permit) == (r.Decision == allowed) {
			return called(rule.label(), rule.Description)
		}
	}
	return ""
}

func (r *blockReport) verdict(reason string) string {
	switch {
	case r.Preflight:
		return "allow: a CORS preflight"
	case r.Public:
		return "allow: a public path, nobody is asked who they are"
	case r.Decision == allowed && r.Rule != "":
		return "allow, by " + r.decidedBy()
	case r.Decision == allowed && len(r.Require) > 0:
		return "allow: what is required holds"
	case r.Decision == allowed && r.RuleCount == 0:
		return "allow: there are no rules"
	case r.Decision == allowed:
		return allowed
	}
	text := r.Decision
	if r.Refusal != nil {
		text = fmt.Sprintf("%s, %d %s", r.Decision, r.Refusal.Status, r.Refusal.Code)
	}
	if by := r.decidedBy(); by != "" {
		text += ", by " + by
	} else {
		text += ": " + plain(reason)
	}
	if r.Shadow && r.Refusal == nil {
		text += "; in shadow: the request goes on"
	}
	return text
}

func (r *resourceReport) write(b *strings.Builder) {
	owner := "nobody"
	if r.Owner != nil {
		owner = r.Owner.String()
	}
	fmt.Fprintf(b, "%s %s, owned by %s\n", r.Action, plain(r.Resource), owner)
	policy := fmt.Sprintf("access_policy of block %d", r.Block)
	if r.Default {
		policy = fmt.Sprintf("the default one, for block %d has no rules", r.Block)
	}
	field(b, "  ", "policy", policy)
	for _, rule := range r.Rules {
		writeRule(b, rule.label(), rule.Description, rule.Scope, because(rule.Applies, rule.Why))
	}
	field(b, "  ", "decision", r.verdict())
	field(b, "  ", "enforced", "no: this version of the gateway does not enforce resource policies")
}

func (r *resourceReport) verdict() string {
	for _, rule := range r.Rules {
		if rule.Applies {
			return r.Decision + ", by " + called(rule.label(), rule.Description)
		}
	}
	return r.Decision + ": " + r.Cause
}

// String describes somebody in one line.
func (p *personReport) String() string {
	if p.Anonymous {
		return "anonymous"
	}
	parts := []string{plain(p.Principal)}
	if p.Tenant != "" {
		parts = append(parts, "of tenant "+plain(p.Tenant))
	}
	var with []string
	for _, name := range slices.Sorted(maps.Keys(p.Attributes)) {
		with = append(with, name+"="+plain(strings.Join(p.Attributes[name], ",")))
	}
	if len(with) > 0 {
		parts = append(parts, "with "+strings.Join(with, " "))
	}
	return strings.Join(parts, " ")
}
