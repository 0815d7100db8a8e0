package stackauth

import (
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
				without = without || readsPath.Match(raw) && leavesOutPath.Match(raw)
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

// What stands for the path in the text of a matcher: the placeholders, and the functions
// of Caddy's expressions.
const (
	pathPlaceholder = `\{http\.request\.(?:orig_)?uri(?:\.path[^}]*)?\}`
	pathFunction    = `\bpath(?:_regexp)?\s*\(`
)

var readsPath = regexp.MustCompile(pathPlaceholder + `|` + pathFunction)

// leavesOutPath finds in the text of an expression a `!` in front of the path, or
// of a bracket, of which it is not looked at what is in it; and a `!=` beside the
// path.
var leavesOutPath = regexp.MustCompile(`!\s*(?:\(|` + pathPlaceholder + `|` + pathFunction + `)|` +
	pathPlaceholder + `[^&|\\]*!=|!=\s*` + pathPlaceholder)
