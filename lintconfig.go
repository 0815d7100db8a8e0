package stackauth

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/policylint"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

// lintBlocks returns what is to be said about the blocks of a configuration.
func lintBlocks(blocks []configBlock) ([]policylint.Finding, error) {
	findings := []policylint.Finding{}
	for i := range blocks {
		b := &blocks[i]
		if err := b.Handler.checkAsWritten(); err != nil {
			return nil, fmt.Errorf("block %d (%s): %w", b.Number, b.Place, err)
		}
		var outer *Handler
		if b.Outer > 0 {
			outer = blocks[b.Outer-1].Handler
		}
		input, err := lintInput(b, outer)
		if err == nil && input.Enforces && (outer == nil && b.Elsewhere || outer != nil && len(outer.Match) > 0) {
			err = takeFromAny(input, blocks)
		}
		if err == nil {
			var found []policylint.Finding
			found, err = policylint.Lint(input)
			findings = append(findings, found...)
		}
		if err != nil {
			return nil, fmt.Errorf("block %d (%s): %w", b.Number, b.Place, err)
		}
	}
	return findings, nil
}

// checkAsWritten is what `caddy adapt` finds out about a Caddyfile, for a
// configuration that may be JSON.
func (h *Handler) checkAsWritten() error {
	if len(h.ProvidersRaw) == 0 {
		if err := h.checkEnforcementOnly(); err != nil {
			return err
		}
	}
	return h.check()
}

// lintInput is a block as lint sees it. outer is that with the providers, if it
// is another one.
func lintInput(b *configBlock, outer *Handler) (*policylint.Block, error) {
	h := b.Handler
	input := &policylint.Block{
		Number: b.Number, Place: b.Place,
		Enforces: len(h.ProvidersRaw) == 0, Alone: outer == nil && !b.Elsewhere,
		Public: h.Public, AllowAnonymous: h.AllowAnonymous, BasePath: h.BasePath,
		Compat: h.Compat, Shadow: h.Shadow, ExplainHeader: h.ExplainHeader,
		Require: h.Require, AccessPolicy: h.AccessPolicy, OwnerMatch: h.OwnerMatch,
		TenancyMulti: h.Tenancy.demanded(), HeaderAttributes: headerAttributes(h.IdentityHeaders),
	}
	by := h
	if input.Enforces && outer != nil {
		by = outer
		input.AllowAnonymous, input.BasePath = outer.AllowAnonymous, outer.BasePath
		input.TenancyMulti = outer.Tenancy.demanded()
		if outer.Compat == abac.CompatOGX {
			input.Compat = abac.CompatOGX
		}
	}
	var err error
	if input.Providers, err = lintProviders(by); err != nil {
		return nil, err
	}
	for i := range h.Rules {
		input.Rules = append(input.Rules, lintRule(&h.Rules[i]))
	}
	input.LimitedByPath, _ = asksForPath(h.Match)
	input.Answered, input.Beside = b.Answered, b.Beside
	input.Callers, _ = lintCallers(h.Match)
	for _, change := range b.Before {
		input.Before = append(input.Before, policylint.PathChange{Text: change.Text, Prefix: change.Prefix})
	}
	for _, change := range b.After {
		if change.Method != "" {
			input.MethodsAfter = append(input.MethodsAfter, change.Method)
			continue
		}
		input.After = append(input.After, policylint.PathChange{Text: change.Text, Prefix: change.Prefix})
	}
	return input, nil
}

// takeFromAny gives a block that may enforce for any of those with providers what
// it has from them: so that nothing is said never to be which is for one of them.
func takeFromAny(input *policylint.Block, blocks []configBlock) error {
	input.Providers, input.TenancyMulti = nil, true
	none, ogx := true, true
	for i := range blocks {
		h := blocks[i].Handler
		if len(h.ProvidersRaw) == 0 {
			continue
		}
		list, err := lintProviders(h)
		if err != nil {
			return err
		}
		none, ogx = false, ogx && h.Compat == abac.CompatOGX
		input.Providers = append(input.Providers, list...)
		input.AllowAnonymous = input.AllowAnonymous || h.AllowAnonymous
		input.TenancyMulti = input.TenancyMulti && h.Tenancy.demanded()
	}
	input.TenancyMulti = input.TenancyMulti && !none
	if ogx && !none {
		input.Compat = abac.CompatOGX
	}
	return nil
}

func lintRule(r *RouteRule) policylint.RouteRule {
	rule := policylint.RouteRule{RouteRule: r.RouteRule, Matched: len(r.Match) > 0}
	rule.ByPath, rule.ButPath = asksForPath(r.Match)
	rule.Callers, rule.Further = lintCallers(r.Match)
	return rule
}

// lintProviders says of each provider of a handler which attributes it gives.
func lintProviders(h *Handler) ([]policylint.Provider, error) {
	var list []policylint.Provider
	for i, raw := range h.ProvidersRaw {
		var head struct {
			Type string `json:"type"`
			providers.Common
		}
		if err := json.Unmarshal(raw, &head); err != nil {
			return nil, fmt.Errorf("provider %d: %w", i+1, err)
		}
		p := policylint.Provider{Name: head.Name, Principals: head.PrincipalClaim}
		if p.Name == "" {
			p.Name = head.Type
		}
		gives, known := providersGive[head.Type]
		if !known {
			p.Open = true // somebody else's: its defaults are its own
			list = append(list, p)
			continue
		}
		preset := head.ClaimsPreset != ""
		upstreams := preset || h.Compat == abac.CompatOGX && head.ClaimsMapping == nil
		mapping, given := head.ClaimsMapping, false
		switch {
		case upstreams && (preset || gives.ogx != nil):
			mapping, given = append(slices.Clone(gives.ogx), mapping...), gives.ogx == nil
			p.Upstreams = gives.ogx != nil
		case mapping == nil:
			mapping, given = gives.mapping, gives.mapping == nil
		}
		for _, m := range mapping {
			p.Mapping = append(p.Mapping, policylint.Mapping{Claim: m.Claim, Attribute: m.Attribute})
		}
		if given && gives.own != nil {
			if err := gives.own(raw, &p); err != nil {
				return nil, fmt.Errorf("provider %d: %w", i+1, err)
			}
		}
		p.Open = p.Open || given && gives.own == nil
		list = append(list, p)
	}
	return list, nil
}

// giving is what attributes the providers of a type give.
type giving struct {
	mapping, ogx []providers.ClaimMapping

	// own adds what one gives without a mapping; nil: nobody can know.
	own func(raw json.RawMessage, p *policylint.Provider) error
}

// providersGive has what the types of this module preset, see their Defaults.
var providersGive = map[string]giving{
	"oauth2_token": {
		mapping: providers.DefaultMapping(),
		ogx: []providers.ClaimMapping{
			{Claim: "sub", Attribute: "roles"},
			{Claim: "username", Attribute: "roles"},
			{Claim: "groups", Attribute: "teams"},
			{Claim: "team", Attribute: "teams"},
			{Claim: "project", Attribute: "projects"},
			{Claim: "tenant", Attribute: "namespaces"},
			{Claim: "namespace", Attribute: "namespaces"},
		},
	},
	"kubernetes": {
		mapping: []providers.ClaimMapping{{Claim: "groups", Attribute: "roles"}, {Claim: "namespace", Attribute: "namespaces"}},
		ogx:     []providers.ClaimMapping{{Claim: "username", Attribute: "roles"}, {Claim: "groups", Attribute: "roles"}},
	},
	"github_token": {
		mapping: []providers.ClaimMapping{{Claim: "organizations", Attribute: "teams"}},
		ogx:     []providers.ClaimMapping{{Claim: "login", Attribute: "roles"}, {Claim: "organizations", Attribute: "teams"}},
	},
	"custom":          {},
	"api_key":         {own: givenByKeys},
	"upstream_header": {own: givenByHeaders},
	"placeholders":    {own: givenByPlaceholders},
}

func givenByKeys(raw json.RawMessage, p *policylint.Provider) error {
	var keys struct {
		File string                `json:"file"`
		Keys []providers.ListedKey `json:"keys"`
	}
	if err := json.Unmarshal(raw, &keys); err != nil {
		return err
	}
	p.Open = keys.File != "" // it may have others tomorrow
	for _, key := range keys.Keys {
		for _, a := range key.Attributes {
			p.Given = append(p.Given, a.Attribute)
		}
	}
	return nil
}

func givenByHeaders(raw json.RawMessage, p *policylint.Provider) error {
	var headers struct {
		AttributesHeader string                   `json:"attributes_header"`
		AttributeHeaders []providers.SourceHeader `json:"attribute_headers"`
	}
	if err := json.Unmarshal(raw, &headers); err != nil {
		return err
	}
	p.Open = headers.AttributesHeader != ""
	for _, a := range headers.AttributeHeaders {
		p.Given = append(p.Given, a.Attribute)
	}
	return nil
}

func givenByPlaceholders(raw json.RawMessage, p *policylint.Provider) error {
	var placeholders struct {
		Principal  string                           `json:"principal"`
		Attributes []providers.AttributePlaceholder `json:"attributes"`
	}
	if err := json.Unmarshal(raw, &placeholders); err != nil {
		return err
	}
	p.Principals = append(p.Principals, placeholders.Principal)
	for _, a := range placeholders.Attributes {
		p.Mapping = append(p.Mapping, policylint.Mapping{Claim: a.Placeholder, Attribute: a.Attribute})
	}
	return nil
}
