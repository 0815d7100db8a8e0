package providers

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// introspecting is a block that asks the issuer about its tokens.
const introspecting = usual + `introspection {
	url ` + idp + `/introspect
	client_id gw
	client_secret throw-away
}

`

// newIntrospector returns a provider whose endpoint is the handler.
func newIntrospector(t testing.TB, h http.HandlerFunc, lines string) *OAuth2Token {
	t.Helper()
	o := newKind[*OAuth2Token](t, "oauth2_token", lines)
	o.reaches(h)
	return o
}

// active is an answer for alice with the given members laid over it; a nil
// takes one away.
func active(over map[string]any) string {
	members := map[string]any{"active": true, "sub": "alice"}
	maps.Copy(members, over)
	maps.DeleteFunc(members, func(_ string, v any) bool { return v == nil })
	b, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// R13: to the millisecond, with and without leeway, at the first look and from
// memory.
func TestTheTimesOfAnIntrospectedTokenAreExact(t *testing.T) {
	const ms = time.Millisecond
	for _, tc := range []struct {
		lines   string
		member  string
		at      time.Duration // of the member, from the start
		ask     time.Duration
		want    string
		noOther bool // also if nobody has asked before
	}{
		{"", "exp", 10 * time.Second, 10*time.Second - ms, "yes: alice", true},
		{"", "exp", 10 * time.Second, 10 * time.Second, "no: " + reasonExpired, true},
		{"", "exp", 10 * time.Second, 10*time.Second + ms, "no: " + reasonExpired, true},
		{"leeway 5s", "exp", 10 * time.Second, 15*time.Second - ms, "yes: alice", true},
		{"leeway 5s", "exp", 10 * time.Second, 15 * time.Second, "no: " + reasonExpired, true},
		{"", "exp", -time.Second, 0, "no: " + reasonExpired, true},
		{"leeway 5s", "exp", -time.Second, 0, "yes: alice", true},
		{"cache_ttl 1h", "exp", 10 * time.Second, 10 * time.Second, "no: " + reasonExpired, true},
		{"cache_ttl 1h\nstale_if_error 1h", "exp", 10 * time.Second, 10 * time.Second, "no: " + reasonExpired, true},
		{"", "nbf", 5 * time.Second, 5*time.Second - ms, "no: token is not valid yet (nbf)", true},
		{"", "nbf", 5 * time.Second, 5 * time.Second, "yes: alice", false},
		{"leeway 2s", "nbf", 5 * time.Second, 3*time.Second - ms, "no: token is not valid yet (nbf)", true},
		{"leeway 2s", "nbf", 5 * time.Second, 3 * time.Second, "yes: alice", false},
	} {
		for _, before := range []bool{true, false} {
			if before && !tc.noOther {
				continue // its no is remembered for a while
			}
			synctest.Test(t, func(t *testing.T) {
				at := time.Now().Add(tc.at).Unix()
				o := newIntrospector(t, saying(http.StatusOK, active(map[string]any{tc.member: at})), introspecting+tc.lines)
				if before {
					askKind(t, o, "t")
				}
				time.Sleep(tc.ask)
				a := askKind(t, o, "t")
				if got := describe(a); got != tc.want {
					t.Errorf("%s %s after %s, with %q: %s, want %s", tc.member, tc.at, tc.ask, tc.lines, got, tc.want)
				}
				if no, ok := a.(*No); ok && no.Expired != (no.Reason == reasonExpired) {
					t.Errorf("expired is %t of %s", no.Expired, no.Reason)
				}
			})
		}
	}
}

// Keycloak calls a token active until its second is over, and other servers
// forget to look: the exp that a JWT shows counts, too.
func TestTheExpOfTheTokenCountsBesideThatOfTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newIntrospector(t, saying(http.StatusOK, active(nil)), introspecting+"leeway 2s")
		token := unsigned(fmt.Sprintf(`{"iss":%q,"exp":%d}`, idp, time.Now().Add(10*time.Second).Unix()))
		wantYes(t, askKind(t, o, token), "alice")
		time.Sleep(12*time.Second - time.Millisecond)
		wantYes(t, askKind(t, o, token), "alice")
		time.Sleep(time.Millisecond)
		wantNo(t, askKind(t, o, token), reasonExpired)
	})
}

// Contract, not mine: a JWT of another issuer is not shown to this one, and
// `tokens` leaves tokens to others without a call.
func TestTokensOfOthersAreNotShown(t *testing.T) {
	for _, tc := range []struct {
		lines, token string
		shown        bool
	}{
		{introspecting, "opaque", true},
		{introspecting, unsigned(`{"iss":"` + idp + `"}`), true},
		{introspecting, unsigned(`{}`), true},
		{introspecting, unsigned(`{"iss":5}`), true},
		{introspecting, unsigned(`{"iss":"https://other.example"}`), false},
		{introspecting, unsigned(`{"iss":"` + idp + `/"}`), false},
		{introspecting + "skip_issuer_check", unsigned(`{"iss":"https://other.example"}`), true},
		{strings.TrimPrefix(introspecting, "issuer "+idp+"\n"), unsigned(`{"iss":"https://other.example"}`), true},
		{introspecting + "tokens opaque", unsigned(`{"iss":"` + idp + `"}`), false},
		{introspecting + "tokens opaque", "opaque", true},
		{introspecting + "tokens jwt", "opaque", false},
		{introspecting + "tokens jwt", unsigned(`{"iss":"` + idp + `"}`), true},
		{introspecting + "tokens prefix a_ b_", "b_1", true},
		{introspecting + "tokens prefix a_ b_", "c_1", false},
		{introspecting, "", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int64
			o := newIntrospector(t, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				saying(http.StatusOK, active(nil))(w, r)
			}, tc.lines)
			a := askKind(t, o, tc.token)
			if tc.shown {
				wantYes(t, a, "alice")
			} else {
				wantNotMine(t, a)
			}
			if n := calls.Load(); (n == 1) != tc.shown {
				t.Errorf("%q is shown %d times with\n%s", tc.token, n, tc.lines)
			}
		})
	}
}

// GHSA-4mq7-pvjg-xp2r: two endpoints, two clients of one, two audiences: each
// gives its own answer about the same token, also from memory.
func TestOneTokenAtTwoIntrospectionsHasTwoAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here := func(w http.ResponseWriter, r *http.Request) {
			id, _, _ := r.BasicAuth()
			saying(http.StatusOK, active(map[string]any{"sub": r.URL.Path[1:] + "-" + id, "aud": testissuer.Audience}))(w, r)
		}
		block := func(path, id, secret, more string) *OAuth2Token {
			return newIntrospector(t, here, usual+"introspection {\n url "+idp+"/"+path+"\n client_id "+id+"\n client_secret "+secret+"\n}\n"+more)
		}
		for want, o := range map[string]*OAuth2Token{
			"yes: a-gw":    block("a", "gw", "s", ""),
			"yes: b-gw":    block("b", "gw", "s", ""),
			"yes: a-other": block("a", "other", "s", ""),
			"yes: x:a-gw":  block("a", "gw", "s", "principal_prefix x:"),
			"no: aud has none of the configured audiences": newIntrospector(t, here,
				strings.Replace(introspecting, testissuer.Audience, "elsewhere", 1)),
		} {
			for range 3 {
				if got := describe(askKind(t, o, "t")); got != want {
					t.Errorf("%s, want %s", got, want)
				}
			}
		}
	})
}

// Contract, caches. How answers are kept is TestAnswersAreReusedForTheirTime;
// this is that the options arrive there.
func TestTheCacheOptionsOfIntrospection(t *testing.T) {
	for lines, calls := range map[string]int64{
		"": 2, "cache_ttl 10s": 4, "cache_ttl 0": 40, "cache_ttl 1h": 1,
	} {
		synctest.Test(t, func(t *testing.T) {
			var n atomic.Int64
			o := newIntrospector(t, func(w http.ResponseWriter, r *http.Request) {
				n.Add(1)
				saying(http.StatusOK, active(nil))(w, r)
			}, introspecting+lines)
			for range 40 { // one a second
				wantYes(t, askKind(t, o, "t"), "alice")
				time.Sleep(time.Second)
			}
			if n.Load() != calls {
				t.Errorf("%q: asked %d times in 40 s, want %d", lines, n.Load(), calls)
			}
		})
	}
}

// A judge that is down: known callers are served for stale_if_error, where it
// is there, others get 503, and nobody gets in.
func TestAnIntrospectionEndpointThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := false
		o := newIntrospector(t, func(w http.ResponseWriter, r *http.Request) {
			if down {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			saying(http.StatusOK, active(map[string]any{"exp": time.Now().Add(50 * time.Second).Unix()}))(w, r)
		}, introspecting+"stale_if_error 1h")
		wantYes(t, askKind(t, o, "known"), "alice")
		down = true
		if a, ok := askKind(t, o, "new").(*CannotTell); !ok || a.RetryAfter != 7*time.Second {
			t.Errorf("%+v", a)
		}
		time.Sleep(50*time.Second - time.Millisecond)
		wantYes(t, askKind(t, o, "known"), "alice")
		time.Sleep(time.Millisecond)
		wantCannotTell(t, askKind(t, o, "known"))
	})
}
