//go:build integration

package providers

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/integration/differential"
)

// claimsCase is claims and their mapping, in the form in which the oracle is
// asked.
type claimsCase struct {
	Provider string         `json:"provider"`
	Mapping  [][2]string    `json:"mapping"` // nil: the provider's default
	Claims   map[string]any `json:"claims"`
}

type claimsAnswer struct {
	Refused    string              `json:"refused"`
	Attributes map[string][]string `json:"attributes"`
}

// The rows that claims show.
const (
	identityNotRoles differential.Set = 1 << iota
	listValues
	aliasedValues
)

// Repeated values and attributes without values are left out on both sides: no
// condition sees them, and ours has neither.
func TestClaimsAreMappedAsUpstreamDoesButForTheTable(t *testing.T) {
	c := differential.Comparison[claimsCase, claimsAnswer]{
		Kind: "claims",
		Rows: []differential.Row{
			{Bit: identityNotRoles, Name: "identity-not-roles", Compat: true},
			{Bit: listValues, Name: "list-values"},
			{Bit: aliasedValues, Name: "aliased-values"},
		},
		NewBatch: newClaims,
		Upstream: func(a *claimsAnswer) string {
			if a.Refused != "" {
				return differential.Refused
			}
			return attributesText(a.Attributes)
		},
		Reference: referenceClaims,
		Ours:      newMappers(t).ours,
		Looser:    moreValues,
		Smaller:   smallerClaims,
	}
	c.Run(t, "../integration/ogx/ogx.sh")
}

var (
	claimPaths = []string{
		"roles", "groups", "team", "project", "tenant", "namespace", "scope", "organizations", "sub", "username", "login",
		"preferred_username", "email", "profile.email", "realm_access.roles", "resource_access.ogx.roles", "realm_access", "a.b.c",
		"https://example.com/roles", `https://example\.com/roles`, "kubernetes.io.namespace", `kubernetes\.io.namespace`, `a\.b`, "a.b",
		"a..b", ".a", "a.", ".", `a\\.b`, `a\b`, `a\`, `\.`, `a\.b\.c`, "日本.x", "with space", "0",
	}
	attributeNames = []string{"roles", "roles", "teams", "teams", "projects", "namespaces", "org", "_x", "cost-center"}
	claimWords     = []string{"admin", "user", "dev", "ops", "ml", "ä", "日本", "a,b", `"q"`, "x.y", "ADMIN", "\u200b", "\ufeff", "\u180e", "é"}
	blanks         = []string{" ", " ", " ", "  ", "\t", "\n", "\u00a0", "\u3000", "\x1c", "\x1f", "\u0085", "\v", "\u2028", "\u205f"}
)

func newClaims(r *rand.Rand) func() claimsCase {
	d := claimsDraw{differential.Draw{Rand: r}}
	return func() claimsCase {
		c := claimsCase{Provider: "oauth2_token", Claims: map[string]any{}}
		if d.Chance(25) {
			c.Provider = differential.One(d.Draw, []string{"oauth2_token", "oauth2_token", "github_token", "kubernetes"})
			for range d.Between(1, 6) {
				d.put(c.Claims, claimPaths[d.IntN(13)])
			}
			return c
		}
		c.Mapping = [][2]string{}
		taken := make(map[string]bool) // OGX's mapping is an object
		for range d.IntN(6) {
			path := differential.One(d.Draw, claimPaths)
			if taken[path] {
				continue
			}
			taken[path] = true
			c.Mapping = append(c.Mapping, [2]string{path, differential.One(d.Draw, attributeNames)})
			d.put(c.Claims, path)
		}
		if d.Chance(30) {
			d.put(c.Claims, differential.One(d.Draw, claimPaths))
		}
		if d.Chance(8) {
			d.respell(&c)
		}
		return c
	}
}

// notString returns a value that is none, made anew: put may put more into it.
func (d claimsDraw) notString() any {
	return []any{
		nil, true, false, 0.0, 17.0, 1.5, map[string]any{}, map[string]any{"admin": "admin"}, []any{}, []any{"admin"},
	}[d.IntN(10)]
}

type claimsDraw struct{ differential.Draw }

// respell maps one claim in two spellings, somewhere between the other mappings.
func (d claimsDraw) respell(c *claimsCase) {
	const written, escaped = "b.c", `b\.c`
	for _, path := range []string{written, escaped} {
		pair := [2]string{path, differential.One(d.Draw, attributeNames)}
		c.Mapping = slices.Insert(c.Mapping, d.IntN(len(c.Mapping)+1), pair)
	}
	c.Claims[written] = d.value()
}

// put gives the path a value where traversal finds it, or where its text is a
// name, or something in the way of one of them.
func (d claimsDraw) put(claims map[string]any, path string) {
	if d.Chance(35) {
		claims[differential.One(d.Draw, []string{path, path, strings.ReplaceAll(path, `\.`, ".")})] = d.value()
	}
	if d.Chance(20) {
		return
	}
	segments := strings.Split(strings.ReplaceAll(path, `\.`, "\x00"), ".")
	at := claims
	for i, segment := range segments {
		segment = strings.ReplaceAll(segment, "\x00", ".")
		if i == len(segments)-1 || d.Chance(4) {
			at[segment] = d.value()
			return
		}
		next, there := at[segment].(map[string]any)
		if !there {
			next = make(map[string]any)
			at[segment] = next
		}
		at = next
	}
}

func (d claimsDraw) value() any {
	switch kind := d.IntN(100); {
	case kind < 40:
		var text strings.Builder
		for i := range d.IntN(4) {
			if i > 0 || d.Chance(10) {
				text.WriteString(differential.One(d.Draw, blanks))
			}
			text.WriteString(differential.One(d.Draw, claimWords))
		}
		if d.Chance(10) {
			text.WriteString(differential.One(d.Draw, blanks))
		}
		return text.String()
	case kind < 88:
		list := []any{}
		for range d.IntN(5) {
			word := differential.One(d.Draw, claimWords)
			if d.Chance(10) {
				word += differential.One(d.Draw, blanks) + word
			}
			list = append(list, word)
		}
		if d.Chance(15) {
			list = slices.Insert(list, d.IntN(len(list)+1), d.notString())
		}
		return list
	}
	return d.notString()
}

// mappers are the defaults of the providers that OGX has, too. GitHub's are
// where it is provisioned.
type mappers struct {
	defaults                   map[string]Defaults
	github, compatible, preset identity
}

func newMappers(t *testing.T) *mappers {
	t.Helper()
	github := func(ctx caddy.Context, preset string) identity {
		g := new(GitHubToken)
		g.ClaimsPreset = preset
		if err := g.Provision(ctx); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { g.Cleanup() })
		return g.identity
	}
	ctx := newContext(t, zap.NewNop())
	return &mappers{
		defaults: map[string]Defaults{"oauth2_token": new(OAuth2Token).defaults(), "kubernetes": kubernetesDefaults()},
		github:   github(ctx, ""), compatible: github(WithCompatOGX(ctx), ""), preset: github(ctx, presetOGX),
	}
}

// ours asks the identity of a provider that is set up as a configuration says.
func (m *mappers) ours(c *claimsCase, compat bool) (outcome, because string) {
	outcome, because = m.mapped(&Common{compat: compat}, c), "a mapping"
	if c.Mapping != nil {
		return outcome, because
	}
	if compat {
		if preset := m.mapped(&Common{ClaimsPreset: presetOGX}, c); preset != outcome {
			return "claims_mapping ogx gives " + preset + ", and compat ogx " + outcome, because
		}
	}
	return outcome, "the default of " + c.Provider
}

func (m *mappers) mapped(common *Common, c *claimsCase) string {
	id, err := m.identity(common, c)
	if err != nil {
		return differential.NotLoaded
	}
	user, err := id.named("somebody", "", c.Claims)
	if err != nil {
		return differential.Refused
	}
	attributes := make(map[string][]string)
	for attribute := range user.Attributes.All() {
		attributes[attribute.Name] = attribute.Values
	}
	return attributesText(attributes)
}

func (m *mappers) identity(common *Common, c *claimsCase) (identity, error) {
	if c.Provider == "github_token" {
		switch {
		case common.compat:
			return m.compatible, nil
		case common.ClaimsPreset != "":
			return m.preset, nil
		}
		return m.github, nil
	}
	if c.Mapping != nil {
		common.ClaimsMapping = []ClaimMapping{}
	}
	for _, pair := range c.Mapping {
		common.ClaimsMapping = append(common.ClaimsMapping, ClaimMapping{Claim: pair[0], Attribute: pair[1]})
	}
	if err := common.check(); err != nil {
		return identity{}, err
	}
	return newIdentity(common, m.defaults[c.Provider])
}

// attributesText is the same for attributes that no condition tells apart, but
// for the order of values.
func attributesText(attributes map[string][]string) string {
	kept := make(map[string][]string)
	for name, values := range attributes {
		for _, v := range values {
			if !slices.Contains(kept[name], v) {
				kept[name] = append(kept[name], v)
			}
		}
	}
	text, err := json.Marshal(kept)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// moreValues reports whether we give a value that OGX does not.
func moreValues(ours, upstream string) bool {
	var we, they map[string][]string
	if json.Unmarshal([]byte(ours), &we) != nil || json.Unmarshal([]byte(upstream), &they) != nil {
		return upstream == differential.Refused && ours != "{}"
	}
	for name, values := range we {
		for _, v := range values {
			if !slices.Contains(they[name], v) {
				return true
			}
		}
	}
	return false
}

func smallerClaims(c claimsCase) []claimsCase {
	var all []claimsCase
	for i := range c.Mapping {
		s := c
		s.Mapping = slices.Delete(slices.Clone(c.Mapping), i, i+1)
		all = append(all, s)
	}
	for name := range c.Claims {
		s := c
		s.Claims = maps.Clone(c.Claims)
		delete(s.Claims, name)
		all = append(all, s)
	}
	return all
}
