package providers

import (
	"context"
	"encoding/base64"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Contract, caches: a yes for cache_ttl, a no for ten seconds, also with
// cache_ttl 0; a *cannot tell* never.
func TestAnswersAreReusedForTheirTime(t *testing.T) {
	const tick = time.Millisecond
	for _, tc := range []struct {
		name    string
		ttl     time.Duration
		answer  Answer
		serving time.Duration
	}{
		{"a yes", 30 * time.Second, yesTo("alice"), 30 * time.Second},
		{"a yes for a shorter time", 5 * time.Second, yesTo("alice"), 5 * time.Second},
		{"a yes without reuse", 0, yesTo("alice"), 0},
		{"a no", 30 * time.Second, refused, noTTL},
		{"a no without reuse", 0, refused, noTTL},
		{"a no with a long reuse", time.Hour, refused, noTTL},
		{"not mine", time.Hour, NotMine{}, 0},
		{"cannot tell", time.Hour, errGone, 0},
		{"an answer of no use", time.Hour, errOdd, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := newSphinx(t, "https://a", always(tc.answer), withTTL(tc.ttl))
			ask := func(want int64) {
				t.Helper()
				if a := askKind(t, o, "t"); a != tc.answer {
					t.Errorf("%s: answer is %s", tc.name, describe(a))
				}
				if n := o.asked.Swap(0); n != want {
					t.Errorf("%s: asked %d times, want %d", tc.name, n, want)
				}
			}
			ask(1)
			if tc.serving > 0 {
				ask(0)
				time.Sleep(tc.serving - tick)
				ask(0) // and this does not make it younger
				time.Sleep(tick)
			}
			ask(1)
		})
	}
}

// R14: whatever is revoked is refused after cache_ttl at the latest, counted
// from the revocation, also where the judge takes longer than that to say yes.
func TestWhatIsRevokedIsRefusedWithinCacheTTL(t *testing.T) {
	for _, slow := range []time.Duration{0, 300 * time.Millisecond, 4 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			const ttl = time.Second
			revoked := time.Now().Add(500 * time.Millisecond)
			o := newSphinx(t, "https://a", func(context.Context, string) Answer {
				asked := time.Now() // what it says is what is true now
				time.Sleep(slow)
				if asked.Before(revoked) {
					return yesTo("alice")
				}
				return refused
			}, withTTL(ttl))
			var served, refusals atomic.Int64
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					came := time.Now()
					switch askKind(t, o, "t").(type) {
					case *Yes:
						served.Add(1)
						if came.Sub(revoked) >= ttl {
							t.Errorf("with a judge that takes %s, who came %s after the revocation is let in", slow, came.Sub(revoked))
						}
					default:
						refusals.Add(1)
					}
				})
				time.Sleep(100 * time.Millisecond)
			}
			wg.Wait()
			if served.Load() == 0 || refusals.Load() == 0 {
				t.Errorf("%d served, %d refused", served.Load(), refusals.Load())
			}
		})
	}
}

// An answer never serves beyond the credential's end, whatever the judge says.
func TestAYesEndsWithItsCredential(t *testing.T) {
	jwt := func(exp any) string {
		payload := fmt.Sprintf(`{"exp":%v}`, exp)
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
	}
	in := func(d time.Duration) time.Time { return time.Now().Add(d) }
	for _, tc := range []struct {
		name   string
		token  func() string
		says   func() time.Time // the end that the judge knows
		leeway time.Duration
		lives  time.Duration
	}{
		{"as the judge says", func() string { return "opaque" }, func() time.Time { return in(10 * time.Second) }, 0, 10 * time.Second},
		{"as the JWT says", func() string { return jwt(in(10 * time.Second).Unix()) }, func() time.Time { return time.Time{} }, 0, 10 * time.Second},
		{"the earlier of both", func() string { return jwt(in(10 * time.Second).Unix()) }, func() time.Time { return in(20 * time.Second) }, 0, 10 * time.Second},
		{"the earlier of both, turned round", func() string { return jwt(in(20 * time.Second).Unix()) }, func() time.Time { return in(10 * time.Second) }, 0, 10 * time.Second},
		{"with leeway", func() string { return jwt(in(10 * time.Second).Unix()) }, func() time.Time { return time.Time{} }, 5 * time.Second, 15 * time.Second},
		{"a fraction", func() string { return jwt(fmt.Sprint(in(0).Unix()) + ".5") }, func() time.Time { return time.Time{} }, 0, 500 * time.Millisecond},
	} {
		for _, ttl := range []time.Duration{0, time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				token, ends := tc.token(), tc.says()
				o := newSphinx(t, "https://a", func(context.Context, string) Answer { return yesUntil("alice", ends) },
					withTTL(ttl), withStale(time.Hour))
				o.leeway = tc.leeway
				expired := func() {
					t.Helper()
					if no, ok := askKind(t, o, token).(*No); !ok || !no.Expired || no.Reason != reasonExpired {
						t.Errorf("%s, cache_ttl %s: not refused as expired", tc.name, ttl)
					}
				}
				wantYes(t, askKind(t, o, token), "alice")
				time.Sleep(tc.lives - time.Millisecond)
				wantYes(t, askKind(t, o, token), "alice")
				time.Sleep(time.Millisecond)
				expired()
				expired()
				o.says = always(errGone)
				time.Sleep(noTTL)
				if token == "opaque" {
					wantCannotTell(t, askKind(t, o, token))
				} else {
					expired() // which can be seen without the judge
				}
			})
		}
	}
}

func TestStaleIfErrorServesForItsTime(t *testing.T) {
	const ttl, more = 30 * time.Second, time.Minute
	for name, tc := range map[string]struct {
		ttl     time.Duration
		options []func(*sphinx)
		failure Answer
		serves  time.Duration // from the yes on
	}{
		"not asked for":          {ttl, nil, errGone, ttl},
		"zero":                   {ttl, []func(*sphinx){withStale(0)}, errGone, ttl},
		"the judge is gone":      {ttl, []func(*sphinx){withStale(more)}, errGone, ttl + more},
		"the judge says nothing": {ttl, []func(*sphinx){withStale(more)}, errOdd, ttl + more},
		"without reuse":          {0, []func(*sphinx){withStale(more)}, errGone, more},
		"for ever":               {ttl, []func(*sphinx){withStale(1<<63 - 1)}, errGone, 1000 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newSphinx(t, "https://a", always(yesTo("alice")), append(tc.options, withTTL(tc.ttl))...)
				wantYes(t, askKind(t, o, "t"), "alice")
				o.says = always(tc.failure)
				time.Sleep(tc.serves - time.Millisecond)
				wantYes(t, askKind(t, o, "t"), "alice")
				if name == "for ever" {
					return
				}
				time.Sleep(time.Millisecond)
				wantCannotTell(t, askKind(t, o, "t"))
				// A yes, once there is one again, starts anew.
				o.says = always(yesTo("alice"))
				time.Sleep(probePause)
				wantYes(t, askKind(t, o, "t"), "alice")
			})
		})
	}
}

// The answer of a judge that works counts, and not the one that it gave before.
func TestANoEndsAStaleYes(t *testing.T) {
	for _, ttl := range []time.Duration{0, 30 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			o := newSphinx(t, "https://a", always(yesTo("alice")), withTTL(ttl), withStale(time.Hour))
			wantYes(t, askKind(t, o, "t"), "alice")
			time.Sleep(31 * time.Second)
			o.says = always(errGone)
			wantYes(t, askKind(t, o, "t"), "alice")
			o.says = always(refused)
			wantNo(t, askKind(t, o, "t"), "refused")
			o.says = always(errGone)
			time.Sleep(noTTL)
			wantCannotTell(t, askKind(t, o, "t"))
		})
	}
}

// An answer too large to be kept takes the place of the one before it, too.
func TestAnEnormousYesEndsTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newSphinx(t, "https://a", always(yesTo("alice")), withStale(time.Hour))
		wantYes(t, askKind(t, o, "t"), "alice")
		enormous := yesTo(string(make([]byte, maxAnswerSize)))
		o.says = always(enormous)
		time.Sleep(30 * time.Second)
		if a := askKind(t, o, "t"); a != Answer(enormous) {
			t.Errorf("answer is not the new one")
		}
		o.says = always(errGone)
		wantCannotTell(t, askKind(t, o, "t"))
	})
}
