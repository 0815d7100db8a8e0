package policylint

import "github.com/caddy-stack-auth/caddy-stack-auth/abac"

// Block is what is known of a stack_auth block. What it inherits from the block
// that it enforces for is in it.
type Block struct {
	// Number counts the blocks of a configuration, from 1. Place says where this
	// one is, for people.
	Number int
	Place  string

	// Enforces: it has no provider, and enforces for another block; Alone: which
	// is not there.
	Enforces bool
	Alone    bool

	// Providers are those who find out who calls, here or in the other block.
	Providers []Provider

	Public         []string
	AllowAnonymous bool
	BasePath       string
	Compat         abac.Compat
	Shadow         bool
	ExplainHeader  *abac.Requirement

	Require      []abac.Requirement
	Rules        []RouteRule
	AccessPolicy []abac.Rule
	OwnerMatch   abac.OwnerMatch

	// TenancyMulti: who has no tenant is refused.
	TenancyMulti bool

	// HeaderAttributes are those that the stack is told in a header of their own.
	HeaderAttributes []string

	// Callers is what the block's own matcher, or that of its directive, asks of
	// the caller.
	Callers []CallerMatch

	// LimitedByPath: its own matcher, or that of its directive, is about paths.
	LimitedByPath bool

	// Before and After are what changes the path of a request before the block
	// sees it, and when it has. MethodsAfter are the methods that it may have then.
	Before, After []PathChange
	MethodsAfter  []string

	// Answered is what answers every request before it comes to the block; empty
	// if nothing does.
	Answered string

	// Beside is a proxy that gets what the block is for, and from others without
	// it; empty if there is none.
	Beside string
}

// RouteRule is a route rule with what is known of its matchers.
type RouteRule struct {
	abac.RouteRule

	// Matched: it has matchers of Caddy; ByPath: which look at the path; ButPath:
	// and leave something out by it.
	Matched bool
	ByPath  bool
	ButPath bool

	// Callers is what its matchers ask of the caller, Further: and they ask for
	// something else.
	Callers []CallerMatch
	Further bool
}

// CallerMatch is a matcher of Caddy that asks who calls: of one without the
// attribute it does not hold. Not: it is within `not`.
type CallerMatch struct {
	abac.Requirement
	Not bool
}

// PathChange is a handler that changes paths.
type PathChange struct {
	// Text is how it is written.
	Text string

	// Prefix is what it takes off the front; empty if it does something else.
	Prefix string
}

// Provider is what is known of a provider.
type Provider struct {
	Name string

	// Principals are what it takes the principal from.
	Principals []string

	// Mapping are the claims that become attributes.
	Mapping []Mapping

	// Given are the attributes that it gives without a mapping. Open: and others,
	// which nobody can know.
	Given []string
	Open  bool

	// Upstreams: the mapping is OGX's own.
	Upstreams bool
}

// Mapping is a claim that becomes an attribute.
type Mapping struct{ Claim, Attribute string }
