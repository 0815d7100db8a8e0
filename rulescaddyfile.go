package stackauth

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

// unmarshalRouteRule reads
//
//	permit|forbid [<path-pattern>...] {
//	    methods <method>...
//	    match {
//	        <caddy-matcher>...
//	    }
//	    when        <condition>
//	    unless      <condition>
//	    description <text>
//	}
func (h *Handler) unmarshalRouteRule(d *caddyfile.Dispenser) error {
	r := RouteRule{RouteRule: abac.RouteRule{Effect: abac.Effect(d.Val())}}
	if args := d.RemainingArgs(); len(args) > 0 {
		r.Paths = args
	}
	if err := r.Check(); err != nil { // here, for the line
		return providers.Located(d, withHint(fmt.Errorf("%s: %w", r.Effect, err), pathHint(r.Paths)))
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := r.unmarshalOption(d); err != nil {
			return err
		}
		if err := r.Check(); err != nil {
			return providers.Located(d, fmt.Errorf("%s: %w", r.Effect, err))
		}
	}
	h.Rules = append(h.Rules, r)
	return nil
}

func (r *RouteRule) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "methods":
		return providers.ListOption(d, &r.Methods)
	case "when":
		return unmarshalCondition(d, &r.When)
	case "unless":
		return unmarshalCondition(d, &r.Unless)
	case "description":
		return providers.TextOption(d, &r.Description)
	case "match":
		return r.unmarshalMatch(d)
	}
	err := fmt.Errorf("unrecognized option %q of %s: expected %s", d.Val(), r.Effect, routeRuleOptions)
	return providers.Located(d, withHint(err, optionHint(d.Val(), r.Effect)))
}

func (r *RouteRule) unmarshalMatch(d *caddyfile.Dispenser) error {
	if r.Match != nil {
		return d.Errf("match is there twice: put all matchers into one, of which all must match")
	}
	if d.NextArg() {
		return d.Errf("match: unexpected %q: expected a block, with a Caddy matcher in each line", d.Val())
	}
	at := position(d)
	line := d.NewFromNextSegment()
	places := matcherPlaces(line)
	line.Reset()
	line.Next() // consume `match`
	set, err := caddyhttp.ParseCaddyfileNestedMatcherSet(line)
	if err != nil {
		return err
	}
	if len(set) == 0 {
		return fmt.Errorf("match is empty: expected Caddy matchers, at %s", at)
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if err := checkMatcher(name, set[name]); err != nil { // here, for the line
			return fmt.Errorf("%s: %w, at %s", r.Effect, err, places[name])
		}
	}
	r.Match = caddyhttp.RawMatcherSets{set}
	return nil
}

// matcherPlaces returns where the matchers of a `match` block stand, by their
// names: the first of a name, as Caddy takes those of one name together.
func matcherPlaces(d *caddyfile.Dispenser) map[string]string {
	places := make(map[string]string)
	d.Next() // consume `match`
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name, short := d.Val(), d.Token().Quoted()
		if short {
			name = "expression" // in backquotes
		}
		if _, there := places[name]; !there {
			places[name] = position(d)
		}
		if !short {
			d.NextSegment()
		}
	}
	return places
}

func unmarshalCondition(d *caddyfile.Dispenser, to *[]abac.Condition) error {
	kind := d.Val()
	words := d.RemainingArgs()
	c, err := abac.ParseCondition(words)
	if err != nil {
		return providers.Located(d, withHint(fmt.Errorf("%s: %w", kind, err), conditionHint(words)))
	}
	*to = append(*to, c)
	return nil
}

// unmarshalAccessPolicy reads
//
//	access_policy {
//	    permit|forbid {
//	        principal   <id>
//	        actions     create|read|update|delete...
//	        resource    <type>::<id> | <type>::<prefix>* | regex:<RE2>
//	        when        <condition>
//	        unless      <condition>
//	        description <text>
//	    }
//	}
func (h *Handler) unmarshalAccessPolicy(d *caddyfile.Dispenser) error {
	if h.AccessPolicy != nil {
		return d.Errf("access_policy is there twice: put all rules into one")
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	h.AccessPolicy = []abac.Rule{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := h.unmarshalRule(d); err != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) unmarshalRule(d *caddyfile.Dispenser) error {
	r := abac.Rule{Effect: abac.Effect(d.Val())}
	if r.Effect != abac.Permit && r.Effect != abac.Forbid {
		return d.Errf("unrecognized option %q of access_policy: expected permit or forbid", d.Val())
	}
	if d.NextArg() {
		return d.Errf("%s: unexpected %q: what a rule is about stands in its block", r.Effect, d.Val())
	}
	begin, at := position(d), position(d)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() == "resource" {
			at = position(d)
		}
		if err := unmarshalRuleOption(d, &r); err != nil {
			return err
		}
		if err := checkSoFar(r); err != nil {
			return providers.Located(d, fmt.Errorf("access_policy: %s: %w", r.Effect, err))
		}
	}
	if len(r.Actions) == 0 {
		at = begin // of a missing line, no other is to blame
	}
	h.AccessPolicy = append(h.AccessPolicy, r)
	h.accessPolicyAt = append(h.accessPolicyAt, at)
	return nil
}

// checkSoFar checks what has been read of a rule but its resource, and before
// there must be any actions: here, for the line.
func checkSoFar(r abac.Rule) error {
	r.Resource = ""
	if len(r.Actions) == 0 {
		r.Actions = []abac.Action{abac.Read}
	}
	return r.Check(abac.CompatNone)
}

func unmarshalRuleOption(d *caddyfile.Dispenser, r *abac.Rule) error {
	switch d.Val() {
	case "principal":
		return providers.TextOption(d, (*string)(&r.Principal))
	case "resource":
		return providers.TextOption(d, (*string)(&r.Resource))
	case "actions":
		var names []string
		if err := providers.ListOption(d, &names); err != nil {
			return err
		}
		for _, name := range names {
			r.Actions = append(r.Actions, abac.Action(name))
		}
		return nil
	case "when":
		return unmarshalCondition(d, &r.When)
	case "unless":
		return unmarshalCondition(d, &r.Unless)
	case "description":
		return providers.TextOption(d, &r.Description)
	}
	return d.Errf("unrecognized option %q of %s in access_policy: expected %s", d.Val(), r.Effect, resourceRuleOptions)
}

// checkAccessPolicyLines checks the rules when the whole block is read: how a
// resource is read depends on `compat`, which may come after it.
func (h *Handler) checkAccessPolicyLines() error {
	for i := range h.AccessPolicy {
		if err := h.AccessPolicy[i].Check(h.Compat); err != nil {
			return fmt.Errorf("access_policy: %s: %w, at %s", h.AccessPolicy[i].Effect, err, h.accessPolicyAt[i])
		}
	}
	return nil
}

// position is where the dispenser is, as Caddy says it of errors: with the files
// that imported the line.
func position(d *caddyfile.Dispenser) string {
	return strings.TrimPrefix(d.Err("").Error(), ", at ")
}

func (h *Handler) unmarshalOwnerMatch(d *caddyfile.Dispenser) error {
	if err := providers.TextOption(d, (*string)(&h.OwnerMatch)); err != nil {
		return err
	}
	return providers.Located(d, errors.Join(h.OwnerMatch.Check(), h.checkOwnerMatch()))
}

func (h *Handler) unmarshalCompat(d *caddyfile.Dispenser) error {
	if err := providers.TextOption(d, (*string)(&h.Compat)); err != nil {
		return err
	}
	return providers.Located(d, errors.Join(h.Compat.Check(), h.checkOwnerMatch()))
}

func (h *Handler) unmarshalExplainHeader(d *caddyfile.Dispenser) error {
	if h.ExplainHeader != nil {
		return d.Errf("explain_header is there twice: name all values in one line")
	}
	q, err := unmarshalRequirement(d)
	h.ExplainHeader = &q
	return err
}
