package providers

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// Judge says who judges a provider's credentials, for Network.SetUpJudge.
type Judge struct {
	// Address is the service that is asked. Limits and the circuit breaker are
	// shared by all who ask the same address by the same transport.
	Address string

	// Shape is all that an answer depends on besides the question, the address,
	// the transport and the common options, as something that encodes to JSON.
	// It may hold secrets: only a hash of it is kept.
	Shape any

	// CacheTTL is the default of the option cache_ttl.
	CacheTTL time.Duration
}

// Question is what a judge is asked.
type Question struct {
	// Token is the credential.
	Token string

	// Posted is what else the answer may depend on, such as the whole request
	// that the judge is shown; empty for nothing.
	Posted []byte
}

// text is the question as the key of its answer has it.
func (q Question) text() string {
	if q.Posted == nil {
		return q.Token
	}
	return string(q.Posted) + "\x00" + q.Token
}

// SetUpJudge prepares Ask. It belongs into a guest's Provision, behind SetUp
// and SetUpNetwork. The guest's Cleanup then calls CleanUpJudge.
func (n *Network) SetUpJudge(c *Common, j Judge) error {
	n.ttl = j.CacheTTL
	if n.CacheTTL != nil {
		n.ttl = time.Duration(*n.CacheTTL)
	}
	n.log = c.Logger()
	if err := n.shareAnswers(c, struct {
		Address string
		Shape   any
	}{j.Address, j.Shape}); err != nil {
		return err
	}
	trust := sha256.Sum256(fmt.Appendf(nil, "%q %q", j.Address, n.transport))
	var err error
	n.service, err = acquireService(fmt.Sprintf("%x", trust))
	return err
}

// shareAnswers takes hold of the answer cache, for answers of the given shape.
func (n *Network) shareAnswers(c *Common, shape any) error {
	b, err := json.Marshal(struct {
		Type, Name, Transport string
		Common                commonShape
		Shape                 any
	}{c.kind, c.Name, n.transport, c.shaping(), shape})
	if err != nil {
		return fmt.Errorf("encoding configuration: %w", err)
	}
	n.shape = sha256.Sum256(b)
	n.answers, err = acquireAnswers()
	return err
}

// CleanUpJudge gives back what SetUpJudge took. It may be called after a
// SetUpJudge that failed, or that never ran. Requests that are under way may
// still Ask afterwards.
func (n *Network) CleanUpJudge() error {
	var errs []error
	if n.answers != nil && !n.answersReleased {
		n.answersReleased = true
		errs = append(errs, n.answers.release())
	}
	if n.service != nil && !n.serviceReleased {
		n.serviceReleased = true
		errs = append(errs, n.service.release())
	}
	return errors.Join(errs...)
}

// Ask returns what the judge says to the question: an answer that was given
// lately, or else that of call, which asks the service within the context's
// time. Callers with the same question at the same time share one call, and
// none of them ends it by hanging up. While the judge cannot tell, a yes serves
// on for stale_if_error. An answer is never used beyond the credential's own
// end, be it that of the Yes or, for a JWT, the exp that it shows.
func (n *Network) Ask(r *http.Request, q Question, call func(context.Context) Answer) Answer {
	key := n.answers.keyOf(&n.shape, q.text())
	if a := n.recall(key, time.Now()); a != nil {
		return a
	}
	if n.ttl == 0 {
		// Not shared either: an answer to a question that was asked before this
		// request came may be from before a revocation.
		return n.consult(r.Context(), key, q, call)
	}
	flight := n.answers.flights.DoChan(string(key[:]), func() (any, error) {
		if a := n.recall(key, time.Now()); a != nil {
			return a, nil
		}
		return n.consult(context.Background(), key, q, call), nil
	})
	var answer Answer
	select {
	case landed := <-flight:
		answer = landed.Val.(Answer)
	case <-r.Context().Done():
		return &CannotTell{Err: r.Context().Err()}
	}
	if _, unsure := answer.(*CannotTell); unsure {
		if yes := n.stale(key, time.Now()); yes != nil {
			return yes
		}
	}
	return answer
}

// recall returns an answer that was given lately, nil without any.
func (n *Network) recall(key answerKey, now time.Time) Answer {
	if n.ttl > 0 {
		if hit, there := n.answers.yeses.Get(key); there && hit.live(now) && now.Sub(hit.stored) < n.ttl {
			return hit.yes
		}
	}
	if hit, there := n.answers.noes.Get(key); there && now.Sub(hit.stored) < noTTL {
		return hit.no
	}
	return nil
}

// stale returns a yes beyond its time, where stale_if_error lets it serve on.
func (n *Network) stale(key answerKey, now time.Time) Answer {
	if n.StaleIfError == nil {
		return nil
	}
	hit, there := n.answers.yeses.Get(key)
	// Subtracted, and not added: two long times could overflow.
	if there && hit.live(now) && now.Sub(hit.stored)-n.ttl < time.Duration(*n.StaleIfError) {
		n.log.Debug("the judge cannot tell: its last yes serves on")
		return hit.yes
	}
	return nil
}

// consult asks the judge, and remembers what it says.
func (n *Network) consult(ctx context.Context, key answerKey, q Question, call func(context.Context) Answer) Answer {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(n.Timeout))
	defer cancel()
	asked := time.Now()
	answer := n.service.ask(ctx, n.log, call)
	if yes, ok := answer.(*Yes); ok {
		answer = n.bounded(yes, q.Token)
	}
	switch a := answer.(type) {
	case *Yes:
		if n.ttl > 0 {
			n.answers.noes.Remove(key)
			n.answers.addYes(key, &remembered{yes: a, stored: asked, ends: a.Expires})
		}
	case *No:
		n.answers.addNo(key, &remembered{no: a, stored: asked})
	}
	return answer
}

// bounded ends a yes with the credential: judges go on saying yes until the
// second is over, and some never look. The exp of a JWT is not verified here;
// it can only make the answer shorter.
func (n *Network) bounded(yes *Yes, token string) Answer {
	shown := unverifiedExpiry(token)
	if !shown.IsZero() {
		shown = shown.Add(n.leeway)
	}
	if !shown.IsZero() && (yes.Expires.IsZero() || shown.Before(yes.Expires)) {
		shorter := *yes
		shorter.Expires = shown
		yes = &shorter
	}
	if !yes.Expires.IsZero() && !time.Now().Before(yes.Expires) {
		return &No{Reason: reasonExpired, Expired: true}
	}
	return yes
}

// commonShape is what of the common options shapes an answer.
type commonShape struct {
	Preset    string
	Mapping   []ClaimMapping
	Default   bool
	Principal []string
	Prefix    string
	Tenant    string
}

func (c *Common) shaping() commonShape {
	return commonShape{c.ClaimsPreset, c.ClaimsMapping, c.ClaimsMapping == nil, c.PrincipalClaim, c.PrincipalPrefix, c.TenantClaim}
}

var _ caddy.Destructor = (*answers)(nil)
