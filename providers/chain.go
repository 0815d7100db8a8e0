package providers

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Chain asks providers in order.
type Chain struct {
	list   []Provider
	shared bool
}

// NewChain returns the chain of the given providers, or an error if together
// they would not do what they seem to: two of one name, one that is never
// asked, or two that could give different people the same principal. With
// shared set, the same principal is the same person whoever vouches for it.
func NewChain(list []Provider, shared bool) (*Chain, error) {
	for i, p := range list {
		for _, earlier := range list[:i] {
			if err := checkPair(earlier, p, shared); err != nil {
				return nil, fmt.Errorf("provider %d (%s): %w", i+1, p.Options().Name, err)
			}
		}
	}
	return &Chain{list: list, shared: shared}, nil
}

func checkPair(earlier, p Provider, shared bool) error {
	a, b := earlier.Options(), p.Options()
	switch {
	case a.Name == b.Name:
		return fmt.Errorf("an earlier provider has the name %q: give each a name of its own", a.Name)
	case a.PrincipalPrefix == b.PrincipalPrefix && !shared:
		return fmt.Errorf("principal_prefix %q is also that of provider %s: "+
			"one's alice would be the other's; give them different prefixes, or say shared_principals", b.PrincipalPrefix, a.Name)
	case earlier.Scope().covers(p.Scope()) && !fallsThrough(earlier):
		return fmt.Errorf("it would never be asked: provider %s claims all of its tokens (tell them apart by issuer or with tokens, "+
			"or give that one fallthrough)", a.Name)
	}
	return nil
}

// fallsThrough reports whether a provider lets others be asked after its no.
func fallsThrough(p Provider) bool {
	f, ok := p.(interface{ FallsThrough() bool })
	return ok && f.FallsThrough()
}

// Authenticate asks the providers in order and returns the first answer that
// is not NotMine, with the provider that gave it. A *no* or *cannot tell* of a
// provider with `fallthrough` counts only if no later one says yes; then
// *cannot tell* goes before *no*, because the credential may be good.
func (c *Chain) Authenticate(r *http.Request, credential Credential) (Answer, Provider) {
	var last Answer
	var by Provider
	said := make([]saidBy, 0, 8)
	for _, p := range c.list {
		a := guarded(func() Answer { return p.Authenticate(r, credential) })
		if yes, ok := a.(*Yes); ok {
			if !c.shared && c.readsAsAnother(p, yes.User.Principal) {
				return &No{Reason: "principal could be taken for one of another provider"}, p
			}
			return a, p
		}
		said = append(said, saidBy{p, a})
		if _, ok := a.(NotMine); ok {
			continue
		}
		if _, unsure := last.(*CannotTell); !unsure {
			last, by = a, p
		}
		if !fallsThrough(p) {
			break
		}
	}
	if last == nil {
		return NotMine{Reason: reasonsOf(said)}, nil
	}
	return withReasons(last, said), by
}

// saidBy is a provider with its answer.
type saidBy struct {
	provider Provider
	answer   Answer
}

// reasonsOf names who said what.
func reasonsOf(said []saidBy) string {
	var texts []string
	for _, s := range said {
		var reason string
		switch a := s.answer.(type) {
		case NotMine:
			reason = a.Reason
		case *No:
			reason = a.Reason
		case *CannotTell:
			reason = a.Err.Error()
		}
		if reason != "" {
			texts = append(texts, s.provider.Options().Name+": "+reason)
		}
	}
	return strings.Join(texts, "; ")
}

// withReasons returns the answer with what every provider said before it, for
// the log: which of several turned a caller away is seldom the last one.
func withReasons(a Answer, said []saidBy) Answer {
	if len(said) == 1 {
		return a
	}
	switch a := a.(type) {
	case *No:
		return &No{Reason: reasonsOf(said), Expired: a.Expired}
	case *CannotTell:
		return &CannotTell{Err: errors.New(reasonsOf(said)), RetryAfter: a.RetryAfter, Answered: a.Answered, Provoked: a.Provoked}
	}
	return a
}

// readsAsAnother reports whether the principal that p vouches for looks like
// one of another provider: the "github:1" of a provider without a prefix
// beside one whose principal_prefix is "github:".
func (c *Chain) readsAsAnother(p Provider, principal string) bool {
	if len(c.list) == 1 {
		return false
	}
	own := p.Options().PrincipalPrefix
	for _, other := range c.list {
		prefix := other.Options().PrincipalPrefix
		if len(prefix) > len(own) && strings.HasPrefix(principal, prefix) {
			return true
		}
	}
	return false
}

// guarded keeps a judge that panics, or that returns nothing, from letting
// anybody in: neither says that the credential is bad, so nobody can tell. Nor
// does it say that the service is down: a credential that makes a judge panic
// must not open its circuit breaker.
func guarded(judge func() Answer) (a Answer) {
	defer func() {
		if v := recover(); v != nil {
			a = &CannotTell{Err: fmt.Errorf("provider panicked: %T", v), Answered: true}
		}
	}()
	if a = judge(); !isAnswer(a) {
		return &CannotTell{Err: errors.New("provider gave no answer"), Answered: true}
	}
	return a
}

// isAnswer reports whether a is one of the four answers, with something in it:
// other types can have the method by embedding one of them, and a yes to
// nobody would be anonymous further on.
func isAnswer(a Answer) bool {
	switch answer := a.(type) {
	case *Yes:
		return answer != nil && answer.User != nil && answer.User.Principal != ""
	case *No:
		return answer != nil
	case *CannotTell:
		return answer != nil && answer.Err != nil
	case NotMine:
		return true
	}
	return false
}
