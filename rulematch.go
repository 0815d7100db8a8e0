package stackauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// checkMatch refuses matchers that are none: they would match everything, and
// what a template left empty must not make a rule for every request.
func (r *RouteRule) checkMatch() error {
	if r.Match == nil {
		return nil
	}
	return checkMatcherSets(r.Match)
}

var errMatchEmpty = errors.New("match is empty: leave it out for all")

func checkMatcherSets(sets caddyhttp.RawMatcherSets) error {
	empty := func(set caddy.ModuleMap) bool { return len(set) == 0 }
	if len(sets) == 0 || slices.ContainsFunc(sets, empty) {
		return errMatchEmpty
	}
	for _, set := range sets {
		for name, raw := range set {
			if err := checkMatcher(name, raw); err != nil {
				return err
			}
		}
	}
	return nil
}

// matchAllIfEmpty are Caddy's matchers that hold for every request when nothing
// is in them.
var matchAllIfEmpty = []string{"header", "header_regexp", "path_regexp", "vars", "vars_regexp"}

func checkMatcher(name string, raw json.RawMessage) error {
	if slices.Contains(matchAllIfEmpty, name) {
		var options map[string]json.RawMessage
		if err := json.Unmarshal(raw, &options); err != nil || len(options) > 0 {
			return nil //nolint:nilerr // the matcher itself says better what is wrong
		}
		return fmt.Errorf("match: %s is empty: leave it out", name)
	}
	if name != "not" {
		return nil
	}
	var sets caddyhttp.RawMatcherSets
	if err := json.Unmarshal(raw, &sets); err != nil {
		return nil //nolint:nilerr // as above
	}
	// Without a set it holds for every request, and with an empty one for none: a
	// forbid would never apply.
	if err := checkMatcherSets(sets); err != nil {
		return fmt.Errorf("match: not: %w", err)
	}
	return nil
}

// readQuery reports whether one of the matchers reads the parameters of a query.
func readQuery(sets caddyhttp.MatcherSets) bool {
	return slices.ContainsFunc(sets, func(set caddyhttp.MatcherSet) bool { return slices.ContainsFunc(set, readsQuery) })
}

func readsQuery(matcher any) bool {
	switch m := matcher.(type) {
	case *caddyhttp.MatchQuery:
		return true
	case *caddyhttp.MatchNot:
		return readQuery(m.MatcherSets)
	}
	// Expressions and placeholders that do have it in their name.
	raw, err := json.Marshal(matcher)
	return err != nil || strings.Contains(string(raw), "query")
}

var errQueryInTwoMinds = errors.New("query could be read in two ways")

// queryInTwoMinds reports whether Caddy's matchers would not read the query, or
// not all of it: a semicolon, a bad escape or too many parameters. They then do
// not match, and most stacks read what there is: `admin=1&;` would be a way around
// a forbid for `admin=1`.
func queryInTwoMinds(r *http.Request) bool {
	if r.URL.RawQuery == "" {
		return false
	}
	_, err := url.ParseQuery(r.URL.RawQuery)
	return err != nil
}
