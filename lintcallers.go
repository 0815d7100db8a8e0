package stackauth

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-stack-auth/caddy-stack-auth/policylint"
)

// lintCallers returns what matchers ask of the caller, and whether they ask for
// something else, or for one of several things.
func lintCallers(sets caddyhttp.RawMatcherSets) (callers []policylint.CallerMatch, further bool) {
	for _, set := range sets {
		for _, name := range slices.Sorted(maps.Keys(set)) {
			raw := set[name]
			switch name {
			case "stack_auth":
				callers = append(callers, lintCaller(raw)...)
			case "not":
				var inner caddyhttp.RawMatcherSets
				if json.Unmarshal(raw, &inner) != nil {
					further = true
					continue
				}
				within, more := lintCallers(inner)
				for _, m := range within {
					m.Not = !m.Not
					callers = append(callers, m)
				}
				further = further || more
			default:
				further = true
			}
		}
	}
	return callers, further || len(sets) > 1
}

// lintCaller leaves out what the matcher would refuse when it is loaded.
func lintCaller(raw json.RawMessage) []policylint.CallerMatch {
	var m MatchStackAuth
	if json.Unmarshal(raw, &m) != nil || m.Validate() != nil {
		return nil
	}
	callers := make([]policylint.CallerMatch, 0, len(m.Require))
	for _, q := range m.Require {
		callers = append(callers, policylint.CallerMatch{Requirement: q})
	}
	return callers
}

// headerAttributes are those that have a header of their own.
func headerAttributes(c *IdentityHeaders) []string {
	if c == nil || c.Off {
		return nil
	}
	names := make([]string, 0, len(c.Attribute))
	for _, a := range c.Attribute {
		names = append(names, a.Attribute)
	}
	return names
}
