package providers

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// benchmark measures the answer to one token, which is a yes or a no.
func benchmark(b *testing.B, algorithm, lines string, spoil bool) {
	issuer := newIssuer()
	issuer.Publish(testissuer.NewKey("bench", algorithm))
	token := issuer.Token("alice", map[string]any{
		"groups": []string{"ml-platform", "research", "on-call"}, "roles": []string{"developer", "reader"},
	})
	if spoil {
		other := byte('A')
		if token[len(token)-10] == other {
			other = 'B'
		}
		token = token[:len(token)-10] + string(other) + token[len(token)-9:]
	}
	o := newProvider(b, issuer, usual+lines)
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/v1/models", nil)
	c := Credential{Token: token}
	wantYes(b, o.ask(b, testissuer.NewKey("bench", algorithm).Sign(issuer.Claims("warm", nil), nil)), "warm")
	b.ReportAllocs()
	for b.Loop() {
		if _, yes := o.Authenticate(r, c).(*Yes); yes == spoil {
			b.Fatal("the other answer")
		}
	}
}

func BenchmarkCachedToken(b *testing.B)       { benchmark(b, "RS256", "", false) }
func BenchmarkColdTokenRS256(b *testing.B)    { benchmark(b, "RS256", "cache_ttl 0", false) }
func BenchmarkColdTokenES256(b *testing.B)    { benchmark(b, "ES256", "cache_ttl 0", false) }
func BenchmarkColdTokenEdDSA(b *testing.B)    { benchmark(b, "EdDSA", "cache_ttl 0", false) }
func BenchmarkBadSignatureRS256(b *testing.B) { benchmark(b, "RS256", "", true) }
func BenchmarkBadSignatureES256(b *testing.B) { benchmark(b, "ES256", "", true) }

func BenchmarkFindCredential(b *testing.B) {
	issuer := newIssuer()
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/v1/models", nil)
	r.Header.Set("Authorization", "Bearer "+issuer.Token("alice", nil))
	sources := TokenSources{DefaultTokenSource()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sources.Find(r); err != nil {
			b.Fatal(err)
		}
	}
}
