package keyset

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// R1: an issuer that is down for a day costs nobody anything.
func TestKnownKeysServeThroughAnOutageOf24Hours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecKey("k")
		source := newMemory(key)
		l := lease(t, source, defaults())
		l.Warm()
		synctest.Wait()
		fetched := time.Now()
		source.fail()

		known, stranger := tokenOf(t, key, nil), unknown(t)
		print := mustFind(t, l, known).Print()
		for time.Since(fetched) < 24*time.Hour {
			time.Sleep(7 * time.Minute)
			mustFind(t, l, known)
			if !l.Trusts(print) {
				t.Fatalf("a cached answer is dropped after %s", time.Since(fetched))
			}
		}
		// Nobody can say whether the issuer has this key now.
		mustFail(t, l, stranger, ErrUnavailable, demandWait)

		// max_stale is counted from the time at which the keys were due.
		end := fetched.Add(25 * time.Hour)
		time.Sleep(time.Until(end) - time.Millisecond)
		mustFind(t, l, known)
		time.Sleep(time.Millisecond)
		mustFail(t, l, known, ErrUnavailable, demandWait)
		if l.Trusts(print) {
			t.Error("a cached answer outlives max_stale")
		}
		// The source was asked all the time, and not too often: every 30 s at most.
		if n := source.count(); n < 24*60 || n > 25*60*3 {
			t.Errorf("%d attempts in 25 hours", n)
		}
		source.heal()
		healed := time.Now()
		for {
			if _, err := l.Find(t.Context(), known); err == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(healed); took > 2*time.Second {
			t.Errorf("recovery took %s", took)
		}
	})
}

// R2, cases 98 and 99: the issuer comes up after us, at any moment, whatever
// was asked before. keyfunc tries again after an hour, or, with a made-up kid
// first, five minutes.
func TestAnIssuerThatComesUpLateIsFoundWithinTwoSeconds(t *testing.T) {
	for _, kind := range []string{"known keys", "a made-up kid first", "after an hour"} {
		for seed := range uint64(20) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 98))
				key := ecKey("k")
				source := newMemory(key)
				source.fail()
				l := lease(t, source, defaults())
				known := tokenOf(t, key, nil)
				if kind == "a made-up kid first" {
					mustFail(t, l, unknown(t), ErrUnavailable, demandWait)
				} else {
					mustFail(t, l, known, ErrUnavailable, demandWait)
				}
				if kind == "after an hour" {
					time.Sleep(time.Hour) // the background refresh is at its slowest
				}
				time.AfterFunc(time.Duration(random.Int64N(int64(10*time.Second))), source.heal)
				up := time.Time{}
				for {
					if up.IsZero() && !source.failing() {
						up = time.Now()
					}
					if _, err := l.Find(t.Context(), known); err == nil {
						break
					}
					time.Sleep(50 * time.Millisecond)
				}
				if took := time.Since(up); took > 2*time.Second {
					t.Errorf("%s, seed %d: recovery took %s", kind, seed, took)
				}
			})
		}
	}
}

func (m *memory) failing() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err != nil
}

// While nothing is held, everybody asks; the issuer is asked once a second.
func TestAColdStartDoesNotFloodTheIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newMemory()
		source.fail()
		l := lease(t, source, defaults())
		known := tokenOf(t, ecKey("k"), nil)
		for range 2000 {
			mustFail(t, l, known, ErrUnavailable, demandWait)
			time.Sleep(10 * time.Millisecond)
		}
		// 20 s: one a second on demand, and the background's 0.5, 1, 2, 4, … s.
		if n := source.count(); n > 28 {
			t.Errorf("%d fetches in 20 s", n)
		}
	})
}

// Cases 102 and 103: an endpoint that answers something else takes nothing away.
func TestABrokenAnswerKeepsTheKeysThatAreHeld(t *testing.T) {
	key := ecKey("k")
	for name, answer := range map[string][]byte{
		"nothing":                nil,
		"HTML":                   []byte("<html>"),
		"null":                   []byte("null"),
		"an empty object":        []byte("{}"),
		"no keys":                []byte(`{"keys":[]}`),
		"keys null":              []byte(`{"keys":null}`),
		"an error":               []byte(`{"error":"temporarily_unavailable"}`),
		"keys twice":             []byte(`{"keys":[],"keys":[]}`),
		"secrets":                []byte(`{"keys":[{"kty":"oct","kid":"k","k":"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY"}]}`),
		"an encryption key":      document(jwkOf(key, map[string]any{"use": "enc"})),
		"cut off":                document(key)[:40],
		"good, but cut off":      document(key)[:len(document(key))-1],
		"good with bytes behind": append(document(key), "<!-- -->"...),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source := newMemory(key)
				l := lease(t, source, defaults())
				l.Warm()
				synctest.Wait()
				known := tokenOf(t, key, nil)
				print := mustFind(t, l, known).Print()
				source.change(func(m *memory) { m.doc = answer })
				before := source.count()
				for range 240 {
					time.Sleep(time.Minute)
					mustFind(t, l, known)
				}
				if !l.Trusts(print) || source.count() == before {
					t.Error("the key is gone, or nobody asked")
				}
			})
		})
	}
}

// max_stale 0: keys serve for their period, and not while the source fails.
func TestWithoutMaxStaleKeysServeForTheirPeriodAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecKey("k")
		source := newMemory(key)
		settings := defaults()
		settings.RecheckPeriod, settings.MaxStale = time.Minute, 0
		l := lease(t, source, settings)
		l.Warm()
		synctest.Wait()
		known := tokenOf(t, key, nil)
		for range 300 { // a source that works is asked in time
			mustFind(t, l, known)
			time.Sleep(time.Second)
		}
		source.fail()
		last := source.times()[source.count()-1]
		time.Sleep(time.Until(last.Add(time.Minute - time.Millisecond)))
		mustFind(t, l, known)
		time.Sleep(time.Millisecond)
		mustFail(t, l, known, ErrUnavailable, demandWait)
	})
}

// Periods of centuries are odd, and must not end the process.
func TestPeriodsThatWouldOverflowAreHarmless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecKey("k")
		settings := defaults()
		settings.RecheckPeriod, settings.MaxStale = 1<<63-1, 1<<63-1
		l := lease(t, newMemory(key), settings)
		l.Warm()
		synctest.Wait()
		time.Sleep(24 * 365 * time.Hour)
		mustFind(t, l, tokenOf(t, key, nil))
	})
}

func TestAttemptsSpreadOutAndSlowDown(t *testing.T) {
	for failures := range 200 {
		most := min(backoffMost, backoffLeast<<min(failures, 10))
		for range 100 {
			if d := backoff(failures + 1); d > most || d < most*3/4 {
				t.Fatalf("after %d failures the next attempt is %s away, want %s less up to a quarter", failures+1, d, most)
			}
		}
	}
}
