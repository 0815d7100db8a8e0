package providers

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Case 149, R14: a deleted account is believed for ten seconds at most, and
// then refused.
func TestADeletedAccountIsRefusedAfterTheCacheTTL(t *testing.T) {
	for option, ttl := range map[string]time.Duration{"": 10 * time.Second, "cache_ttl 3s": 3 * time.Second} {
		for review := range both(t, clusterURL) {
			synctest.Test(t, func(t *testing.T) {
				yes, gone := whose(robotInfo), saying(http.StatusUnauthorized, `{}`)
				if review == reviewToken {
					yes, gone = good(robotInfo), verdict(`{"error":"[invalid bearer token, service account was deleted]"}`)
				}
				c := newCluster(yes)
				k := newKubernetes(t, c, both(t, clusterURL)[review]+"\n"+option)
				wantYes(t, askKind(t, k, callers), robot)
				c.says(gone)
				time.Sleep(ttl - time.Millisecond)
				wantYes(t, askKind(t, k, callers), robot)
				if n := len(c.questions()); n != 1 {
					t.Errorf("%d questions within the ttl", n)
				}
				time.Sleep(time.Millisecond)
				if a, no := askKind(t, k, callers).(*No); !no {
					t.Errorf("after the ttl the answer is %s", describe(a))
				}
			})
		}
	}
}

func TestADeletedAccountIsRefusedAtOnceWithoutACache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(whose(robotInfo))
		k := newKubernetes(t, c, selfSubject+"cache_ttl 0")
		for range 3 {
			wantYes(t, askKind(t, k, callers), robot)
		}
		c.says(saying(http.StatusUnauthorized, `{}`))
		wantNo(t, askKind(t, k, callers), "API server refuses the token")
		if n := len(c.questions()); n != 4 {
			t.Errorf("%d questions for 4 requests", n)
		}
		// A no is kept for a moment: that a token was made good again is in no
		// hurry.
		c.says(whose(robotInfo))
		time.Sleep(noTTL - time.Millisecond)
		wantNo(t, askKind(t, k, callers), "API server refuses the token")
		time.Sleep(time.Millisecond)
		wantYes(t, askKind(t, k, callers), robot)
	})
}

// The API server's time is not the caller's, but an account that was deleted
// does not serve on.
func TestAnOutageIsBridgedOnlyWhereStaleIfErrorSaysSo(t *testing.T) {
	for option, bridged := range map[string]time.Duration{"": 0, "stale_if_error 1m": time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(whose(robotInfo))
			k := newKubernetes(t, c, selfSubject+option)
			wantYes(t, askKind(t, k, callers), robot)
			c.says(saying(http.StatusInternalServerError, `{}`))
			time.Sleep(kubernetesCacheTTL)
			if bridged > 0 {
				time.Sleep(bridged - time.Millisecond)
				wantYes(t, askKind(t, k, callers), robot)
				time.Sleep(time.Millisecond)
			}
			wantCannotTell(t, askKind(t, k, callers))
			wantCannotTell(t, askKind(t, k, "another-"+callers))

			c.says(whose(robotInfo))
			wantYes(t, askKind(t, k, callers), robot) // a cannot tell is not kept
			time.Sleep(kubernetesCacheTTL)
			c.says(saying(http.StatusUnauthorized, `{}`))
			wantNo(t, askKind(t, k, callers), "API server refuses the token")
			c.says(saying(http.StatusInternalServerError, `{}`))
			time.Sleep(noTTL)
			wantCannotTell(t, askKind(t, k, callers))
		})
	}
}

// The kubelet replaces the gateway's token long before it expires. The one that
// is in the file counts, from the next question on.
func TestTheGatewaysOwnTokenIsReadForEachQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := ownTokenFile(t, "first-test-only\n")
		c := newCluster(good(robotInfo))
		k := newKubernetes(t, c, "review token\naudiences llama-stack\napi_server_url "+clusterURL+"\ntoken_file "+path)
		wantYes(t, askKind(t, k, callers), robot)
		for _, content := range []string{"  second-test-only\r\n", "", "third-test-only"} {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if content == "" { // what is known needs no token of ours
				wantYes(t, askKind(t, k, callers), robot)
			}
			time.Sleep(kubernetesCacheTTL)
			if a := askKind(t, k, callers); content == "" {
				wantCannotTell(t, a)
			} else {
				wantYes(t, a, robot)
			}
		}
		var shown []string
		for _, q := range c.questions() {
			shown = append(shown, q.authorization)
		}
		if got, want := strings.Join(shown, ","), "Bearer first-test-only,Bearer second-test-only,Bearer third-test-only"; got != want {
			t.Errorf("asked with %q, want %q", got, want)
		}
	})
}

// The story of a stolen credential: neither token is ever where the other one
// belongs, whatever the API server answers.
func TestNeitherTokenIsShownInTheOthersPlace(t *testing.T) {
	moveTo(t, &podToken, ownTokenFile(t, gateways))
	answers := []http.HandlerFunc{
		whose(robotInfo), good(robotInfo), saying(401, ""), saying(403, ""), saying(404, ""), saying(500, ""), saying(307, ""),
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="kubernetes"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
	}
	for review, lines := range both(t, clusterURL) {
		c := newCluster(nil)
		k := newKubernetes(t, c, lines+"\ncache_ttl 0")
		for i, answer := range answers {
			c.says(answer)
			askKind(t, k, fmt.Sprint(callers, i))
		}
		if n := len(c.questions()); n != len(answers) {
			t.Fatalf("%s: %d questions, want %d", review, n, len(answers))
		}
		for _, q := range c.questions() {
			everywhere := fmt.Sprint(q.header, q.path, q.host)
			switch review {
			case reviewSelfSubject:
				if strings.Contains(everywhere+q.body, gateways) || !strings.HasPrefix(q.authorization, "Bearer "+callers) || strings.Contains(q.body, callers) {
					t.Errorf("%s: asked %+v", review, q)
				}
			default:
				if strings.Contains(everywhere, callers) || q.authorization != "Bearer "+gateways || strings.Contains(q.body, gateways) {
					t.Errorf("%s: asked %+v", review, q)
				}
			}
		}
	}
}

// R13: the API server goes on saying yes while it remembers a token; its exp
// ends it here.
func TestAYesEndsWithTheJWTsOwnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(whose(robotInfo))
		k := newKubernetes(t, c, selfSubject+"stale_if_error 1h")
		expires := time.Now().Add(5 * time.Second)
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"exp": expires.Unix()}).SignedString([]byte("test-only"))
		if err != nil {
			t.Fatal(err)
		}
		if yes := wantYes(t, askKind(t, k, token), robot); !yes.Expires.Equal(expires.Truncate(time.Second)) {
			t.Errorf("it says that it ends at %s, want %s", yes.Expires, expires)
		}
		time.Sleep(5*time.Second - time.Millisecond)
		wantYes(t, askKind(t, k, token), robot)
		time.Sleep(time.Millisecond)
		wantNo(t, askKind(t, k, token), reasonExpired)
	})
}

// Case 127: what one block was told is not what another is told: they let
// different people in, and keep different groups.
func TestAnswersAreNotSharedAcrossBlocksThatDiffer(t *testing.T) {
	file := ownTokenFile(t, gateways)
	blocks := []string{
		"service_accounts any\napi_server_url https://a.example",
		"service_accounts any\napi_server_url https://b.example",
		"service_accounts team-red/*\napi_server_url https://a.example",
		"service_accounts any\nsystem_groups system:masters\napi_server_url https://a.example",
		"service_accounts any\ntenant_claim namespace\napi_server_url https://a.example",
		"review token\naudiences llama-stack\ntoken_file " + file + "\napi_server_url https://a.example",
		"review token\naudiences llama-stack other\ntoken_file " + file + "\napi_server_url https://a.example",
		"review token\naudiences llama-stack\ntoken_file " + ownTokenFile(t, gateways) + "\napi_server_url https://a.example",
	}
	var all []*cluster
	var again []*Kubernetes
	for _, lines := range blocks {
		c := newCluster(saying(201, `{"status":{"authenticated":true,"audiences":["llama-stack"],"user":`+robotInfo+`,"userInfo":`+robotInfo+`}}`))
		k := newKubernetes(t, c, lines)
		wantYes(t, askKind(t, k, callers), robot)
		all, again = append(all, c), append(again, newKubernetes(t, c, lines))
	}
	for i, c := range all {
		wantYes(t, askKind(t, again[i], callers), robot) // the same block, as after a reload
		if n := len(c.questions()); n != 1 {
			t.Errorf("block %d was asked %d times", i, n)
		}
	}
}
