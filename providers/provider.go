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
}

// covers reports whether everything that o could claim is claimed by s, so
// that a provider with scope o behind one with scope s would never be asked.
func (s Scope) covers(o Scope) bool {
	switch {
	case !o.JWT && !o.Opaque:
		return false
	case o.JWT && (!s.JWT || s.Issuer != "" && s.Issuer != o.Issuer):
		return false
	case o.Opaque && !s.Opaque:
		return false
	}
	return coversPrefixes(s.Prefixes, o.Prefixes)
}
