package abac

import (
	"regexp"
	"strings"
	"testing"
)

// language is what a pattern says, as somebody sees it who does not compile it
// for a policy: whether it is the whole of a text, and whether the text begins
// with it.
func language(t *testing.T, pattern, text string) (wholly, fromStart bool) {
	t.Helper()
	source, isExpression := strings.CutPrefix(pattern, "regex:")
	if !isExpression {
		prefix, isPrefix := strings.CutSuffix(pattern, "*")
		matches := text == pattern || isPrefix && strings.HasPrefix(text, prefix)
		return matches, matches
	}
	re, err := regexp.Compile(source)
	if err != nil {
		t.Fatalf("%q was accepted: %v", pattern, err)
	}
	re.Longest()
	at := re.FindStringIndex(text)
	return at != nil && at[0] == 0 && at[1] == len(text), at != nil && at[0] == 0
}

func addPatterns(f *testing.F, patterns []string, texts []string) {
	for i, pattern := range append(patterns, "", "regex:", "regex:a)|(b", "regex:(?=a)", "regex:a{,3}", "regex:(?i)a|B$", `regex:\Qa`, `regex:a\z`, "regex:(?m)^a$") {
		for _, text := range texts {
			f.Add(pattern, text, i%2 == 0)
		}
	}
}

// A permit never matches what its pattern does not say, and a forbid always
// matches what its pattern says, in lower and upper case too.
func FuzzRoutePattern(f *testing.F) {
	addPatterns(f, somePatterns, somePaths)
	f.Fuzz(func(t *testing.T, pattern, decoded string, upstream bool) {
		compat := CompatNone
		if upstream {
			compat = CompatOGX
		}
		path, err := CanonicalPath(decoded)
		permit := RouteRule{Effect: Permit, Paths: []string{pattern}}
		forbid := RouteRule{Effect: Forbid, Paths: []string{pattern}}
		if err != nil || permit.Check() != nil || forbid.Check() != nil {
			return
		}
		wholly, fromStart := language(t, pattern, path)
		if compat == CompatOGX {
			wholly = fromStart
		}
		q := RouteQuestion{Method: "GET", Path: path}
		for _, name := range []string{"decides", "explains"} {
			decide := func(r RouteRule, compat Compat) Decision {
				if p := mustRoutes(t, []RouteRule{r}, compat); name == "decides" {
					return p.Decide(q)
				}
				return mustRoutes(t, []RouteRule{r}, compat).Explain(q)
			}
			if got := decide(permit, compat).Allowed; got != wholly {
				t.Fatalf("permit %q (compat %q) %s %q: %t, want %t", pattern, compat, name, path, got, wholly)
			}
			if !fromStart {
				continue
			}
			for _, q.Path = range []string{path, lowerASCII(path), upperASCII(path)} {
				if strings.HasPrefix(pattern, "regex:") && q.Path != path {
					continue
				}
				if decide(forbid, compat).Cause != ByRule {
					t.Fatalf("forbid %q %s %q and does not apply", pattern, name, q.Path)
				}
			}
			q.Path = path
		}
	})
}

func lowerASCII(s string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		return c
	}, s)
}

func upperASCII(s string) string {
	return strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		return c
	}, s)
}

// The same of resources, which forbids compare byte for byte. Upstream's `$`
// also matches before a line feed that ends an id.
func FuzzResourcePattern(f *testing.F) {
	addPatterns(f, someResources[1:], someIDs)
	f.Fuzz(func(t *testing.T, pattern, id string, upstream bool) {
		compat := CompatNone
		if upstream {
			compat = CompatOGX
		}
		r := Rule{Effect: Permit, Actions: Actions, Resource: Given(pattern)}
		if pattern == "" || r.Check(compat) != nil {
			return
		}
		resource := NewResource("model", id, nil)
		said, fromStart := language(t, pattern, resource.String())
		if before, found := strings.CutSuffix(resource.String(), "\n"); found && strings.Contains(pattern, "$") {
			_, also := language(t, pattern, before)
			fromStart = fromStart || also
		}
		if compat == CompatOGX {
			if said = fromStart; !strings.HasPrefix(pattern, "regex:") && !strings.HasSuffix(pattern, "::*") {
				said = pattern == resource.String()
			}
		}
		user := &User{Principal: "alice"}
		if mustPolicy(t, []Rule{r}, Options{Compat: compat}).Decide(user, Read, resource).Allowed && !said {
			t.Fatalf("permit %q (compat %q) applies to %q", pattern, compat, resource)
		}
		r.Effect = Forbid
		_, begins := language(t, pattern, resource.String())
		if compat == CompatOGX && !strings.HasPrefix(pattern, "regex:") {
			begins = said
		}
		if mustPolicy(t, []Rule{r}, Options{Compat: compat}).Decide(user, Read, resource).Cause != ByRule && begins {
			t.Fatalf("forbid %q (compat %q) does not apply to %q", pattern, compat, resource)
		}
	})
}
