package stackauth

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

const (
	allowed = "allow"
	denied  = "deny"

	userPrefix = "http.auth.user."
	ownPrefix  = "http.stack_auth."
)

// exchange is what is known of one request, shared by the stack_auth handlers
// that it passes. It lives in the request's context and is used by one
// goroutine at a time.
type exchange struct {
	user      *abac.User // nil: nobody, or anonymous
	anonymous bool
	preflight bool // let pass as a CORS preflight, without asking who

	provider string
	decision string
	rule     string
	refused  *refusal

	explained string // what the answer says of the rule, to those who may know
	below     string // the canonical path below base_path, when `by` decided

	by       *Handler // that found out who calls, or let the request pass
	over     bool     // what `by` decided was before an error, and holds no more
	withheld providers.Withheld
	earlier  providers.TokenSources // of handlers whose place `by` has taken

	// aside is what was stripped, for a provider further on that takes the
	// caller from headers of a proxy in front. It never goes back.
	aside http.Header
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// enter returns the record of the request and the request that carries it. A
// handler with providers starts afresh: what an earlier one established, set
// and took off is undone.
func enter(r *http.Request, h *Handler) (*exchange, *http.Request) {
	x, r := record(r)
	if x.refused != nil || h.chain != nil {
		x.rule, x.decision, x.refused, x.explained = "", "", nil, ""
	}
	if h.chain == nil {
		return x, r
	}
	earlier := x.earlier
	if x.by != nil {
		x.by.identity.remove(r.Header)
		x.withheld.Restore(r)
		earlier = slices.Concat(earlier, x.by.sources)
	}
	*x = exchange{by: h, earlier: earlier, aside: x.aside}
	return x, r
}

// record returns the record of the request, made if there is none, and the
// request that carries it.
func record(r *http.Request) (*exchange, *http.Request) {
	x := exchangeOf(r.Context())
	if x != nil {
		x.endRefused()
		return x, r
	}
	if x = beforeError(r); x == nil {
		x = new(exchange)
		if repl := replacerOf(r); repl != nil {
			repl.Map(x.placeholder)
		}
	}
	known := r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	if known.Body != nil && known.Body != http.NoBody {
		known.Body = bodyOf{r}
	}
	return x, known
}

// bodyOf is the body of a request, also when a placeholder has read it and put
// what it read back: Caddy's are of the request that they were made for.
type bodyOf struct{ of *http.Request }

// Read implements io.Reader.
func (b bodyOf) Read(p []byte) (int, error) { return b.of.Body.Read(p) }

// Close implements io.Closer.
func (b bodyOf) Close() error { return b.of.Body.Close() }

// endRefused forgets whom a refusal was about. A further stack_auth after one is
// in an error route, be it one of a subroute, which keeps its context: what was
// refused before must not pass now.
func (x *exchange) endRefused() {
	if x.refused != nil {
		x.user, x.anonymous, x.preflight, x.over = nil, false, false, true
	}
}

// setAside keeps headers that were stripped. What came first counts: what a
// directive in between has set is on the request itself.
func (x *exchange) setAside(removed http.Header) {
	if x.aside == nil {
		x.aside = removed
		return
	}
	for name, values := range removed {
		if _, there := x.aside[name]; !there {
			x.aside[name] = values
		}
	}
}

// String says nothing: the record is reachable as a placeholder, and holds a
// credential.
func (*exchange) String() string { return "" }

// beforeError returns, in an error route, the record of the request before the
// error: the route has lost the context that it was in, but its placeholders
// still answer from it, and would answer first. Nobody has been found there,
// whoever asks: what was refused before must not pass now, and a header that was
// set for somebody must not come back as one that somebody sent.
func beforeError(r *http.Request) *exchange {
	repl := replacerOf(r)
	if repl == nil || !inErrorRoute(r) {
		return nil
	}
	v, _ := repl.Get(recordKey)
	x, _ := v.(*exchange)
	switch {
	case x == nil:
		return nil
	case x.by == nil:
		*x = exchange{aside: x.aside}
	default:
		x.by.identity.remove(r.Header)
		*x = exchange{by: x.by, over: true, withheld: x.withheld, earlier: x.earlier, aside: x.aside}
	}
	return x
}

func inErrorRoute(r *http.Request) bool { return r.Context().Value(caddyhttp.ErrorCtxKey) != nil }

// recordKey is no placeholder that is meant to be written; written all the
// same, it is empty (see String).
const recordKey = ownPrefix + "\x00record"

// UserFromContext returns who calls, for handlers that run after stack_auth.
// It reports false where nobody was established: on public paths, for
// anonymous callers, and without a stack_auth.
func UserFromContext(ctx context.Context) (*abac.User, bool) {
	x := exchangeOf(ctx)
	if x == nil || x.user == nil || x.refused != nil {
		return nil, false
	}
	return x.user, true
}

// admit records that the handler lets the request pass.
func (x *exchange) admit(r *http.Request, h *Handler) {
	if x.decision != denied { // in shadow, by this handler or one further out
		x.decision = allowed
	}
	if h.chain != nil {
		x.forgetOthers(r)
	}
}

// refuse records the refusal. Another plugin's user goes: nobody has been
// established, whatever it said.
func (x *exchange) refuse(r *http.Request, no *refusal) {
	x.refused, x.decision = no, denied
	x.forgetOthers(r)
}

// forgetOthers removes what another plugin said of the user, which Caddy's
// replacer would find first.
func (x *exchange) forgetOthers(r *http.Request) {
	if repl := replacerOf(r); repl != nil {
		repl.DeleteByPrefix(userPrefix)
	}
}

// placeholder answers for all placeholders of this module: one function
// instead of a dozen values set on every request, of which few are read.
func (x *exchange) placeholder(key string) (any, bool) {
	if name, ok := strings.CutPrefix(key, userPrefix); ok {
		if name == "id" {
			return x.principal(), true
		}
		return x.values(name), true
	}
	name, ok := strings.CutPrefix(key, ownPrefix)
	if !ok {
		return nil, false
	}
	if attribute, ok := strings.CutPrefix(name, "attributes."); ok {
		return x.values(attribute), true
	}
	switch name {
	case recordKey[len(ownPrefix):]:
		return x, true
	case "principal":
		return x.principal(), true
	case "tenant":
		if x.user != nil {
			return x.user.Tenant, true
		}
	case "attributes":
		if x.user != nil {
			return x.user.Attributes.JSON(), true
		}
	case "provider":
		if x.user != nil { // one that said no vouches for nobody
			return x.provider, true
		}
	case "decision":
		return x.decision, true
	case "rule":
		return x.rule, true
	case "resource", "action":
	case "error.type", "error.code", "error.message", "error.reason":
		return x.errorField(name), true
	default:
		return nil, false
	}
	return "", true
}

func (x *exchange) principal() string {
	if x.user == nil {
		return ""
	}
	return x.user.Principal
}

func (x *exchange) values(attribute string) string {
	if x.user == nil {
		return ""
	}
	return strings.Join(x.user.Attributes.Values(attribute), ",")
}

func (x *exchange) errorField(name string) string {
	if x.refused == nil {
		return ""
	}
	switch name {
	case "error.type":
		return x.refused.kind
	case "error.code":
		return x.refused.code
	case "error.reason":
		return x.refused.reason
	}
	return x.refused.message
}
