package providers

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Judges are slow now and then, so that answers come in another order than that
// of the questions. In whichever they do, what is kept in the end is no yes from
// before a no, and of several yeses none from before another.
func TestAnswersThatComeInAnyOrderLeaveNothingFromBeforeARevocation(t *testing.T) {
	began := time.Now()
	key := answerKey{1}
	for kinds := range 1 << 4 {
		for order := range permutations(4) {
			cache, err := newAnswers(answerLimits{yeses: 4, bytes: 1 << 20, noes: 4})
			if err != nil {
				t.Fatal(err)
			}
			lastNo, lastYes, noes := -1, -1, 0
			for _, asked := range order {
				a := &remembered{stored: began.Add(time.Duration(asked) * time.Second)}
				if kinds>>asked&1 == 0 {
					a.yes, lastYes = yesTo(fmt.Sprint(asked)), max(lastYes, asked)
					cache.addYes(key, a)
					continue
				}
				a.no, lastNo, noes = &No{Reason: fmt.Sprint(asked)}, max(lastNo, asked), noes+1
				cache.addNo(key, a)
			}
			name := fmt.Sprintf("noes %04b in order %v", kinds, order)
			revoked := began.Add(time.Duration(lastNo) * time.Second)
			if no, there := cache.noes.Peek(key); there && no.stored.Before(revoked) {
				t.Errorf("%s: the no that is kept counts from %s", name, no.stored.Sub(began))
			}
			yes, there := cache.yeses.Peek(key)
			if there && yes.stored.Before(revoked) {
				t.Errorf("%s: a yes from %s is kept, from before a no", name, yes.yes.User.Principal)
			}
			if noes == 0 && (!there || yes.yes.User.Principal != fmt.Sprint(lastYes)) {
				t.Errorf("%s: the yes that is kept was not the last that was asked for", name)
			}
			if there && cache.bytes.Load() != yes.size || !there && cache.bytes.Load() != 0 {
				t.Errorf("%s: %d bytes are counted", name, cache.bytes.Load())
			}
		}
	}
}

// permutations yields the orders of n things.
func permutations(n int) func(yield func([]int) bool) {
	return func(yield func([]int) bool) {
		order := make([]int, 0, n)
		used := make([]bool, n)
		var place func() bool
		place = func() bool {
			if len(order) == n {
				return yield(order)
			}
			for i := range n {
				if used[i] {
					continue
				}
				used[i], order = true, append(order, i)
				more := place()
				used[i], order = false, order[:len(order)-1]
				if !more {
					return false
				}
			}
			return true
		}
		place()
	}
}

// mallory's key is revoked while three questions about it are under way, of
// which the last is answered first. Then the judge is gone, and nothing from
// before the revocation serves on.
func TestASlowNoDoesNotHideALaterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type answering struct {
			answer Answer
			after  time.Duration
		}
		answers := make(chan answering, 1)
		o := newSphinx(t, "https://a", func(context.Context, string) Answer {
			a := <-answers
			time.Sleep(a.after)
			return a.answer
		}, withTTL(0), withStale(time.Hour))
		var wg sync.WaitGroup
		for _, a := range []answering{{refused, 3 * time.Second}, {yesTo("mallory"), 4 * time.Second}, {refused, 0}} {
			answers <- a
			wg.Go(func() {
				if got := askKind(t, o, "t"); got != a.answer {
					t.Errorf("answer is %s", describe(got))
				}
			})
			synctest.Wait()
			time.Sleep(time.Second)
		}
		wg.Wait()
		answers <- answering{errGone, 0}
		time.Sleep(noTTL)
		wantCannotTell(t, askKind(t, o, "t"))
	})
}

// The same of a judge that is shown the whole request: a no to one request ends
// what serves on for the others.
func TestASlowNoToOneRequestDoesNotHideALaterOneToAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refusing := saying(http.StatusUnauthorized, ``)
		p, _ := newCustomIn(t, "cache_ttl 1s\nstale_if_error 1h", saying(http.StatusOK, `{"principal":"mallory"}`))
		p.reaches(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			posted, _ := io.ReadAll(r.Body)
			switch {
			case strings.Contains(string(posted), `"path":"/slow"`):
				time.Sleep(3 * time.Second)
				refusing(w, r)
			case strings.Contains(string(posted), `"path":"/fast"`):
				refusing(w, r)
			default:
				saying(http.StatusOK, `{"principal":"mallory"}`)(w, r)
			}
		}))
		const refusal = "endpoint refuses the credential: status 401"
		var wg sync.WaitGroup
		wg.Go(func() { wantNo(t, askFor(t, p, "key", "/slow"), refusal) })
		synctest.Wait()
		time.Sleep(time.Second)
		wantYes(t, askFor(t, p, "key", "/mine"), "mallory")
		time.Sleep(time.Second)
		wantNo(t, askFor(t, p, "key", "/fast"), refusal)
		wg.Wait()
		p.reaches(saying(http.StatusServiceUnavailable, ``))
		time.Sleep(time.Second)
		wantCannotTell(t, askFor(t, p, "key", "/mine"))
	})
}

// Rights that were taken away between two questions do not come back with the
// slower answer.
func TestASlowYesDoesNotReplaceALaterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newSphinx(t, "https://a", func(ctx context.Context, _ string) Answer {
			select {
			case <-time.After(2 * time.Second):
			case <-ctx.Done():
			}
			return yesTo("admin")
		}, withTTL(time.Minute))
		var wg sync.WaitGroup
		wg.Go(func() { wantYes(t, askKind(t, o, "t"), "admin") })
		synctest.Wait()
		time.Sleep(time.Second)
		// Another configuration of the same: its patience differs, so it does not wait.
		after := newSphinx(t, "https://a", always(yesTo("reader")), withTTL(time.Minute), withTimeout(time.Second))
		wantYes(t, askKind(t, after, "t"), "reader")
		wg.Wait()
		wantYes(t, askKind(t, after, "t"), "reader")
	})
}
