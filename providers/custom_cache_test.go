package providers

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

const memoryEndpoint = "https://auth.example/check"

// newCustomIn returns a provider in a bubble, and the number of calls that it
// makes.
func newCustomIn(t testing.TB, lines string, answer http.HandlerFunc) (*Custom, *atomic.Int64) {
	t.Helper()
	p := newCustom(t, memoryEndpoint, lines)
	calls := new(atomic.Int64)
	p.reaches(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		answer(w, r)
	}))
	return p, calls
}

// askFor shows a request with the token to the provider.
func askFor(t testing.TB, p Provider, token, target string, headers ...string) Answer {
	t.Helper()
	return p.Authenticate(requestFor(t, http.MethodGet, target, headers...), Credential{Token: token})
}

// allowModels says yes to a request for models, and no to any other.
func allowModels(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if strings.Contains(string(body), `"path":"/v1/models"`) {
		saying(http.StatusOK, `{"principal":"alice"}`)(w, r)
		return
	}
	w.WriteHeader(http.StatusForbidden)
}

// An endpoint may look at all that it is shown. What it said of one request
// must not open another.
func TestAnAnswerIsReusedForTheSameRequestOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, calls := newCustomIn(t, "", allowModels)
		const refused = "endpoint refuses the credential: status 403"
		for range 3 {
			wantYes(t, askFor(t, p, "k", "/v1/models"), "alice")
			wantNo(t, askFor(t, p, "k", "/v1/admin"), refused)
		}
		if n := calls.Load(); n != 2 {
			t.Errorf("%d calls, want 2", n)
		}
		for i, other := range []func() Answer{
			func() Answer { return askFor(t, p, "k", "/v1/models?limit=1") },
			func() Answer { return askFor(t, p, "k", "/v1/models?limit=2") },
			func() Answer { return askFor(t, p, "k", "/v1/models", "X-Region: eu") },
			func() Answer { return askFor(t, p, "k", "/v1/models", "X-Region: us") },
			func() Answer { return askFor(t, p, "K", "/v1/models") },
		} {
			wantYes(t, other(), "alice")
			wantYes(t, other(), "alice")
			if n := calls.Load(); n != int64(i+3) {
				t.Errorf("request %d: %d calls, want %d", i, n, i+3)
			}
		}
		// What the endpoint is not shown, it cannot have looked at.
		wantYes(t, askFor(t, p, "k", "/v1/models?api_key=x", "Cookie: a=b", "X-Forwarded-For: 192.0.2.1"), "alice")
		if n := calls.Load(); n != 7 {
			t.Errorf("%d calls, want 7", n)
		}
	})
}

func TestAnAnswerIsReusedForTheTokenWhereTheConfigurationSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, calls := newCustomIn(t, "cache_by token", saying(http.StatusOK, `{"principal":"alice"}`))
		for i := range 5 {
			wantYes(t, askFor(t, p, "k", fmt.Sprint("/v1/models/", i), fmt.Sprint("X-Request-Id: ", i)), "alice")
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls for one key", n)
		}
		wantYes(t, askFor(t, p, "k2", "/v1/models/0"), "alice")
		if n := calls.Load(); n != 2 {
			t.Errorf("%d calls for two keys", n)
		}
	})
}

// A key that is taken back is refused after cache_ttl at the latest, and one
// that is given after ten seconds, also with cache_ttl 0.
func TestAnswersEnd(t *testing.T) {
	for lines, yes := range map[string]time.Duration{"": 30 * time.Second, "cache_ttl 5m": 5 * time.Minute, "cache_ttl 0": 0} {
		synctest.Test(t, func(t *testing.T) {
			var good atomic.Bool
			p, calls := newCustomIn(t, lines, func(w http.ResponseWriter, r *http.Request) {
				if good.Load() {
					saying(http.StatusOK, `{"principal":"alice"}`)(w, r)
					return
				}
				w.WriteHeader(http.StatusUnauthorized)
			})
			const refused = "endpoint refuses the credential: status 401"
			wantNo(t, askKind(t, p, "k"), refused)
			good.Store(true)
			time.Sleep(10*time.Second - time.Millisecond)
			wantNo(t, askKind(t, p, "k"), refused)
			if n := calls.Load(); n != 1 {
				t.Errorf("%q: a no is not kept: %d calls", lines, n)
			}
			time.Sleep(time.Millisecond)
			wantYes(t, askKind(t, p, "k"), "alice")
			good.Store(false)
			if yes > 0 {
				time.Sleep(yes - time.Millisecond)
				wantYes(t, askKind(t, p, "k"), "alice")
				time.Sleep(time.Millisecond)
			}
			wantNo(t, askKind(t, p, "k"), refused)
			if n := calls.Load(); n != 3 {
				t.Errorf("%q: %d calls, want 3", lines, n)
			}
		})
	}
}

// Nobody keeps a key by asking while the endpoint is ill; who has one goes on
// for stale_if_error. *Cannot tell* is not remembered.
func TestAnIllEndpointIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ill atomic.Bool
		p, calls := newCustomIn(t, "stale_if_error 1m", func(w http.ResponseWriter, r *http.Request) {
			if ill.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			saying(http.StatusOK, `{"principal":"alice"}`)(w, r)
		})
		wantYes(t, askKind(t, p, "k"), "alice")
		ill.Store(true)
		time.Sleep(90*time.Second - time.Millisecond)
		wantYes(t, askKind(t, p, "k"), "alice")
		wantCannotTell(t, askKind(t, p, "other"))
		time.Sleep(time.Millisecond)
		wantCannotTell(t, askKind(t, p, "k"))
		ill.Store(false)
		wantYes(t, askKind(t, p, "k"), "alice")
		wantYes(t, askKind(t, p, "other"), "alice")
		if n := calls.Load(); n != 6 {
			t.Errorf("%d calls, want 6", n)
		}
	})
}

// A key that is a JWT is no longer good when it says that it is over, whatever
// the endpoint says. What it says otherwise is not believed.
func TestAKeyThatIsAJWTEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newCustomIn(t, "cache_ttl 1h\nstale_if_error 1h", saying(http.StatusOK, `{}`))
		payload := fmt.Sprintf(`{"exp":%d,"principal":"admin","sub":"admin"}`, time.Now().Add(time.Minute).Unix())
		token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
		yes, ok := askKind(t, p, token).(*Yes)
		if !ok || !isFingerprint(yes.User.Principal) {
			t.Fatalf("%v", yes)
		}
		time.Sleep(time.Minute - time.Millisecond)
		if _, ok := askKind(t, p, token).(*Yes); !ok {
			t.Error("the key ends too soon")
		}
		time.Sleep(time.Millisecond)
		wantNo(t, askKind(t, p, token), reasonExpired)
	})
}

// R6: five hundred first uses of one key are one question, and the first who
// hangs up does not take it away from the others.
func TestFiveHundredFirstUsesAskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, calls := newCustomIn(t, "", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			saying(http.StatusOK, `{"principal":"alice"}`)(w, r)
		})
		var yeses atomic.Int64
		var all sync.WaitGroup
		for range 500 {
			all.Go(func() {
				if yes, ok := askFor(t, p, "k", "/v1/models").(*Yes); ok && yes.User.Principal == "alice" {
					yeses.Add(1)
				}
			})
		}
		all.Wait()
		if calls.Load() != 1 || yeses.Load() != 500 {
			t.Errorf("%d calls, %d of 500 got in", calls.Load(), yeses.Load())
		}
		// Others' requests are others' questions.
		for i := range 3 {
			all.Go(func() { askFor(t, p, "k", fmt.Sprint("/v1/models/", i)) })
		}
		all.Wait()
		if n := calls.Load(); n != 4 {
			t.Errorf("%d calls, want 4", n)
		}
	})
}

// What is kept says nothing of keys to whoever reads the process's memory: no
// key of a map, no principal, no answer has a part of one.
func TestNoKeyIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const key = "sk-live-4711-do-not-keep"
		p, _ := newCustomIn(t, "", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if strings.Contains(string(body), "/no") {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			saying(http.StatusOK, `{"message":"`+key+`"}`)(w, r)
		})
		if _, ok := askFor(t, p, key, "/yes").(*Yes); !ok {
			t.Fatal("no yes")
		}
		if _, ok := askFor(t, p, key, "/no").(*No); !ok {
			t.Fatal("no no")
		}
		if p.answers.yeses.Len() == 0 || p.answers.noes.Len() == 0 {
			t.Fatal("nothing is kept")
		}
		var kept strings.Builder
		for _, k := range p.answers.yeses.Keys() {
			hit, _ := p.answers.yeses.Peek(k)
			fmt.Fprintf(&kept, "%s %+v %+v\n", k[:], *hit, *hit.yes.User)
		}
		for _, k := range p.answers.noes.Keys() {
			hit, _ := p.answers.noes.Peek(k)
			fmt.Fprintf(&kept, "%s %+v %+v\n", k[:], *hit, *hit.no)
		}
		for _, part := range []string{key, "sk-live", "4711", "do-not-keep"} {
			if strings.Contains(kept.String(), part) {
				t.Errorf("%q is kept:\n%s", part, kept.String())
			}
		}
	})
}

// GHSA-4mq7-pvjg-xp2r: everything that shapes an answer tells two
// configurations apart, and what only tunes it does not.
func TestCustomConfigurationsShareAnswersOnlyIfTheyAskTheSame(t *testing.T) {
	const good = "endpoint https://a.example\n"
	ctx := newContext(t, zap.NewNop())
	shapes := make(map[shapeKey]string)
	shapeOf := func(lines string) shapeKey {
		p, err := loadKind(t, ctx, "custom", lines)
		if err != nil {
			t.Fatalf("%s: %v", lines, err)
		}
		return p.(*Custom).shape
	}
	for _, lines := range []string{
		good, "endpoint https://a.example/", "endpoint https://a.example?key=1", "endpoint https://a.example?key=2",
		good + "forward_headers X-A", good + "forward_headers X-B", good + "forward_headers X-A X-B", good + "cache_by token",
		good + "principal_prefix p:", good + "principal_claim name", good + "tenant_claim t", good + "claims_mapping {\n}",
		good + "claims_mapping ogx", good + "transport http {\n tls_insecure_skip_verify\n}",
	} {
		shape := shapeOf(lines)
		if other, taken := shapes[shape]; taken {
			t.Errorf("these share their answers:\n%s\n\n%s", lines, other)
		}
		shapes[shape] = lines
	}
	for lines, same := range map[string]string{
		good + "cache_by request\ncache_ttl 5s\ntimeout 1s\nfallthrough\ntokens opaque\nallow_http\nstale_if_error 1m": good,
		good + "forward_headers x-b\nforward_headers x-a":                                                              good + "forward_headers X-A X-B",
	} {
		if got := shapes[shapeOf(lines)]; got != same {
			t.Errorf("a reload loses its answers:\n%s\n\n%s", lines, same)
		}
	}
	if p := loadCustomJSON(t, `{"endpoint":"https://a.example","forward_headers":[]}`); shapes[p.shape] != "" {
		t.Error("no headers and all headers share their answers")
	}
	if p := loadCustomJSON(t, `{"endpoint":"https://a.example","name":"b"}`); shapes[p.shape] != "" {
		t.Error("two providers share their answers")
	}
}

// Requests that were under way when a configuration went are served on.
func TestACustomProviderAnswersAfterItsCleanup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, calls := newCustomIn(t, "", saying(http.StatusOK, `{"principal":"alice"}`))
		wantYes(t, askKind(t, p, "k"), "alice")
		for range 2 {
			if err := p.Cleanup(); err != nil {
				t.Fatal(err)
			}
		}
		wantYes(t, askKind(t, p, "k2"), "alice")
		if n := calls.Load(); n != 2 {
			t.Errorf("%d calls", n)
		}
		if err := new(Custom).Cleanup(); err != nil {
			t.Errorf("of one that was never provisioned: %v", err)
		}
	})
}

// Whoever has one good key can ask about as many requests as he likes. What is
// known of others' tokens stays.
func TestOneKeyDoesNotPushOutTheTokensOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		o := newProvider(t, issuer, usual)
		wantYes(t, o.ask(t, issuer.Token("alice", nil)), "alice")
		p := newKind[*Custom](t, "custom", "endpoint "+idp)
		p.reaches(saying(http.StatusOK, `{"principal":"mallory"}`))
		for i := range ofRequests.yeses + 100 {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprint("/v1/models?page=", i), nil)
			wantYes(t, p.Authenticate(r, Credential{Token: "key-of-mallory"}), "mallory")
		}
		if n := p.answers.yeses.Len(); n != ofRequests.yeses {
			t.Errorf("%d answers to requests are kept", n)
		}
		if n := o.answers.yeses.Len(); n != 1 {
			t.Errorf("%d answers about tokens are kept", n)
		}
	})
}
