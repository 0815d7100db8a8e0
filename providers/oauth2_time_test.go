package providers

import (
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// at writes a time as a JSON number of seconds.
func at(when time.Time) string {
	return strconv.FormatFloat(float64(when.UnixMilli())/1000, 'f', 3, 64)
}

// R13, case 72: to the millisecond, whether the answer is new or kept.
func TestATokenIsGoodUntilItsLastMillisecondAndNotAfterIt(t *testing.T) {
	for _, leeway := range []time.Duration{0, time.Second, time.Minute, 5 * time.Minute} {
		for _, lifetime := range []time.Duration{time.Second, 1500 * time.Millisecond, time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				issuer := newIssuer()
				lines := usual
				if leeway > 0 {
					lines += "leeway " + leeway.String()
				}
				o := newProvider(t, issuer, lines)
				expires := time.Now().Add(lifetime)
				kept := sign(issuer, `"exp":`+at(expires))
				fresh := []string{sign(issuer, `"jti":1,"exp":`+at(expires)), sign(issuer, `"jti":2,"exp":`+at(expires)), sign(issuer, `"jti":3,"exp":`+at(expires))}
				yes := wantYes(t, o.ask(t, kept), "alice")
				end := expires.Add(leeway)
				if !yes.Expires.Equal(end) {
					t.Errorf("it says that it ends at %s, want %s", yes.Expires, end)
				}
				time.Sleep(time.Until(end) - time.Millisecond)
				if o.ask(t, kept) != Answer(yes) {
					t.Error("a millisecond before the end the answer is not the kept one")
				}
				wantYes(t, o.ask(t, fresh[0]), "alice")
				time.Sleep(time.Millisecond)
				wantNo(t, o.ask(t, kept), reasonExpired)
				wantNo(t, o.ask(t, fresh[0]), reasonExpired)
				wantNo(t, o.ask(t, fresh[1]), reasonExpired)
				time.Sleep(time.Millisecond)
				wantNo(t, o.ask(t, kept), reasonExpired)
				wantNo(t, o.ask(t, fresh[2]), reasonExpired)
				if n := o.answers.yeses.Len(); n != 0 {
					t.Errorf("%d answers are kept beyond their end", n)
				}
			})
		}
	}
}

// Cases 73 and 74: the leeway is for the issuer's clock, so it counts for all
// three dates.
func TestATokenIsNotGoodBeforeItsTime(t *testing.T) {
	for claim, reason := range map[string]string{
		"nbf": "token is not valid yet (nbf)", "iat": "token was issued in the future (iat)",
	} {
		for _, leeway := range []time.Duration{0, time.Minute} {
			synctest.Test(t, func(t *testing.T) {
				issuer := newIssuer()
				lines := usual
				if leeway > 0 {
					lines += "leeway " + leeway.String()
				}
				o := newProvider(t, issuer, lines)
				begins := time.Now().Add(10 * time.Minute)
				token := sign(issuer, fmt.Sprintf("%q:%s", claim, at(begins)))
				time.Sleep(time.Until(begins.Add(-leeway)) - time.Millisecond)
				wantNo(t, o.ask(t, token), reason)
				time.Sleep(time.Millisecond)
				wantYes(t, o.ask(t, token), "alice")
			})
		}
	}
}

// Case 75: what a lost token is worth is bounded by the gateway as well.
func TestMaxTokenLifetimeBoundsWhatATokenMayClaim(t *testing.T) {
	for _, tc := range []struct{ over, reason string }{
		{`"iat":@+0,"exp":@+3600`, ""},
		{`"iat":@-10,"exp":@+3590`, ""},
		{`"iat":@+0,"exp":@+3601`, "token lives for 1h0m1s, longer than max_token_lifetime"},
		{`"iat":@-10,"exp":@+3591`, "token lives for 1h0m1s, longer than max_token_lifetime"},
		{`"exp":@+60`, "token has no iat, which max_token_lifetime needs"},
		{`"iat":0,"exp":1e15`, "token lives for 2562047h47m16.854775807s, longer than max_token_lifetime"},
		{`"iat":@+0,"exp":@-1`, reasonExpired},
	} {
		synctest.Test(t, func(t *testing.T) {
			issuer := newIssuer()
			a := newProvider(t, issuer, usual+"max_token_lifetime 1h").ask(t, sign(issuer, tc.over))
			if tc.reason == "" {
				wantYes(t, a, "alice")
				return
			}
			wantNo(t, a, tc.reason)
		})
	}
}
