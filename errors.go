package stackauth

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// refusal is the one way in which a request ends here. What it says to the
// caller is fixed for its code: never a token, somebody else's name, an
// internal address, or a library's words. The reason is for the log.
type refusal struct {
	status   int
	kind     string // error.type
	code     string // error.code
	message  string
	category string // of the log

	// challenge is the error code of WWW-Authenticate (RFC 6750, section
	// 3.1); bare says to send it without one.
	challenge string
	bare      bool

	allow      bool
	retryAfter time.Duration

	reason string
}

// because returns a copy with the reason for the log.
func (no refusal) because(reason string) *refusal {
	no.reason = reason
	return &no
}

var (
	ambiguousRequest = refusal{
		status: http.StatusBadRequest, kind: "invalid_request_error", code: "ambiguous_request",
		message:  "The request could be read in more than one way.",
		category: categoryAuth,
	}
	malformedCredential = refusal{
		status: http.StatusBadRequest, kind: "invalid_request_error", code: "ambiguous_request",
		message:   "The credential does not have the form of one.",
		challenge: "invalid_request", category: categoryAuth,
	}
	duplicateCredential = refusal{
		status: http.StatusBadRequest, kind: "invalid_request_error", code: "duplicate_credential",
		message:   "The request has more than one credential.",
		challenge: "invalid_request", category: categoryAuth,
	}
	methodNotAllowed = refusal{
		status: http.StatusMethodNotAllowed, kind: "invalid_request_error", code: "method_not_allowed",
		message:  "The method is not allowed.",
		allow:    true,
		category: categoryAuth,
	}
	tooEarly = refusal{
		status: http.StatusTooEarly, kind: "invalid_request_error", code: "too_early",
		message:  "The request came in TLS early data, which can be replayed. Send it again.",
		category: categoryAuth,
	}
	missingCredential = refusal{
		status: http.StatusUnauthorized, kind: "authentication_error", code: "missing_credential",
		message: "No credential was presented.",
		bare:    true, category: categoryAuth,
	}
	invalidToken = refusal{
		status: http.StatusUnauthorized, kind: "authentication_error", code: "invalid_token",
		message:   "The token is not valid.",
		challenge: "invalid_token", category: categoryAuth,
	}
	expiredToken = refusal{
		status: http.StatusUnauthorized, kind: "authentication_error", code: "expired_token",
		message:   "The token has expired.",
		challenge: "invalid_token", category: categoryAuth,
	}
	originMismatch = refusal{
		status: http.StatusForbidden, kind: "permission_error", code: "origin_mismatch",
		message:  "A credential in a cookie is only accepted from the same site.",
		category: categoryAuth,
	}
	tenantRequired = refusal{
		status: http.StatusForbidden, kind: "permission_error", code: "tenant_required",
		message:  "The caller belongs to no tenant.",
		category: categoryPolicy,
	}
	insufficientPermissions = refusal{
		status: http.StatusForbidden, kind: "permission_error", code: "insufficient_permissions",
		message:   "The caller is not allowed to do this.",
		challenge: "insufficient_scope", category: categoryPolicy,
	}
	identityTooLarge = refusal{
		status: http.StatusForbidden, kind: "permission_error", code: "identity_too_large",
		message:  "The caller has more attributes than can be passed on.",
		category: categoryUpstream,
	}
	identityUnencodable = refusal{
		status: http.StatusForbidden, kind: "permission_error", code: "identity_unencodable",
		message:  "An attribute of the caller cannot be passed on.",
		category: categoryUpstream,
	}
	outsideBasePath = refusal{
		status: http.StatusNotFound, kind: "not_found_error", code: "resource_not_found",
		message:  "There is nothing here.",
		category: categoryPolicy,
	}
	authUnavailable = refusal{
		status: http.StatusServiceUnavailable, kind: "service_unavailable", code: "auth_service_unavailable",
		message:  "The credential cannot be checked at the moment. Try again.",
		category: categoryProviders,
	}
)

// allowedMethods is what 405 answers with.
const allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// refuse answers the request. It is the only place that does.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, x *exchange, no *refusal) error {
	x.refuse(r, no)
	h.log.refusal(r, x, no)
	header := w.Header()
	x.stamp(header)
	header.Set("Cache-Control", "no-store")
	if no.bare || no.challenge != "" {
		header.Set("WWW-Authenticate", no.bearerChallenge(x.setting(h, realmOf)))
	}
	if no.retryAfter > 0 {
		seconds := (no.retryAfter + time.Second - 1) / time.Second
		header.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	if no.allow {
		header.Set("Allow", allowedMethods)
	}
	if x.setting(h, errorsOf) == errorsCaddy && !answeredHere(r) {
		x.surrender(r)
		return caddyhttp.Error(no.status, errors.New(no.message))
	}
	body, err := json.Marshal(errorBody{errorDetail{no.message, no.kind, no.code}})
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(no.status)
	_, err = w.Write(body)
	return err
}

// answeredHere reports whether a refused request must not be seen by an error
// route, which may be a proxy: it would send on what comes in trailers, which
// cannot be seen before, and make a tunnel of a CONNECT.
func answeredHere(r *http.Request) bool {
	return len(r.Trailer) > 0 || r.Method == http.MethodConnect
}

// surrender takes off a refused request what an error route must not find on
// it: whom an outer handler found, the credential that it forwards, and all
// that could do harm without either.
func (x *exchange) surrender(r *http.Request) {
	if x.by != nil {
		x.by.identity.remove(r.Header)
		x.by.withhold(x, r)
	}
	delete(r.Header, "Authorization")
	dropUpgrade(r.Header)
	dropReservedData(r.Header)
}

// errorsCaddy is the value of Handler.Errors that leaves the answer to Caddy.
const errorsCaddy = "caddy"

// errorBody is an error as the OpenAI API writes it; its SDKs read it.
type errorBody struct {
	Error errorDetail `json:"error"`
}

type errorDetail struct {
	Message string `json:"message"`
	Type    string `json:"type"`
	Code    string `json:"code"`
}

// bearerChallenge is the WWW-Authenticate of RFC 6750, section 3. A request
// without any credential gets no error code: there is nothing wrong with it.
func (no *refusal) bearerChallenge(realm string) string {
	if realm == "" {
		realm = defaultRealm
	}
	challenge := "Bearer realm=" + quoted(realm)
	if !no.bare {
		challenge += ", error=" + quoted(no.challenge) + ", error_description=" + quoted(no.message)
	}
	return challenge
}

const defaultRealm = "stack"

// setting returns what the handler says, or else the one whose identity it
// enforces on.
func (x *exchange) setting(h *Handler, of func(*Handler) string) string {
	if own := of(h); own != "" || x.by == nil || x.over {
		return own
	}
	return of(x.by)
}

func realmOf(h *Handler) string  { return h.Realm }
func errorsOf(h *Handler) string { return h.Errors }

// quoted writes a quoted-string (RFC 9110, section 5.6.4).
func quoted(s string) string {
	return `"` + quotedPairs.Replace(s) + `"`
}

var quotedPairs = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// replacerOf returns the replacer of the request.
func replacerOf(r *http.Request) *caddy.Replacer {
	repl, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	return repl
}
