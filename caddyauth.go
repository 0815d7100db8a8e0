// Package stackauth is a Caddy module that stands in front of Llama Stack
// (OGX) or any OpenAI-compatible server, finds out who calls, and decides what
// they may do.
package stackauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler authenticates requests and authorizes them, in front of Llama Stack
// (OGX), vLLM, Ollama or any other OpenAI-compatible server.
//
// Its providers find out who calls; the answer becomes a principal, a tenant
// and attributes: as placeholders, for logs, and as headers that the stack
// behind can rely on. Everyone else gets a JSON answer in the form of the
// OpenAI API: 401 with `WWW-Authenticate`, 403, or 503 where it cannot be told
// whether a credential is good.
//
// A handler without providers enforces on the identity that an earlier one in
// the same chain established: one at the site level says who, and small ones
// further in say what.
//
// These placeholders are set, empty where there is nothing to say:
//
// Placeholder | Description
// ------------|-------------
// `{http.auth.user.id}`, `{http.stack_auth.principal}` | The principal
// `{http.auth.user.<attribute>}`, `{http.stack_auth.attributes.<attribute>}` | The values of an attribute, joined by commas
// `{http.stack_auth.attributes}` | All attributes as a JSON object of lists
// `{http.stack_auth.tenant}` | The tenant
// `{http.stack_auth.provider}` | The name of the provider that vouches for the caller
// `{http.stack_auth.decision}` | `allow` or `deny`
// `{http.stack_auth.rule}` | The rule that decided
// `{http.stack_auth.resource}`, `{http.stack_auth.action}` | What was asked for
// `{http.stack_auth.error.type}`, `.code`, `.message` | The refusal
// `{http.stack_auth.error.reason}` | Why, as the log says: each provider's reason. Not for callers
type Handler struct {
	// Which requests this handler is for. Others go on without a decision, but
	// not with forged identity headers.
	Match caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// Who finds out who calls: asked in this order, until one says something
	// else than that the credential is not its own.
	ProvidersRaw []json.RawMessage `json:"providers,omitempty" caddy:"namespace=http.stack_auth.providers inline_key=type"`

	// Where the credential may be. Default: the header
	// `Authorization: Bearer <token>`.
	TokenSources []providers.TokenSource `json:"token_sources,omitempty"`

	// Sends the credential to the stack, as `Authorization: Bearer <token>`.
	// Otherwise it is removed, on public paths too.
	ForwardToken bool `json:"forward_token,omitempty"`

	// Paths that need no authentication: exact, or with a trailing `*`.
	Public []string `json:"public,omitempty"`

	// Lets requests without any credential pass as anonymous. A bad credential
	// is refused all the same.
	AllowAnonymous bool `json:"allow_anonymous,omitempty"`

	// Lets CORS preflights pass without credential and body.
	AllowPreflight bool `json:"allow_preflight,omitempty"`

	// The realm in `WWW-Authenticate`. Default: stack.
	Realm string `json:"realm,omitempty"`

	// How tenants are told apart. Default: not at all.
	Tenancy *Tenancy `json:"tenancy,omitempty"`

	// Takes the same principal from any provider for the same person. Without
	// it, two providers need different values of `principal_prefix`.
	SharedPrincipals bool `json:"shared_principals,omitempty"`

	// The prefix below which the stack lives. It is taken off before paths are
	// compared; other paths are answered with 404.
	BasePath string `json:"base_path,omitempty"`

	// What every caller must have: all of these.
	Require Requirements `json:"require,omitempty"`

	// Who may use which route: in this order, the first rule that applies
	// decides. Without rules every caller may; with rules of which none applies,
	// nobody.
	Rules RouteRules `json:"rules,omitempty"`

	// Who may do what with which resource: in this order, the first rule that
	// applies decides. Without rules the default policy holds: the owner, and
	// whoever matches the owner's attributes. The gateway does not enforce it;
	// `caddy stack-auth explain` and `test` decide by it.
	AccessPolicy []abac.Rule `json:"access_policy,omitempty"`

	// Who matches an owner's attributes, by the default policy. all: of every
	// attribute that the owner had a value is shared, and one of them is another
	// than roles. any: of one attribute other than roles. Default: all.
	OwnerMatch abac.OwnerMatch `json:"owner_match,omitempty"`

	// `ogx` decides as Llama Stack (OGX) does where the two differ on purpose,
	// for policies that come from there.
	Compat abac.Compat `json:"compat,omitempty"`

	// What rules and `require` refuse is logged and counted, and goes on.
	// Authentication, tenancy and the form of requests are enforced all the same.
	// Of this block alone: blocks further in enforce theirs.
	Shadow bool `json:"shadow,omitempty"`

	// Who is told, in the header X-Stack-Auth-Rule of the answer, which rule
	// decided: callers who have the attribute with one of the values.
	ExplainHeader *abac.Requirement `json:"explain_header,omitempty"`

	// How the stack is told who calls.
	IdentityHeaders *IdentityHeaders `json:"identity_headers,omitempty"`

	// More request headers that never reach the stack: names, or prefixes with
	// a trailing `*`. Any case, and `_` or `.` for `-`.
	StripHeaders []string `json:"strip_headers,omitempty"`

	// `caddy` hands refusals to Caddy's error routes instead of answering in
	// JSON. The headers of the answer are set first.
	Errors string `json:"errors,omitempty"`

	// Log levels by category: auth, providers, policy, resources, quota,
	// upstream, or all. The environment variable STACK_AUTH_LOGGING, in the
	// form `policy=debug;all=info`, goes before it.
	LogLevels map[string]string `json:"log_levels,omitempty"`

	matchers caddyhttp.MatcherSets
	reads    reading          // of the matchers
	chain    *providers.Chain // nil: enforces on what an earlier handler found
	readers  []headerReader
	sources  providers.TokenSources
	public   []abac.PathPattern
	inbound  *headerRules
	outbound *headerRules
	identity *identityWriter
	routes   *routePolicies // nil: no rules

	accessPolicyAt []string // where its rules are in the Caddyfile
	log            *categoryLoggers
	rehearsed      *rehearsedBlock // nil, but in `caddy stack-auth explain` and `test`
}

// CaddyModule implements caddy.Module.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.stack_auth",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision implements caddy.Provisioner. It touches no network: keys are
// fetched when Caddy has started, or for the first request.
func (h *Handler) Provision(ctx caddy.Context) error {
	var err error
	h.rehearsed = rehearsedIn(ctx)
	if h.log, err = newCategoryLoggers(ctx.Logger(), h.LogLevels); err != nil {
		return err
	}
	if err := h.check(); err != nil {
		return err
	}
	if h.Match != nil {
		matchers, err := ctx.LoadModule(h, "Match")
		if err != nil {
			return fmt.Errorf("loading matchers: %w", err)
		}
		if err := h.matchers.FromInterface(matchers); err != nil {
			return err
		}
		h.reads = readingOf(h.matchers)
	}
	if h.routes, err = h.loadRouteRules(ctx); err != nil {
		return err
	}
	if err := registerMetrics(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	list, err := h.loadProviders(ctx)
	if err != nil {
		return err
	}
	for _, pattern := range h.Public {
		p, err := abac.ParsePathPattern(pattern)
		if err != nil {
			return fmt.Errorf("public: %w", err)
		}
		h.public = append(h.public, p)
	}
	h.sources = h.TokenSources
	if len(h.sources) == 0 {
		h.sources = providers.TokenSources{providers.DefaultTokenSource()}
	}
	h.warnAboutAccessLog()
	h.warnAboutAccessPolicy()
	h.identity = newIdentityWriter(h.IdentityHeaders)
	h.inbound = inboundRules(h.IdentityHeaders, h.StripHeaders)
	var names []string
	h.readers, names = headerReaders(list)
	h.inbound.add(names...)
	h.outbound = identityRules(h.IdentityHeaders)
	return nil
}

func (h *Handler) loadProviders(ctx caddy.Context) ([]providers.Provider, error) {
	if len(h.ProvidersRaw) == 0 {
		return nil, nil
	}
	if h.rehearsed.castsProviders() {
		return h.playProviders()
	}
	loaded, err := providerContext(ctx, h).LoadModule(h, "ProvidersRaw")
	if err != nil {
		return nil, fmt.Errorf("loading providers: %w", err)
	}
	var list []providers.Provider
	for i, m := range loaded.([]any) {
		p, ok := m.(providers.Provider)
		if !ok {
			return nil, fmt.Errorf("provider %d: module %T is not a provider of stack_auth", i+1, m)
		}
		if err := h.Tenancy.checkProvider(p); err != nil {
			return nil, fmt.Errorf("provider %d (%s): %w", i+1, p.Options().Name, err)
		}
		list = append(list, p)
	}
	if h.chain, err = providers.NewChain(list, h.SharedPrincipals); err != nil {
		return nil, err
	}
	h.rehearsed.holds(list)
	return list, warmOnStart(ctx, list)
}

// Validate implements caddy.Validator.
func (h *Handler) Validate() error {
	if h.chain == nil {
		return h.checkEnforcementOnly()
	}
	return nil
}

// Cleanup implements caddy.CleanerUpper.
func (h *Handler) Cleanup() error {
	h.log.flush()
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	matched, err := h.matches(r)
	h.rehearsed.meets(h, matched, err)
	if err != nil {
		return h.undecided(w, r, err)
	}
	if !matched {
		return h.passBy(w, r, next)
	}
	x, r := enter(r, h)
	no := h.decide(x, r)
	h.rehearsed.decides(h, x, no)
	if no != nil {
		return h.refuse(w, r, x, no)
	}
	x.admit(r, h)
	h.log.admission(r, x)
	if h.chain == nil {
		return next.ServeHTTP(w, r) // the handler that it enforces for guards the answer
	}
	g := guard(w, h.outbound, x)
	err = next.ServeHTTP(g, r)
	g.finish()
	return err
}

var errNoProvider = errors.New("a block without a provider enforces on what an earlier stack_auth found")

var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
