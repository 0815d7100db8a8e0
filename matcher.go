package stackauth

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

func init() {
	caddy.RegisterModule(new(MatchStackAuth))
}

// MatchStackAuth matches requests of callers with the given attributes, as
// `require` does: all of the requirements, and of each any value. It holds only
// after a stack_auth handler has established who calls; in directives that
// Caddy orders earlier (header, rewrite, redir) it does not match.
type MatchStackAuth struct {
	// What the caller must have: all of these.
	Require []abac.Requirement `json:"require,omitempty"`
}

// CaddyModule implements caddy.Module.
func (*MatchStackAuth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.matchers.stack_auth",
		New: func() caddy.Module { return new(MatchStackAuth) },
	}
}

// UnmarshalCaddyfile reads
//
//	stack_auth <attribute> <value>...
//
// Repeated lines add requirements.
func (m *MatchStackAuth) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() {
		q, err := unmarshalRequirement(d)
		if err != nil {
			return err
		}
		m.Require = append(m.Require, q)
		if d.NextBlock(0) {
			return d.Err("matcher stack_auth has no block")
		}
	}
	return nil
}

// Validate implements caddy.Validator.
func (m *MatchStackAuth) Validate() error {
	if len(m.Require) == 0 {
		return fmt.Errorf("matcher stack_auth: expected an attribute and its values")
	}
	for i, q := range m.Require {
		if err := q.Check(); err != nil {
			return fmt.Errorf("matcher stack_auth: requirement %d: %w", i+1, err)
		}
	}
	return nil
}

// Match implements caddyhttp.RequestMatcher.
func (m *MatchStackAuth) Match(r *http.Request) bool {
	matched, _ := m.MatchWithError(r)
	return matched
}

// MatchWithError implements caddyhttp.RequestMatcherWithError.
func (m *MatchStackAuth) MatchWithError(r *http.Request) (bool, error) {
	user, ok := UserFromContext(r.Context())
	if !ok {
		return false, nil
	}
	for _, q := range m.Require {
		if !q.Holds(user) {
			return false, nil
		}
	}
	return true, nil
}

// CELLibrary makes the matcher a function of CEL expressions:
//
//	expression stack_auth({'roles': ['admin', 'operator']})
func (*MatchStackAuth) CELLibrary(caddy.Context) (cel.Library, error) {
	return caddyhttp.CELMatcherImpl("stack_auth", "stack_auth_matcher_request_map",
		[]*cel.Type{caddyhttp.CELTypeJSON},
		func(data ref.Val) (caddyhttp.RequestMatcherWithError, error) {
			lists, err := caddyhttp.CELValueToMapStrList(data)
			if err != nil {
				return nil, err
			}
			m := new(MatchStackAuth)
			for _, attribute := range slices.Sorted(maps.Keys(lists)) {
				m.Require = append(m.Require, abac.Requirement{Attribute: attribute, Values: lists[attribute]})
			}
			return m, m.Validate()
		})
}

var (
	_ caddyhttp.RequestMatcherWithError = (*MatchStackAuth)(nil)
	_ caddyhttp.CELLibraryProducer      = (*MatchStackAuth)(nil)
	_ caddyfile.Unmarshaler             = (*MatchStackAuth)(nil)
	_ caddy.Validator                   = (*MatchStackAuth)(nil)
)
