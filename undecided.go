package stackauth

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// passBy is for requests that the matcher leaves out: they go on undecided,
// but not with an identity that nobody established, in either direction. What
// an earlier stack_auth set stays.
func (h *Handler) passBy(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.URL.Opaque != "" {
		h.disarm(r)
		return h.refuse(w, r, new(exchange), ambiguousRequest.because("request target is not a path"))
	}
	// The names of announced trailers say nothing of what will come in them. They
	// are forgotten in the map, too, which copies of the request share: an error
	// route gets the one that it was at first.
	clear(r.Trailer)
	r.Trailer = nil
	defuse(r.Header)
	x := exchangeOf(r.Context())
	if x != nil || inErrorRoute(r) {
		x, r = record(r) // before stripping: what was set before an error goes first
	}
	if x != nil && x.by != nil && !x.over {
		x.setAside(h.inbound.strip(r, x.by.outbound))
		return next.ServeHTTP(w, r)
	}
	if removed := h.inbound.strip(r, nil); removed != nil {
		x, r = record(r)
		x.setAside(removed)
	}
	g := guard(w, h.outbound, nil)
	err := next.ServeHTTP(g, r)
	g.finish()
	return err
}

// undecided is for requests of which the matcher cannot tell whether they are for
// us. An error route gets them; those that are not for one are answered here: the
// route would get the request as it was before any handler copied it, with its
// trailers and its protocol.
func (h *Handler) undecided(w http.ResponseWriter, r *http.Request, err error) error {
	answered := answeredHere(r)
	h.disarm(r)
	if answered {
		return h.refuse(w, r, new(exchange), matcherFailed(err))
	}
	return err
}

// disarm takes off what error routes, which may lead to the stack, must not
// find on a request that was not decided.
func (h *Handler) disarm(r *http.Request) {
	x := exchangeOf(r.Context())
	if x == nil || x.by == nil || x.over { // else an earlier stack_auth has done so
		x = new(exchange)
		h.inbound.strip(r, nil)
		h.withhold(x, r)
	}
	// Trailers to come, and the protocol of a CONNECT, are on the request that an
	// error route gets, and this may be a copy: see answeredHere.
	x.surrender(r)
}

func matcherFailed(err error) *refusal {
	if wantsHandshake(err) {
		return tooEarly.because("matchers of the block want to know the address, which early data does not prove")
	}
	return insufficientPermissions.because("matchers of the block failed")
}

// wantsHandshake reports whether a matcher about addresses failed because the
// request came in TLS early data: whoever sends it again after the handshake
// gets an answer (RFC 8470, section 5.2).
func wantsHandshake(err error) bool {
	fault, ok := errors.AsType[caddyhttp.HandlerError](err)
	return ok && fault.StatusCode == http.StatusTooEarly
}
