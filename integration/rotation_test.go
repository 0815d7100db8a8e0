//go:build integration

package integration

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// recheck is the key_recheck_period of testdata/recheck.Caddyfile; slack is
// for the time between a decision and the answer on a busy machine.
const (
	recheck = 10 * time.Second
	slack   = time.Second
)

func TestKeyRotationUnderLoadRefusesNoGoodToken(t *testing.T) {
	k := ownKeycloak(t)
	g := startGateway(t, "recheck.Caddyfile", k.issuer, echoStack(t))
	oldKid, oldKey := k.signingKey(t)
	l := newLoad(g)
	for _, user := range []string{"alice", "bob"} {
		l.add(oldKid, k.login(t, "stack-cli", user).Access)
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	defer l.wg.Wait()
	defer stop()
	started := time.Now()
	l.sendPool(ctx, 5*time.Millisecond)
	l.mint(ctx, t, k, 100*time.Millisecond)
	within(t, 10*time.Second, "the load runs", func() bool { return len(l.snapshot()) > 200 })

	// From the moment that it is there, the new key signs all new tokens.
	newKey := k.keys(t, "add", "rsa", nextPriority())
	newKid, _ := k.signingKey(t)
	if newKid == oldKid {
		t.Fatalf("the new key %s does not sign", newKey)
	}
	within(t, 10*time.Second, "tokens of the new key are sent", func() bool { return l.countOf(newKid) > 300 })

	removing := time.Now()
	k.keys(t, "disable", oldKey)
	removed := time.Now()
	within(t, recheck+3*slack, "the load has gone on for the recheck period", func() bool {
		return time.Since(removed) > recheck+2*slack
	})
	stop()
	l.wg.Wait()
	took := time.Since(started)

	var lastGood, firstBad time.Time // when the last yes was asked for, when the first no was there
	refusedLate := 0
	wrong := make(map[string][]time.Duration) // what was wrong → when, from the start
	for _, s := range l.shots {
		good, bad := s.status == http.StatusOK, s.status == http.StatusUnauthorized
		problem := ""
		switch {
		case s.kind == newKid:
			if !good {
				problem = "a token of the new key"
			}
		case s.end.Before(removing):
			if !good {
				problem = "a token of the old key, which was not yet removed,"
			}
		case s.begin.After(removed.Add(recheck + slack)):
			refusedLate++
			if !bad {
				problem = "a token of the key that was long removed"
			}
		case good && s.begin.After(lastGood):
			lastGood = s.begin
		case bad && (firstBad.IsZero() || s.end.Before(firstBad)):
			firstBad = s.end
		case !good && !bad:
			problem = "a token of the key that was just removed"
		}
		if problem != "" {
			problem = fmt.Sprintf("%s was answered %d", problem, s.status)
			wrong[problem] = append(wrong[problem], s.begin.Sub(started).Round(time.Millisecond))
		}
	}
	for problem, when := range wrong {
		t.Errorf("%s, %d times, first %v and last %v after the start", problem, len(when), slices.Min(when), slices.Max(when))
	}
	rate := float64(len(l.shots)) / took.Seconds()
	t.Logf("%.0f requests/s for %v; by key and status: %v", rate, took.Round(time.Second), l.count())
	t.Logf("the removed key: last asked for with success after %v, first refused after %v",
		lastGood.Sub(removed).Round(time.Millisecond), firstBad.Sub(removed).Round(time.Millisecond))
	if lastGood.After(firstBad) {
		t.Error("tokens of the removed key were good again after one was refused")
	}
	if rate < 200 {
		t.Errorf("the load was only %.0f requests a second", rate)
	}
	if refusedLate < 50 {
		t.Errorf("only %d tokens of the removed key were tried after the period", refusedLate)
	}
}

func TestNewKeyIsAcceptedUnderAFloodOfUnknownKids(t *testing.T) {
	k := ownKeycloak(t)
	// with the default period of an hour: no recheck helps it by chance
	g := startGateway(t, "ogx.Caddyfile", k.issuer, echoStack(t))
	knownKid, _ := k.signingKey(t)
	l := newLoad(g)
	l.add(knownKid, k.login(t, "stack-cli", "alice").Access)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	defer l.wg.Wait()
	defer stop()
	l.sendPool(ctx, 20*time.Millisecond)
	const bogus = "bogus"
	l.every(ctx, 4*time.Millisecond, func(int) { l.fire(bogus, bogusToken(k.issuer)) })
	within(t, 20*time.Second, "the flood runs", func() bool { return l.countOf(bogus) > 500 })

	k.keys(t, "add", "rsa", nextPriority())
	published := time.Now()
	token, err := k.service(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if kidOf(t, token) == knownKid {
		t.Fatal("the new key does not sign")
	}
	within(t, recheck+slack, "a token of the new key is accepted", func() bool {
		a := g.do(t, request{path: "/v1/models", token: token})
		if a.status != http.StatusOK {
			wantRefusalOf(t, a, token)
		}
		return a.status == http.StatusOK
	})
	t.Logf("the new key was accepted %v after its publication", time.Since(published).Round(time.Millisecond))
	stop()
	l.wg.Wait()

	counts := l.count()
	t.Logf("by key and status: %v", counts)
	for status, n := range counts[knownKid] {
		if status != http.StatusOK {
			t.Errorf("%d good tokens were answered %d", n, status)
		}
	}
	for status, n := range counts[bogus] {
		// 503 is for one that waited for the fetch that it had started
		if status != http.StatusUnauthorized && status != http.StatusServiceUnavailable {
			t.Errorf("%d bogus tokens were answered %d", n, status)
		}
	}
}

// wantRefusalOf takes either answer that is right while a fetch is owed.
func wantRefusalOf(t *testing.T, a answer, token string) {
	t.Helper()
	if a.status == http.StatusServiceUnavailable {
		wantRefusal(t, a, a.status, "auth_service_unavailable", token)
		return
	}
	wantRefusal(t, a, http.StatusUnauthorized, "invalid_token", token)
}

var priority atomic.Int64

// nextPriority makes each new key the one that signs.
func nextPriority() string { return fmt.Sprint(200 + priority.Add(1)) }

// bogusToken is a well-formed JWT that claims all the right things, from a
// key that nobody has.
func bogusToken(issuer string) string {
	encode := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil { // plain data: cannot fail
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	now := time.Now().Unix()
	signature := make([]byte, 256)
	// crypto/rand does not fail
	_, _ = rand.Read(signature)
	return encode(map[string]string{"alg": "RS256", "typ": "JWT", "kid": rand.Text()}) + "." +
		encode(map[string]any{"iss": issuer, "aud": "llama-stack", "sub": "mallory", "iat": now, "exp": now + 300}) + "." +
		base64.RawURLEncoding.EncodeToString(signature)
}
