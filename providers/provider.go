// Package providers finds out who calls. A provider is a Caddy guest module in
// the namespace http.stack_auth.providers that judges one kind of credential;
// a Chain asks several of them in order. Providers know identities and nothing
// of policy: what a caller may do is decided elsewhere.
//
// To write one, embed Common, implement Provider, and register the module. A
// provider that calls a service embeds Network too.
package providers

import (
	"net/http"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// Namespace is where provider modules are registered.
const Namespace = "http.stack_auth.providers"

// Provider judges credentials. Embedding Common gives everything but
// Authenticate.
type Provider interface {
	// Authenticate judges the credential that the request came with, or, for
	// a provider that looks at other things than a token, the request. The
	// credential is empty where none was presented.
	//
	// It must not keep or log the token, must give up when the request's
	// context ends, and may be called after the module's Cleanup, by requests
	// that were under way then.
	Authenticate(r *http.Request, c Credential) Answer

	// Options returns the options that all providers share.
	Options() *Common

	// Scope says which credentials the provider claims.
	Scope() Scope

	// YieldsTenant reports whether users of this provider can have a tenant.
	YieldsTenant() bool
}

// HeaderReader is a provider that takes the caller from request headers, which
// a proxy in front of Caddy sets. They never reach the stack, and are taken off
// before anything else looks at the request; what a trusted peer sent in them
// is in Credential.Headers.
type HeaderReader interface {
	Provider

	// SourceHeaders returns the names of the headers.
	SourceHeaders() []string

	// Trusts reports whether the peer that sent the request may set them.
	Trusts(r *http.Request) bool
}

// Answer is what a provider says of a credential. It is one of *Yes, NotMine,
// *No and *CannotTell, and nothing else: only NotMine lets the next provider
// be asked, for the next would otherwise be shown a token that is not its own.
type Answer interface{ answer() }

// Yes means that the credential is good.
type Yes struct {
	// User is who presented it.
	User *abac.User
	// Expires is when the credential ends, zero if that is not known.
	Expires time.Time
}

// NotMine means that the credential is of another kind than the provider's, as
// told by its form alone.
type NotMine struct {
	// Reason is for the log, where nobody takes the credential for its own. It
	// must not have a part of the credential.
	Reason string
}

// No means that the credential is bad.
type No struct {
	// Reason is for the log. It must not have a part of the credential.
	Reason string
	// Expired says that the credential was good once.
	Expired bool
}

// CannotTell means that the judge is unreachable or broken: the credential may
// be good, and the caller should try again.
type CannotTell struct {
	// Err is for the log. It must not have a part of the credential.
	Err error
	// RetryAfter is when it may be worth trying again; zero for a default.
	RetryAfter time.Duration
	// Answered says that the service answered, only with nothing that could be
	// used. Others may ask it all the same: what one caller's credential
	// provokes does not open the circuit breaker.
	Answered bool
	// Provoked says that the caller may have brought this about: by what he sent,
	// or by using up a limit of his own. A yes of before does not serve on then,
	// or whoever is turned away tomorrow could make it last.
	Provoked bool
}

func (*Yes) answer()        {}
func (NotMine) answer()     {}
func (*No) answer()         {}
func (*CannotTell) answer() {}

// Scope says, from the configuration alone, which credentials a provider
// claims as its own. The zero value means that this cannot be said.
type Scope struct {
	// JWT and Opaque are the two shapes of tokens.
	JWT, Opaque bool
	// Issuer narrows JWT to one issuer; empty means any.
	Issuer string
	// Prefixes narrows both to tokens that begin with one of them.
	Prefixes []string
	// Listed narrows both to tokens that the provider knows, one by one.
	Listed bool
}

// covers reports whether a provider with scope o behind one with scope s would
// be there in vain: what it could claim is claimed by s. Two that take tokens of
// both shapes are not told apart by their issuers: of whom an opaque token is
// cannot be seen, so `tokens` has to tell.
func (s Scope) covers(o Scope) bool {
	if s.Listed || !coversPrefixes(s.Prefixes, o.Prefixes) {
		return false
	}
	if o.Opaque {
		return s.Opaque && (s.JWT || !o.JWT)
	}
	return o.JWT && s.JWT && (s.Issuer == "" || s.Issuer == o.Issuer)
}
