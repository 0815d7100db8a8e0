package stackauth

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

// decide is the way of a request, one step after the other. Each step may end
// it; none goes back.
func (h *Handler) decide(x *exchange, r *http.Request) *refusal {
	if h.chain == nil {
		known := methodAllowed(r)  // a directive in between may have changed it
		if x.by == nil || x.over { // nobody before us has taken forged headers off
			h.disarm(r)
		}
		if !known {
			return x.refuseForm(methodNotAllowed.because("method is not allowed"))
		}
		path, no := h.rulePath(x, r)
		if no != nil {
			return no
		}
		return h.enforce(x, r, path)
	}
	// Forged headers go first: whatever happens to the request afterwards,
	// error routes included, nobody must find them.
	presented, doubled := h.collect(x, r)
	x.setAside(h.inbound.strip(r, nil))
	path, no := h.checkForm(r)
	if no != nil {
		x.withheld = h.withhold(x, r)
		return no
	}
	x.below = path
	if h.isPublic(path) {
		h.passToken(x, r)
		return nil
	}
	if h.AllowPreflight && isPreflight(r) {
		x.preflight = true
		x.withheld = h.withhold(x, r)
		dropBodyAndTunnel(r)
		return nil
	}
	credential, err := h.sources.Find(r)
	x.withheld = h.withhold(x, r)
	if err != nil {
		return refuseCredential(err)
	}
	if doubled != "" {
		return duplicateCredential.because("header " + doubled + " is there more than once")
	}
	credential.Headers = presented
	if no := h.authenticate(x, r, credential); no != nil {
		return no
	}
	if no := h.enforce(x, r, path); no != nil {
		return no
	}
	if no := h.identity.write(r.Header, x.user); no != nil {
		x.rule, x.explained = "", "" // no rule decided this
		return no
	}
	h.forward(x, r, credential)
	return nil
}

// passToken takes the credential off a request that needs none. With
// forward_token it goes on, unchecked, in the form in which it always does;
// one that is not in the form of any does not.
func (h *Handler) passToken(x *exchange, r *http.Request) {
	credential, err := h.sources.Find(r)
	x.withheld = h.withhold(x, r)
	if err == nil {
		h.forward(x, r, credential)
	}
}

// forward sends the credential on, where the configuration says so.
func (h *Handler) forward(x *exchange, r *http.Request, c providers.Credential) {
	if h.ForwardToken && c.Token != "" {
		x.withheld.Forward(r, c)
	}
}

// matches reports whether the handler is for this request. HEAD, and the
// CONNECT that opens a WebSocket, count as the GET that they become behind us:
// a matcher of methods must not be a way around.
func (h *Handler) matches(r *http.Request) (bool, error) {
	matched, err := h.matchers.AnyMatchWithError(r)
	if !matched && err == nil && (r.Method == http.MethodHead || extendedConnect(r)) {
		matched, err = matchAsGet(r, h.matchers)
	}
	if !matched && err == nil && (h.reads.inTwoMinds(r) || h.reads.path && climbs(r.URL.Path)) {
		return true, nil // it may be for us, and then must not go on undecided
	}
	return matched, err
}

// matchAsGet matches the request as the GET that it becomes.
func matchAsGet(r *http.Request, matchers caddyhttp.MatcherSets) (bool, error) {
	if extendedConnect(r) {
		defer asUpgrade(r.Header)()
	}
	get := r.WithContext(r.Context())
	get.Method = http.MethodGet
	if repl := replacerOf(r); repl != nil {
		repl.Set(methodPlaceholder, http.MethodGet) // expressions may ask for it
		defer repl.Delete(methodPlaceholder)
	}
	return matchers.AnyMatchWithError(get)
}

const methodPlaceholder = "http.request.method"

// upgradeHeaders are those that a CONNECT for a WebSocket has behind us, and only
// there. Matchers tell WebSockets by them.
var upgradeHeaders = http.Header{
	"Connection":        {"Upgrade"},
	"Upgrade":           {"websocket"},
	"Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}, // whatever it will be
}

// asUpgrade sets them, and returns how to undo it. Placeholders read the header
// of the request itself, so that a copy would not do.
func asUpgrade(h http.Header) (undo func()) {
	before := make(http.Header, len(upgradeHeaders))
	for name, values := range upgradeHeaders {
		if own, there := h[name]; there {
			before[name] = own
		}
		h[name] = slices.Clone(values)
	}
	return func() {
		for name := range upgradeHeaders {
			delete(h, name)
		}
		maps.Copy(h, before)
	}
}

// withhold takes the credential off the request, from wherever this handler,
// or an earlier one whose place it takes, looks for it. Caddy gives error
// routes the URL back as it came, so one in the query has to go there too.
func (h *Handler) withhold(x *exchange, r *http.Request) providers.Withheld {
	sources := h.sources
	if len(x.earlier) > 0 {
		sources = slices.Concat(h.sources, x.earlier)
	}
	taken := sources.Withhold(r)
	if !sources.UseQuery() {
		return taken
	}
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		sources.Withhold(&http.Request{Header: make(http.Header), URL: original.URL})
	}
	return taken
}

func (h *Handler) isPublic(path string) bool {
	for _, p := range h.public {
		if p.Matches(path) {
			return true
		}
	}
	return false
}

// authenticate finds out who presents the credential.
func (h *Handler) authenticate(x *exchange, r *http.Request, c providers.Credential) *refusal {
	h.rehearsed.awaits(r.Context())
	answer, by := h.chain.Authenticate(r, c)
	if by != nil {
		x.provider = by.Options().Name
	}
	// A judge that was interrupted has not judged.
	if err := r.Context().Err(); err != nil {
		answer = &providers.CannotTell{Err: err}
	}
	switch a := answer.(type) {
	case *providers.Yes:
		user, no := h.Tenancy.assign(a.User)
		if no != nil {
			x.user = a.User
			return no
		}
		x.user = user
		return nil
	case *providers.No:
		return refuseToken(a)
	case *providers.CannotTell:
		return refuseUnavailable(a)
	}
	if c.Token != "" {
		return refuseToken(&providers.No{Reason: "no provider takes the token for its own: " + reasonOf(answer)})
	}
	if h.AllowAnonymous && !h.Tenancy.demanded() {
		x.anonymous = true
		return nil
	}
	reason := "no credential"
	if others := reasonOf(answer); others != "" {
		reason += "; " + others
	}
	return refuseMissing(reason)
}

func reasonOf(a providers.Answer) string {
	notMine, _ := a.(providers.NotMine)
	return notMine.Reason
}

// checkForm refuses requests that two servers could read differently, and
// returns the path that rules are read on.
func (h *Handler) checkForm(r *http.Request) (string, *refusal) {
	path, no := checkForm(r)
	if no != nil || h.BasePath == "" {
		return path, no
	}
	below, under := cutBase(path, h.BasePath)
	if !under {
		return "", refuseOutside()
	}
	return below, nil
}

func refuseCredential(err error) *refusal {
	fault, ok := errors.AsType[*providers.CredentialError](err)
	if !ok {
		return malformedCredential.because(err.Error())
	}
	switch fault.Fault {
	case providers.FaultDuplicate:
		return duplicateCredential.because(fault.Reason)
	case providers.FaultTooLong:
		return invalidToken.because(fault.Reason)
	case providers.FaultOrigin:
		return originMismatch.because(fault.Reason)
	default:
		return malformedCredential.because(fault.Reason)
	}
}

func refuseToken(no *providers.No) *refusal {
	if no.Expired {
		return expiredToken.because(no.Reason)
	}
	return invalidToken.because(no.Reason)
}

func refuseMissing(reason string) *refusal { return missingCredential.because(reason) }

func refuseOutside() *refusal { return outsideBasePath.because("path is not below base_path") }

func refuseUnavailable(a *providers.CannotTell) *refusal {
	no := authUnavailable.because(a.Err.Error())
	no.retryAfter = max(a.RetryAfter, time.Second)
	return no
}

// ruleName names a rule without a description by its kind and number.
func ruleName(kind string, index int) string { return kind + " " + strconv.Itoa(index+1) }
