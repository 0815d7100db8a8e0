package stackauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

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

// checkOwnMatch does the same for the matcher of the block, which would be for no
// request with a matcher that says nothing. One that is for all is as good as none.
func (h *Handler) checkOwnMatch() error {
	for _, set := range h.Match {
		for name, raw := range set {
			if err := checkMatcher(name, raw); err != nil {
				return err
			}
		}
	}
	return nil
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
var matchAllIfEmpty = []string{"header", "header_regexp", "vars", "vars_regexp"}

// theirOption is the one option of Caddy's matchers without which they say
// nothing. An empty expression would match every path.
var theirOption = map[string]string{"client_ip": "ranges", "remote_ip": "ranges", "path_regexp": "pattern"}

func checkMatcher(name string, raw json.RawMessage) error {
	if name == "not" {
		return checkNot(raw)
	}
	var written any
	if err := json.Unmarshal(raw, &written); err != nil {
		return nil //nolint:nilerr // the matcher itself says better what is wrong
	}
	options, isObject := written.(map[string]any)
	if option := theirOption[name]; isObject && option != "" {
		written = options[option]
	}
	if saysNothing(written) || isObject && len(options) == 0 && slices.Contains(matchAllIfEmpty, name) {
		return fmt.Errorf("match: %s is empty: leave it out", name)
	}
	return nil
}

// saysNothing reports whether nothing is written, as in `path` without a path.
// Most of Caddy's matchers hold for no request then: a forbid would never apply,
// and with `not` before it a permit would for everybody.
func saysNothing(written any) bool {
	switch v := written.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return !slices.ContainsFunc(v, func(element any) bool { return !saysNothing(element) })
	}
	return false
}

func checkNot(raw json.RawMessage) error {
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
