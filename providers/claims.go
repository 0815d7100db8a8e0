package providers

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

const presetOGX = "ogx"

// ClaimMapping says that the values of a claim are values of an attribute.
type ClaimMapping struct {
	// The claim. A dot goes into a nested object (`realm_access.roles`); `\.`
	// is a literal dot. Where that finds nothing, the text as it is written is
	// tried as a literal name (`https://example.com/roles`).
	Claim string `json:"claim"`

	// The attribute. Several claims may feed one attribute.
	Attribute string `json:"attribute"`
}

func (m ClaimMapping) check() error {
	if _, err := parseClaimPath(m.Claim); err != nil {
		return err
	}
	return abac.CheckAttributeName(m.Attribute)
}

// DefaultMapping returns the mapping of claims that most identity providers
// send. Identity is not in it: see Common.ClaimsPreset.
func DefaultMapping() []ClaimMapping {
	return []ClaimMapping{
		{"roles", "roles"},
		{"groups", "teams"},
		{"team", "teams"},
		{"project", "projects"},
		{"tenant", "namespaces"},
		{"namespace", "namespaces"},
	}
}

func ogxMapping() []ClaimMapping {
	return []ClaimMapping{
		{"sub", "roles"},
		{"username", "roles"},
		{"groups", "teams"},
		{"team", "teams"},
		{"project", "projects"},
		{"tenant", "namespaces"},
		{"namespace", "namespaces"},
	}
}

// claimPath is a parsed path into claims.
type claimPath struct {
	written  string
	segments []string
}

func parseClaimPath(path string) (claimPath, error) {
	p := claimPath{written: path}
	var segment strings.Builder
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == '\\' && i+1 < len(path) && path[i+1] == '.':
			segment.WriteByte('.')
			i++
		case path[i] == '.':
			p.segments = append(p.segments, segment.String())
			segment.Reset()
		default:
			segment.WriteByte(path[i])
		}
	}
	p.segments = append(p.segments, segment.String())
	if path == "" {
		return p, fmt.Errorf("claim path is empty")
	}
	if len(p.segments) == 1 && p.segments[0] == path {
		p.segments[0] = path // share the memory
	}
	return p, nil
}

// find returns what is at the path, or nil. JSON null is nothing.
func (p claimPath) find(claims map[string]any) any {
	if v := descend(claims, p.segments); v != nil {
		return v
	}
	return claims[p.written]
}

func descend(claims map[string]any, segments []string) any {
	var v any = claims
	for _, s := range segments {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[s]
	}
	return v
}

// wholeClaims are never split on white space: they name somebody, and
// "x admin" must not become a value admin. Scopes, and what else OAuth writes
// as one string, are split.
var wholeClaims = []string{"sub", "username", "preferred_username", "login", "email"}

// attributeSource is a mapping that is ready for use.
type attributeSource struct {
	path      claimPath
	attribute string
	whole     bool
}

func compileMapping(mapping []ClaimMapping, splitAll bool) ([]attributeSource, error) {
	sources := make([]attributeSource, 0, len(mapping))
	for _, m := range mapping {
		path, err := parseClaimPath(m.Claim)
		if err != nil {
			return nil, err
		}
		sources = append(sources, attributeSource{
			path:      path,
			attribute: m.Attribute,
			whole:     !splitAll && slices.Contains(wholeClaims, m.Claim),
		})
	}
	return sources, nil
}

// values returns the values that the claims give.
func (s attributeSource) values(claims map[string]any) []string {
	return valuesOf(s.path.find(claims), s.whole)
}

// separates reports whether the character is white space between values: also
// the separators of ASCII, which upstream splits at and Go does not. A value that
// hangs on to another is one that a forbid would miss.
func separates(c rune) bool { return unicode.IsSpace(c) || 0x1c <= c && c <= 0x1f }

// valuesOf returns the values of a claim: a string split on white space, unless
// it is taken whole, a list's strings unsplit, of anything else nothing.
func valuesOf(claim any, whole bool) []string {
	switch v := claim.(type) {
	case string:
		if whole {
			if v == "" {
				return nil
			}
			return []string{v}
		}
		return strings.FieldsFunc(v, separates)
	case []any:
		values := make([]string, 0, len(v))
		for _, element := range v {
			if text, ok := element.(string); ok {
				values = append(values, text)
			}
		}
		return values
	}
	return nil
}
