//go:build integration

package providers

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/caddy-stack-auth/caddy-stack-auth/integration/differential"
)

// valueList is a list of values that mappings may share.
type valueList struct{ values []any }

// referenceClaims is OGX's get_attributes_from_claims with what becomes of its
// result, with a switch for each row of the table.
func referenceClaims(c *claimsCase, _ *claimsAnswer, on differential.Set) string {
	mapping := c.Mapping
	if mapping == nil {
		mapping = defaultMappings[c.Provider][on.Has(identityNotRoles)]
	}
	lists := make(map[string]*valueList) // by where they are in the claims
	attributes := make(map[string]*valueList)
	for _, pair := range mapping {
		var list *valueList
		found, where := findClaim(c.Claims, pair[0])
		switch claim := found.(type) {
		case string:
			list = splitClaim(claim, on.Has(identityNotRoles) && slices.Contains(identityClaims, pair[0]))
		case []any:
			list = &valueList{slices.Clone(claim)}
			if !on.Has(aliasedValues) {
				// Python's list itself: what is appended to it is in the claim, too.
				if lists[where] == nil {
					lists[where] = list
				}
				list = lists[where]
			}
		default:
			continue
		}
		if before := attributes[pair[1]]; before != nil {
			before.values = append(before.values, list.values...)
		} else {
			attributes[pair[1]] = list
		}
	}
	result := make(map[string][]string)
	for name, list := range attributes {
		for _, v := range list.values {
			text, ok := v.(string)
			switch {
			case ok:
				result[name] = append(result[name], text)
			case !on.Has(listValues):
				return differential.Refused
			}
		}
	}
	return attributesText(result)
}

// The mappings of the contract, by whether identity is left out.
var defaultMappings = map[string]map[bool][][2]string{
	"oauth2_token": {
		true: {
			{"roles", "roles"}, {"groups", "teams"}, {"team", "teams"}, {"project", "projects"}, {"tenant", "namespaces"}, {"namespace", "namespaces"},
		},
		false: {
			{"sub", "roles"},
			{"username", "roles"},
			{"groups", "teams"},
			{"team", "teams"},
			{"project", "projects"},
			{"tenant", "namespaces"},
			{"namespace", "namespaces"},
		},
	},
	"github_token": {
		true:  {{"organizations", "teams"}},
		false: {{"login", "roles"}, {"organizations", "teams"}},
	},
	"kubernetes": {
		true:  {{"groups", "roles"}, {"namespace", "namespaces"}},
		false: {{"username", "roles"}, {"groups", "roles"}},
	},
}

var identityClaims = []string{"sub", "username", "preferred_username", "login", "email"}

// escapedDot is what Python's expression for it says: a dot with a backslash
// before it.
var escapedDot = regexp.MustCompile(`\\\.`)

// findClaim returns what is at the path, and where that is.
func findClaim(claims map[string]any, path string) (found any, where string) {
	found, where = claims, strings.ReplaceAll(escapedDot.ReplaceAllString(path, "\x00"), ".", "\x01")
	for segment := range strings.SplitSeq(where, "\x01") {
		object, _ := found.(map[string]any)
		found = object[strings.ReplaceAll(segment, "\x00", ".")]
	}
	if found == nil {
		return claims[path], strings.ReplaceAll(path, ".", "\x00")
	}
	return found, where
}

// splitClaim splits as Python does: on the separators of ASCII (FS to US), too.
func splitClaim(claim string, whole bool) *valueList {
	list := new(valueList)
	if whole {
		if claim != "" {
			list.values = append(list.values, claim)
		}
		return list
	}
	for _, word := range strings.FieldsFunc(claim, func(c rune) bool { return unicode.IsSpace(c) || 0x1c <= c && c <= 0x1f }) {
		list.values = append(list.values, word)
	}
	return list
}
