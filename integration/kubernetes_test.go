//go:build integration

package integration

import (
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// kubeMemory is how long the API server itself remembers a good token.
const kubeMemory = 10 * time.Second

// guardSelfSubject lets in service accounts of these entries, by a
// SelfSubjectReview.
func guardSelfSubject(t *testing.T, accounts string, more ...string) *guarded {
	t.Helper()
	return guard(t, "kubernetes.Caddyfile", kube.url,
		append([]string{"KUBE_CA=" + kube.caFile, "SERVICE_ACCOUNTS=" + accounts}, more...)...)
}

// guardReview lets in whoever has a token for llama-stack, by a TokenReview
// with the gateway's own token of this file.
func guardReview(t *testing.T, tokenFile string, more ...string) *guarded {
	t.Helper()
	return guard(t, "kubernetes-review.Caddyfile", kube.url,
		append([]string{"KUBE_CA=" + kube.caFile, "KUBE_TOKEN_FILE=" + tokenFile}, more...)...)
}

// reviewer is the token file of a gateway that may ask for token reviews.
func reviewer(t *testing.T) string {
	t.Helper()
	path := kube.tokenFile(t, "gateways", "reviewer")
	kube.delegate(t, "gateways", "reviewer")
	return path
}

// replace puts something else into a file in one step, as the kubelet does.
func replace(t *testing.T, path, content string) {
	t.Helper()
	next := filepath.Join(filepath.Dir(path), "next")
	if err := os.WriteFile(next, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

const (
	caller     = "system:serviceaccount:team-red:caller"
	unknown    = http.StatusUnauthorized
	cannotTell = http.StatusServiceUnavailable
)

func TestServiceAccountsComeInByTheirOwnReview(t *testing.T) {
	team := guardSelfSubject(t, "team-red/* default/my-user")
	good := kube.token(t, "team-red", "caller")
	t.Run("any of a namespace", func(t *testing.T) {
		wantAttributes(t, team.serves(t, good, caller), map[string][]string{"namespaces": {"team-red"}})
		other := team.serves(t, kube.token(t, "team-red", "other"), "system:serviceaccount:team-red:other")
		wantAttributes(t, other, map[string][]string{"namespaces": {"team-red"}})
	})
	t.Run("one that is named", func(t *testing.T) {
		attributes := team.serves(t, kube.token(t, "default", "my-user"), "system:serviceaccount:default:my-user")
		wantAttributes(t, attributes, map[string][]string{"namespaces": {"default"}})
	})
	for _, tc := range []struct{ name, token string }{
		{"another of a namespace of which one is named", kube.token(t, "default", "other-user")},
		{"one of another namespace", kube.token(t, "team-blue", "caller")},
		{"one of a namespace whose name begins so", kube.token(t, "team-red-2", "caller")},
		{"a token for another audience", kube.token(t, "team-red", "caller", "llama-stack")},
		{"a person whom the API server knows, and who may do everything there", kube.admin},
		{"a token of another issuer", idp.login(t, "stack-cli", "alice").Access},
		{"a tampered token", good[:len(good)-8] + "AAAAAAAA"},
		{"nonsense", "nonsense-test-only"},
	} {
		t.Run(tc.name, func(t *testing.T) { team.refuses(t, tc.token, unknown, "invalid_token") })
	}
	t.Run("nobody", func(t *testing.T) { team.refuses(t, "", unknown, "missing_credential") })
	t.Run("who asks the API server to be somebody else is not", func(t *testing.T) {
		before := team.stack.count()
		a := team.do(t, request{path: "/v1/models", token: good, header: map[string][]string{
			"Impersonate-User": {"system:serviceaccount:default:my-user"}, "Impersonate-Group": {"system:masters"},
			"X-Remote-User": {"admin"}, "X-Remote-Group": {"system:masters"},
		}})
		wantStatus(t, a, http.StatusOK)
		for _, c := range team.stack.since(before) {
			c.check(t, good, caller)
		}
	})
	t.Run("a group of the cluster is a role only where it is named", func(t *testing.T) {
		g := guardSelfSubject(t, "team-red/*", "PROVIDER_OPTIONS=system_groups system:serviceaccounts:team-red system:masters")
		wantAttributes(t, g.serves(t, good, caller), map[string][]string{
			"namespaces": {"team-red"}, "roles": {"system:serviceaccounts:team-red"},
		})
	})
	t.Run("any is really any", func(t *testing.T) {
		g := guardSelfSubject(t, "any")
		wantAttributes(t, g.serves(t, kube.admin, "admin"), nil)
		g.refuses(t, kube.token(t, "team-red", "caller", "llama-stack"), unknown, "invalid_token")
		g.wantLog(t, "service_accounts any: every pod of the cluster is let in")
	})
}

func TestServiceAccountsComeInByTheGatewaysReview(t *testing.T) {
	g := guardReview(t, reviewer(t))
	good := kube.token(t, "team-red", "caller", "llama-stack")
	only := guardReview(t, reviewer(t), "PROVIDER_OPTIONS=service_accounts team-blue/*")
	for _, tc := range []struct{ name, token string }{
		{"for the stack", good},
		{"for the stack and another", kube.token(t, "team-red", "caller", "other-api", "llama-stack")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantAttributes(t, g.serves(t, tc.token, caller), map[string][]string{"namespaces": {"team-red"}})
			only.refuses(t, tc.token, unknown, "invalid_token")
		})
	}
	only.serves(t, kube.token(t, "team-blue", "caller", "llama-stack"), "system:serviceaccount:team-blue:caller")
	for _, tc := range []struct{ name, token string }{
		{"for the API server", kube.token(t, "team-red", "caller")},
		{"for another audience", kube.token(t, "team-red", "caller", "other-api")},
		{"the gateway's own", kube.token(t, "gateways", "reviewer")},
		{"a person's, which has no audience", kube.admin},
		{"tampered", good[:len(good)-8] + "AAAAAAAA"},
		{"nonsense", "nonsense-test-only"},
	} {
		t.Run(tc.name, func(t *testing.T) { g.refuses(t, tc.token, unknown, "invalid_token") })
	}
	t.Run("a gateway that may not ask does not blame its callers", func(t *testing.T) {
		g := guardReview(t, kube.tokenFile(t, "gateways", "undelegated"))
		for range 7 {
			g.refuses(t, good, cannotTell, "auth_service_unavailable")
		}
		g.refuses(t, "nonsense-test-only", cannotTell, "auth_service_unavailable")
		g.wantLog(t, "needs the ClusterRole system:auth-delegator")
	})
}

func TestTokenOfTheGatewayIsReplacedWhileItRuns(t *testing.T) {
	path := reviewer(t)
	g := guardReview(t, path, "CACHE_TTL=0")
	good := kube.token(t, "team-red", "caller", "llama-stack")
	g.serves(t, good, caller)

	t.Run("nobody notices", func(t *testing.T) {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		var asked [4]int
		for i := range asked {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if a, err := g.try(t.Context(), request{path: "/v1/models", token: good}); err != nil || a.status != http.StatusOK {
						t.Errorf("%d %s %v", a.status, a.body, err)
					}
					asked[i]++
				}
			})
		}
		for range 20 {
			replace(t, path, kube.token(t, "gateways", "reviewer")+"\n")
		}
		close(stop)
		wg.Wait()
		t.Logf("%v requests while the token was replaced 20 times", asked)
	})
	for _, tc := range []struct{ name, content, log string }{
		{"one that may not ask", kube.token(t, "gateways", "undelegated"), "needs the ClusterRole system:auth-delegator"},
		{"one that is not good any more", goneToken(t), "refuses the gateway's own token (token_file)"},
		{"one for the stack", good, "refuses the gateway's own token (token_file)"},
		{"nothing", "", "reading token_file"},
		{"two lines", "a\nb", "reading token_file"},
	} {
		t.Run("the next question is asked with "+tc.name, func(t *testing.T) {
			replace(t, path, tc.content)
			g.refuses(t, good, cannotTell, "auth_service_unavailable")
			g.wantLog(t, tc.log)
			replace(t, path, kube.token(t, "gateways", "reviewer"))
			g.serves(t, good, caller)
		})
	}
	t.Run("without the file nobody is asked", func(t *testing.T) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		g.refuses(t, good, cannotTell, "auth_service_unavailable")
		replace(t, path, kube.token(t, "gateways", "reviewer"))
		g.serves(t, good, caller)
	})
}

// goneToken is of an account that was deleted.
func goneToken(t *testing.T) string {
	t.Helper()
	token := kube.token(t, "gateways", "gone")
	kube.deleteServiceAccount(t, "gateways", "gone")
	return token
}

func TestDeletedServiceAccountIsRefused(t *testing.T) {
	const ttl = time.Second
	self := guardSelfSubject(t, "leavers/*", "CACHE_TTL="+ttl.String())
	asks := guardSelfSubject(t, "leavers/*", "CACHE_TTL=0")
	review := guardReview(t, reviewer(t), "CACHE_TTL="+ttl.String())
	const who = "system:serviceaccount:leavers:leaver"
	inUse := kube.token(t, "leavers", "leaver")
	inUseHere := kube.token(t, "leavers", "leaver", "llama-stack")
	unseen := kube.token(t, "leavers", "leaver")
	unseenHere := kube.token(t, "leavers", "leaver", "llama-stack")
	self.serves(t, inUse, who)
	asks.serves(t, inUse, who)
	review.serves(t, inUseHere, who)

	kube.deleteServiceAccount(t, "leavers", "leaver")
	deleted := time.Now()
	t.Run("at once, if the API server has not seen the token lately", func(t *testing.T) {
		self.refuses(t, unseen, unknown, "invalid_token")
		review.refuses(t, unseenHere, unknown, "invalid_token")
	})
	t.Run("and else when the API server has forgotten it, though it is in use all the while", func(t *testing.T) {
		left := map[string]struct {
			g     *guarded
			token string
		}{"with cache_ttl 0": {asks, inUse}, "its own review": {self, inUse}, "the gateway's review": {review, inUseHere}}
		within(t, kubeMemory+ttl+2*slack, "all are refused", func() bool {
			for name, one := range left {
				begin := time.Now()
				a, _ := one.g.tries(t, one.token)
				if a.status == http.StatusOK {
					if begin.After(deleted.Add(kubeMemory + ttl + slack)) {
						t.Errorf("%s: let through %v after it was deleted", name, begin.Sub(deleted))
					}
					continue
				}
				wantRefusal(t, a, unknown, "invalid_token", one.token)
				t.Logf("%s: refused %v after it was deleted", name, time.Since(deleted).Round(time.Millisecond))
				delete(left, name)
			}
			return len(left) == 0
		})
	})
	t.Run("another of its name is let in, and does not bring the old tokens back", func(t *testing.T) {
		again := kube.token(t, "leavers", "leaver")
		self.serves(t, again, who)
		self.refuses(t, unseen, unknown, "invalid_token")
		self.refuses(t, inUse, unknown, "invalid_token")
	})
}
