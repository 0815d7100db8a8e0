package providers

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
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

	// Posted says that questions have more than a token (Question.Posted). Their
	// answers are kept apart from those to other providers, for one credential
	// can have any number of them.
	Posted bool
}

// Question is what a judge is asked.
type Question struct {
	// Token is the credential.
	Token string

	// Posted is what else the answer may depend on, such as the whole request
	// that the judge is shown; nil for nothing.
	Posted []byte

	ends time.Time // what a JWT shows of its own end, zero for nothing
}

// SetUpJudge prepares Ask. It belongs into a guest's Provision, behind SetUp
// and SetUpNetwork. The guest's Cleanup then calls CleanUpJudge.
func (n *Network) SetUpJudge(c *Common, j Judge) error {
	n.ttl = j.CacheTTL
	if n.CacheTTL != nil {
		n.ttl = time.Duration(*n.CacheTTL)
	}
	n.log = c.Logger()
	limits := ofTokens
	if j.Posted {
		limits = ofRequests
	}
	if err := n.shareAnswers(c, limits, struct {
		Address string
		Shape   any
	}{j.Address, j.Shape}); err != nil {
		return err
	}
	trust := sha256.Sum256(fmt.Appendf(nil, "%q %q", j.Address, n.transport))
	var err error
	n.service, n.releaseService, err = acquireService(fmt.Sprintf("%x", trust))
	return err
}

// shareAnswers takes hold of the answer cache, for answers of the given shape.
func (n *Network) shareAnswers(c *Common, limits answerLimits, shape any) error {
	b, err := json.Marshal(struct {
		Type, Name, Transport string
		Common                commonShape
		Shape                 any
	}{c.kind, c.Name, n.transport, c.shaping(), shape})
	if err != nil {
		return fmt.Errorf("encoding configuration: %w", err)
	}
	if bytes.Contains(b, []byte(`\ufffd`)) {
		// This is how JSON has bytes that are not UTF-8, whichever they are. Two
		// secrets of such bytes would look the same, so answers are shared with
		// nobody.
		b = append(b, rand.Text()...)
	}
	n.shape = sha256.Sum256(b)
	n.answers, n.releaseAnswers, err = acquireAnswers(limits)
	return err
}

// CleanUpJudge gives back what SetUpJudge took. It may be called after a
// SetUpJudge that failed, or that never ran. Requests that are under way may
// still Ask afterwards.
func (n *Network) CleanUpJudge() error {
	var errs []error
	if n.releaseAnswers != nil {
		errs = append(errs, n.releaseAnswers())
	}
	if n.releaseService != nil {
		errs = append(errs, n.releaseService())
	}
	return errors.Join(errs...)
}

// Known returns the answer that was given lately to the question, nil without
// one. Ask looks as well; a provider that looks here first does not make the
// function that Ask wants, and what that needs, for nothing.
func (n *Network) Known(q Question) Answer {
	if hit := n.recall(n.keyOf(q), time.Now()); hit != nil {
		return hit.answer()
	}
	return nil
}

// Ask returns what the judge says to the question: an answer that was given
// lately, or else that of call, which asks the service within the context's
// time. Callers with the same question at the same time share one call, and
// none of them ends it by hanging up. While the judge cannot tell, a yes serves
// on for stale_if_error. An answer is never used beyond the credential's own
// end, be it that of the Yes or, for a JWT, the exp that it shows.
func (n *Network) Ask(r *http.Request, q Question, call func(context.Context) Answer) Answer {
	if q.Posted != nil && n.answers.limits != ofRequests {
		return &CannotTell{Err: errors.New("provider posts more than a token, and Judge.Posted does not say so"), Answered: true}
	}
	key := n.keyOf(q)
	if hit := n.recall(key, time.Now()); hit != nil {
		return hit.answer()
	}
	if err := r.Context().Err(); err != nil {
		return &CannotTell{Err: err}
	}
	// What says of itself that it is over need not be asked about.
	q.ends = unverifiedExpiry(q.Token)
	if !q.ends.IsZero() {
		q.ends = q.ends.Add(n.leeway)
	}
	if over(q.ends) {
		return &No{Reason: reasonExpired, Expired: true}
	}
	var answer Answer
	if n.ttl == 0 {
		// Not shared: an answer to a question that was asked before this request
		// came may be from before a revocation.
		ctx, cancel := endOf(r)
		defer cancel()
		answer = n.consult(ctx, key, q, call) //nolint:contextcheck // what the request's context holds stays here: see endOf
	} else {
		answer = n.join(r, key, q, call)
	}
	if cannot, unsure := answer.(*CannotTell); unsure && !cannot.Provoked {
		if yes := n.stale(key, q, time.Now()); yes != nil {
			return yes
		}
	}
	return answer
}

// endOf returns a context that ends with the request, and has nothing else of
// it: a placeholder in the options of a transport must not be one that the
// caller writes.
func endOf(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	stop := context.AfterFunc(r.Context(), cancel)
	return ctx, func() { stop(); cancel() }
}

// flown is an answer that several callers wait for.
type flown struct {
	answer Answer
	asked  time.Time
}

// join asks together with all who have the same question now.
func (n *Network) join(r *http.Request, key answerKey, q Question, call func(context.Context) Answer) Answer {
	came := time.Now()
	// Whoever is less patient does not wait for those who are more so.
	flight := string(key[:]) + "/" + strconv.FormatInt(int64(n.Timeout), 10)
	for {
		landing := n.answers.flights.DoChan(flight, func() (any, error) { //nolint:contextcheck // belongs to all who wait
			if hit := n.recall(key, time.Now()); hit != nil {
				return flown{hit.answer(), hit.stored}, nil
			}
			asked := time.Now()
			return flown{n.consult(context.Background(), key, q, call), asked}, nil
		})
		select {
		case landed := <-landing:
			f := landed.Val.(flown)
			// A slow judge may have said yes for longer than cache_ttl before this
			// request came: what was revoked since then would be let in.
			if _, yes := f.answer.(*Yes); !yes || came.Sub(f.asked) < n.ttl {
				return f.answer
			}
		case <-r.Context().Done():
			return &CannotTell{Err: r.Context().Err()}
		}
	}
}

// recall returns an answer that was given lately, nil without any.
func (n *Network) recall(key answerKey, now time.Time) *remembered {
	if n.ttl > 0 {
		if hit, there := n.answers.yeses.Get(key); there && hit.live(now) && hit.age(now) < n.ttl {
			return hit
		}
	}
	if hit, there := n.answers.noes.Get(key); there && hit.age(now) < noTTL {
		return hit
	}
	return nil
}

// stale returns a yes beyond its time, where stale_if_error lets it serve on.
func (n *Network) stale(key answerKey, q Question, now time.Time) Answer {
	if n.StaleIfError == nil {
		return nil
	}
	hit, there := n.answers.yeses.Get(key)
	if there && n.refusedSince(q, hit) {
		return nil
	}
	// Subtracted, and not added: two long times could overflow.
	if there && hit.live(now) && hit.age(now)-n.ttl < time.Duration(*n.StaleIfError) {
		n.log.Debug("the judge cannot tell: its last yes serves on")
		return hit.yes
	}
	return nil
}

// refusedSince reports whether the token was refused after the yes was given, be
// it with another request: then it has been revoked, as far as can be known.
func (n *Network) refusedSince(q Question, yes *remembered) bool {
	if q.Posted == nil {
		return false // a no has taken the yes's place
	}
	no, there := n.answers.noes.Peek(n.refusalOf(q.Token))
	return there && !no.stored.Before(yes.stored)
}

// keeps reports whether a yes can serve again.
func (n *Network) keeps() bool {
	return n.ttl > 0 || n.StaleIfError != nil && *n.StaleIfError > 0
}

// consult asks the judge, and remembers what it says.
func (n *Network) consult(ctx context.Context, key answerKey, q Question, call func(context.Context) Answer) Answer {
	asked := time.Now()
	// Guarded once more: a panic in a flight would end the process.
	answer := guarded(func() Answer {
		a := n.service.ask(ctx, time.Duration(n.Timeout), n.log, call)
		if yes, ok := a.(*Yes); ok {
			return bounded(yes, q.ends)
		}
		return a
	})
	switch a := answer.(type) {
	case *Yes:
		if n.keeps() {
			n.answers.addYes(key, &remembered{yes: a, stored: asked, ends: a.Expires})
		}
	case *No:
		n.answers.addNo(key, &remembered{no: a, stored: asked})
		if q.Posted != nil {
			n.answers.addNo(n.refusalOf(q.Token), &remembered{no: a, stored: asked})
		}
	}
	return answer
}

// refusalOf is the key under which it is kept that a token was refused with some
// request. It is no question's.
func (n *Network) refusalOf(token string) answerKey {
	key := n.answers.keyOf(&n.shape, token)
	return sha256.Sum256(append(key[:], "refused"...))
}

// keyOf returns the key of a question: of the token, and of what was posted
// with it, if anything was.
func (n *Network) keyOf(q Question) answerKey {
	key := n.answers.keyOf(&n.shape, q.Token)
	if q.Posted == nil {
		return key
	}
	var parts [2 * sha256.Size]byte
	digest := sha256.Sum256(q.Posted)
	copy(parts[:], key[:])
	copy(parts[sha256.Size:], digest[:])
	return sha256.Sum256(parts[:])
}

// bounded ends a yes with the credential: judges go on saying yes until the
// second is over, and some never look. What a JWT shows of its end is not
// verified here; it can only make the answer shorter.
func bounded(yes *Yes, shown time.Time) Answer {
	if !shown.IsZero() && (yes.Expires.IsZero() || shown.Before(yes.Expires)) {
		shorter := *yes
		shorter.Expires = shown
		yes = &shorter
	}
	if over(yes.Expires) {
		return &No{Reason: reasonExpired, Expired: true}
	}
	return yes
}

// over reports whether a time is over, if there is one.
func over(end time.Time) bool { return !end.IsZero() && !time.Now().Before(end) }

// commonShape is what of the common options shapes an answer.
type commonShape struct {
	Preset    string
	Mapping   []ClaimMapping
	Default   bool
	Principal []string
	Prefix    string
	Tenant    string
	CompatOGX bool
}

func (c *Common) shaping() commonShape {
	return commonShape{c.ClaimsPreset, c.ClaimsMapping, c.ClaimsMapping == nil, c.PrincipalClaim, c.PrincipalPrefix, c.TenantClaim, c.compat}
}
