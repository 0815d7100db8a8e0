//go:build integration

package integration

import (
	"testing"
	"time"
)

// guardKeys lets in service accounts by the cluster's keys.
func guardKeys(t *testing.T, tokenFile, trust string) *guarded {
	t.Helper()
	return guard(t, "kubernetes-jwks.Caddyfile", kube.url, "KUBE_TOKEN_FILE="+tokenFile, "KUBE_TRUST_POOL="+trust)
}

func TestServiceAccountsComeInByTheKeysOfTheCluster(t *testing.T) {
	path := kube.tokenFile(t, "gateways", "reader")
	trust := "file " + kube.caFile
	g := guardKeys(t, path, trust)
	good := kube.token(t, "team-red", "caller", "llama-stack")
	wantAttributes(t, g.serves(t, good, caller), map[string][]string{
		"namespaces": {"team-red"}, "service_accounts": {"caller"},
	})
	for _, tc := range []struct{ name, token string }{
		{"for the API server", kube.token(t, "team-red", "caller")},
		{"for another audience", kube.token(t, "team-red", "caller", "other-api")},
		{"a person's, which is no JWT", kube.admin},
		{"tampered", good[:len(good)-8] + "AAAAAAAA"},
		{"made up", bogusToken(kube.url)},
	} {
		t.Run(tc.name, func(t *testing.T) { g.refuses(t, tc.token, unknown, "invalid_token") })
	}
	t.Run("a deleted account is good until its token expires", func(t *testing.T) {
		// what docs/kubernetes.md warns of
		gone := kube.token(t, "team-red", "gone", "llama-stack")
		kube.deleteServiceAccount(t, "team-red", "gone")
		g.serves(t, gone, "system:serviceaccount:team-red:gone")
	})
	t.Run("without a token of its own the gateway gets no keys, until it has one", func(t *testing.T) {
		path := kube.tokenFile(t, "gateways", "reader")
		own := kube.token(t, "gateways", "reader")
		replace(t, path, "nonsense-test-only")
		g := guardKeys(t, path, trust)
		g.refuses(t, good, cannotTell, "auth_service_unavailable")
		replace(t, path, "")
		g.refuses(t, good, cannotTell, "auth_service_unavailable")
		replace(t, path, own)
		took := g.recovers(t, 2*time.Second, good, caller)
		t.Logf("served %v after the token was there", took.Round(time.Millisecond))
	})
	t.Run("a certificate of a CA that is not trusted", func(t *testing.T) {
		g := guardKeys(t, path, "system")
		g.refuses(t, good, cannotTell, "auth_service_unavailable")
		g.wantLog(t, "certificate signed by unknown authority")
	})
}

func TestClusterIsDownAndComesBack(t *testing.T) {
	const ttl = time.Second
	path := reviewer(t)
	strict := guardSelfSubject(t, "team-red/*", "CACHE_TTL="+ttl.String())
	patient := guardSelfSubject(t, "team-red/*", "CACHE_TTL="+ttl.String(), "PROVIDER_OPTIONS=stale_if_error 1h")
	review := guardReview(t, path, "CACHE_TTL="+ttl.String())
	keys := guardKeys(t, path, "file "+kube.caFile)
	seen, seenHere := kube.token(t, "team-red", "caller"), kube.token(t, "team-red", "caller", "llama-stack")
	fresh, freshHere := kube.token(t, "team-red", "caller"), kube.token(t, "team-red", "caller", "llama-stack")
	for _, g := range []*guarded{strict, patient} {
		g.serves(t, seen, caller)
	}
	for _, g := range []*guarded{review, keys} {
		g.serves(t, seenHere, caller)
	}
	asked := time.Now()

	back := kube.down(t)
	within(t, ttl+slack, "answers of before are too old", func() bool { return time.Since(asked) > ttl })
	t.Run("nobody can tell", func(t *testing.T) {
		for range 7 {
			strict.refuses(t, seen, cannotTell, "auth_service_unavailable")
			strict.refuses(t, fresh, cannotTell, "auth_service_unavailable")
			review.refuses(t, seenHere, cannotTell, "auth_service_unavailable")
			review.refuses(t, freshHere, cannotTell, "auth_service_unavailable")
			patient.refuses(t, fresh, cannotTell, "auth_service_unavailable")
		}
		strict.refuses(t, "", unknown, "missing_credential")
	})
	t.Run("with stale_if_error those who are known are served on", func(t *testing.T) {
		patient.serves(t, seen, caller)
	})
	t.Run("by the cluster's keys everybody is", func(t *testing.T) {
		keys.serves(t, seenHere, caller)
		keys.serves(t, freshHere, caller)
	})

	comesBack(t, back, map[string]asker{"strict": {strict, fresh}, "patient": {patient, fresh}, "review": {review, freshHere}})
	for _, g := range []*guarded{strict, patient} {
		g.serves(t, seen, caller)
		g.serves(t, fresh, caller)
	}
	review.serves(t, seenHere, caller)
	review.serves(t, freshHere, caller)
}
