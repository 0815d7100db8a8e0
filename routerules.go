package stackauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// RouteRule is a `permit` or `forbid` on routes, with Caddy's matchers beside
// what it says itself.
type RouteRule struct {
	abac.RouteRule

	// Caddy matchers that must match too, for the rule to apply. One that fails
	// denies the request.
	Match caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	matchers caddyhttp.MatcherSets
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *RouteRule) UnmarshalJSON(b []byte) error {
	type fields RouteRule
	return abac.DecodeRule(b, (*fields)(r))
}

// RouteRules are the rules of a block, in their order.
type RouteRules []RouteRule

// UnmarshalJSON implements json.Unmarshaler. Without rules everybody may: that is
// said by leaving them out, and not by what is left of a template.
func (l *RouteRules) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return errNoRules
	}
	return json.Unmarshal(b, (*[]RouteRule)(l))
}

var errNoRules = errors.New("rules is empty, and would allow everything: leave it out for that")

// routePolicies are the route rules of a handler as they are read by itself, and
// as they are read where the handler that it enforces for is compat.
type routePolicies struct {
	own       *abac.RoutePolicy
	inherited *abac.RoutePolicy
}

// loadRouteRules compiles the route rules. nil stands for no rules.
func (h *Handler) loadRouteRules(ctx caddy.Context) (*routePolicies, error) {
	if len(h.Rules) == 0 {
		return nil, nil
	}
	rules := make([]abac.RouteRule, 0, len(h.Rules))
	for i := range h.Rules {
		r := &h.Rules[i]
		if err := r.loadMatchers(ctx); err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		rules = append(rules, r.RouteRule)
	}
	own, err := abac.NewRoutePolicy(rules, h.Compat)
	if err != nil {
		return nil, err
	}
	if len(h.ProvidersRaw) > 0 || h.Compat == abac.CompatOGX {
		return &routePolicies{own, own}, nil // with providers nothing is inherited; with compat there is one reading
	}
	inherited, err := abac.NewRoutePolicy(rules, abac.CompatOGX)
	return &routePolicies{own, inherited}, err
}

func (r *RouteRule) loadMatchers(ctx caddy.Context) error {
	if r.Match == nil {
		return nil
	}
	loaded, err := ctx.LoadModule(r, "Match")
	if err != nil {
		return fmt.Errorf("loading matchers: %w", err)
	}
	if err := r.matchers.FromInterface(loaded); err != nil {
		return err
	}
	reads := readingOf(r.matchers)
	r.Guard = func(request any, effect abac.Effect) (bool, error) {
		req := request.(*http.Request)
		if reads.inTwoMinds(req) {
			return false, errInTwoMinds
		}
		return matchedAs(req, r.matchers, effect)
	}
	return nil
}

// matchedAs reports whether the matchers of a rule match. HEAD, and the CONNECT
// that opens a WebSocket, count as GET; a forbid reads them as they are, too.
func matchedAs(r *http.Request, matchers caddyhttp.MatcherSets, effect abac.Effect) (bool, error) {
	if r.Method != http.MethodHead && !extendedConnect(r) {
		return matchers.AnyMatchWithError(r)
	}
	if effect == abac.Forbid {
		if matched, err := matchers.AnyMatchWithError(r); matched || err != nil {
			return matched, err
		}
	}
	return matchAsGet(r, matchers)
}

// of returns the policy in the reading that holds for the request.
func (p *routePolicies) of(x *exchange) *abac.RoutePolicy {
	if x.by != nil && !x.over && x.by.Compat == abac.CompatOGX {
		return p.inherited
	}
	return p.own
}

// checkRules finds what is wrong with the rules as they are written.
func (h *Handler) checkRules() error {
	if h.Rules != nil && len(h.Rules) == 0 {
		// Whoever deletes the last permit wants nobody to pass.
		return errNoRules
	}
	for i := range h.Rules {
		if err := errors.Join(h.Rules[i].Check(), h.Rules[i].checkMatch()); err != nil {
			return fmt.Errorf("rule %d: %w", i+1, err)
		}
	}
	if err := h.Compat.Check(); err != nil {
		return err
	}
	if h.ExplainHeader != nil {
		if err := h.ExplainHeader.Check(); err != nil {
			return fmt.Errorf("explain_header: %w", err)
		}
	}
	return h.checkAccessPolicy()
}
