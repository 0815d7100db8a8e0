package stackauth

import (
	"bytes"
	"encoding/json"
	"regexp"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// asksForPath reports whether matchers look at the path, and whether they leave
// something out by it.
func asksForPath(sets caddyhttp.RawMatcherSets) (asks, without bool) {
	for _, set := range sets {
		for name, raw := range set {
			switch name {
			case "path", "path_regexp":
				asks = true
			case "vars", "vars_regexp":
				asks = asks || readsPath.Match(raw)
			case "expression":
				asks = asks || readsPath.Match(raw)
				without = without || readsPath.Match(raw) && negates(raw)
			case "not":
				var inner caddyhttp.RawMatcherSets
				if json.Unmarshal(raw, &inner) == nil {
					found, _ := asksForPath(inner)
					asks, without = asks || found, without || found
				}
			}
		}
	}
	return asks, without
}

// readsPath finds in the text of a matcher what stands for the path: the
// placeholders, and the functions of Caddy's expressions.
var readsPath = regexp.MustCompile(`\{http\.request\.(?:orig_)?uri(?:\.path[^}]*)?\}|\bpath(?:_regexp)?\s*\(`)

// negates reports whether an expression has a `!` that is not of `!=`.
func negates(raw json.RawMessage) bool {
	return bytes.Count(raw, []byte("!")) > bytes.Count(raw, []byte("!="))
}
