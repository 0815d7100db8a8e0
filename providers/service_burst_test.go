package providers

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever waits for a turn has less time left to be answered in. That it is too
// little for a service which answers everybody says nothing about the service: a
// burst of strangers must not shut it for those who come after.
func TestABurstDoesNotShutAServiceThatAnswers(t *testing.T) {
	const timeout = 500 * time.Millisecond
	for _, fifths := range []int{1, 2, 3, 4} {
		takes := time.Duration(fifths) * timeout / 5
		synctest.Test(t, func(t *testing.T) {
			o := newSphinx(t, "https://slow", func(ctx context.Context, token string) Answer {
				select {
				case <-time.After(takes):
					return yesTo(token)
				case <-ctx.Done():
					return &CannotTell{Err: ctx.Err()}
				}
			}, withTimeout(timeout))
			var wg sync.WaitGroup
			for i := range 6 * maxCalls {
				wg.Go(func() { askKind(t, o, fmt.Sprint("stranger-", i)) })
			}
			wg.Wait()
			wantYes(t, askKind(t, o, "good"), "good")
		})
	}
}

// One that does not answer is found out all the same, by those who had not to
// wait.
func TestABurstDoesNotHideAServiceThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newSphinx(t, "https://hung", hangs, withTimeout(500*time.Millisecond))
		flood(t, o, 6*maxCalls)
		o.asked.Store(0)
		flood(t, o, 6*maxCalls)
		o.wantAsked(t, 0)
	})
}
