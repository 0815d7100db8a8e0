package providers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Section 6, no. 13: random sequences of everything that can happen, against a
// model of a map and a clock. The principal says who answered which question,
// so an answer across providers, configurations or tokens shows at once.
func TestTheAnswerCacheDoesWhatItsModelDoes(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			m := newCacheModel(t, rand.New(rand.NewPCG(seed, 13)))
			for range 400 {
				m.step(t)
			}
			answers := m.providers[0].answers
			if y, n := answers.yeses.Len(), answers.noes.Len(); y > len(m.known) || n > len(m.known) {
				t.Errorf("%d and %d answers are kept of %d questions", y, n, len(m.known))
			}
		})
	}
}

// modelTokens are what is asked about, and modelTunings who asks: two providers
// at each of two addresses.
var (
	modelTokens  = []string{"t", "tt", "u", "t\x00u"}
	modelTunings = []struct{ ttl, stale time.Duration }{
		{30 * time.Second, 0}, {0, time.Minute}, {30 * time.Second, time.Minute}, {5 * time.Second, 0},
	}
)

// modelQuestion is who asks about which token.
type modelQuestion struct{ provider, token int }

// modelVerdict is what the judge says to a question.
type modelVerdict struct {
	kind    byte // y, n, or ? for an answer of no use
	version int
	ends    time.Time
}

// modelAnswer is what is known of a question.
type modelAnswer struct {
	version  int // of the judge's yes, 0 for none
	yesAsked time.Time
	ends     time.Time

	no, expired bool
	noAsked     time.Time
}

type cacheModel struct {
	random    *rand.Rand
	providers [4]*sphinx
	verdicts  map[modelQuestion]modelVerdict
	known     map[modelQuestion]*modelAnswer
	version   int
	calls     int
}

func newCacheModel(t *testing.T, random *rand.Rand) *cacheModel {
	m := &cacheModel{random: random, verdicts: make(map[modelQuestion]modelVerdict), known: make(map[modelQuestion]*modelAnswer)}
	for p := range m.providers {
		for token := range modelTokens {
			q := modelQuestion{p, token}
			m.version++
			m.verdicts[q], m.known[q] = modelVerdict{kind: 'y', version: m.version}, new(modelAnswer)
		}
		m.providers[p] = m.load(t, p)
	}
	return m
}

// load returns provider p, as a new configuration would have it.
func (m *cacheModel) load(t *testing.T, p int) *sphinx {
	tuning := modelTunings[p]
	return newSphinx(t, fmt.Sprintf("https://%d", p/2), func(_ context.Context, token string) Answer {
		m.calls++
		q := modelQuestion{p, slices.Index(modelTokens, token)}
		switch v := m.verdicts[q]; v.kind {
		case 'y':
			return yesUntil(fmt.Sprintf("%d/%d/%d", q.provider, q.token, v.version), v.ends)
		case 'n':
			return refused
		}
		return errOdd
	}, named(fmt.Sprintf("p%d", p)), withTTL(tuning.ttl), withStale(tuning.stale))
}

// step lets one thing happen.
func (m *cacheModel) step(t *testing.T) {
	q := modelQuestion{m.random.IntN(len(m.providers)), m.random.IntN(len(modelTokens))}
	switch m.random.IntN(10) {
	case 0: // the judge changes its mind
		m.version++
		v := modelVerdict{kind: "yn?"[m.random.IntN(3)], version: m.version}
		if m.random.IntN(2) == 0 {
			v.ends = time.Now().Add(time.Duration(m.random.IntN(60)) * time.Second)
		}
		m.verdicts[q] = v
	case 1: // a reload: the new configuration comes before the old one goes
		before := m.providers[q.provider]
		m.providers[q.provider] = m.load(t, q.provider)
		if err := before.CleanUpJudge(); err != nil {
			t.Fatal(err)
		}
	case 2, 3, 4: // time goes by, now and then much of it
		time.Sleep(time.Duration(m.random.IntN(6)) * time.Second)
		if m.random.IntN(20) == 0 {
			time.Sleep(time.Hour)
		}
	default:
		want, wantCalls := m.predict(q)
		m.calls = 0
		got := describe(askKind(t, m.providers[q.provider], modelTokens[q.token]))
		if got != want || m.calls != wantCalls {
			t.Fatalf("%+v: %q with %d calls, the model says %q with %d", q, got, m.calls, want, wantCalls)
		}
	}
}

// predict returns the answer to the question, and how often the judge is asked
// for it, and learns what is known then.
func (m *cacheModel) predict(q modelQuestion) (answer string, calls int) {
	known, verdict, tuning, now := m.known[q], m.verdicts[q], modelTunings[q.provider], time.Now()
	live := known.version > 0 && (known.ends.IsZero() || now.Before(known.ends))
	switch {
	case live && now.Sub(known.yesAsked) < tuning.ttl:
		return known.said(q), 0
	case known.no && now.Sub(known.noAsked) < noTTL:
		return known.said(q), 0
	}
	expired := verdict.kind == 'y' && !verdict.ends.IsZero() && !now.Before(verdict.ends)
	switch {
	case verdict.kind == 'n' || expired:
		*known = modelAnswer{no: true, expired: expired, noAsked: now}
	case verdict.kind == 'y':
		*known = modelAnswer{version: verdict.version, yesAsked: now, ends: verdict.ends}
	case !live || now.Sub(known.yesAsked)-tuning.ttl >= tuning.stale:
		return "cannot tell: odd", 1
	}
	return known.said(q), 1
}

func (a *modelAnswer) said(q modelQuestion) string {
	switch {
	case a.version > 0:
		return fmt.Sprintf("yes: %d/%d/%d", q.provider, q.token, a.version)
	case a.expired:
		return "no: " + reasonExpired
	}
	return "no: refused"
}
