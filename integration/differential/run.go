//go:build integration

package differential

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

const (
	batchSize   = 4000
	maxFailures = 5
)

// run is one run of a comparison.
type run[C, A any] struct {
	*Comparison[C, A]
	python string
	sets   [][]Set // of rows, by reading
	counts *tally

	failures atomic.Int32
}

// setting reads a number from the environment.
func setting(name string, otherwise uint64) (uint64, error) {
	text := os.Getenv(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}

// all draws and compares in batches, each from a seed of its own, so that what
// is drawn does not depend on who draws it.
func (r *run[C, A]) all(t *testing.T) error {
	count, err := setting("DIFFERENTIAL_CASES", 100_000)
	if err != nil {
		return err
	}
	seed, err := setting("DIFFERENTIAL_SEED", 1)
	if err != nil {
		return err
	}
	t.Logf("%d cases, DIFFERENTIAL_SEED=%d", count, seed)
	var next atomic.Uint64
	errs := make([]error, max(2, runtime.GOMAXPROCS(0)))
	var workers sync.WaitGroup
	for i := range errs {
		workers.Go(func() {
			errs[i] = r.withOracle(t.Context(), func(o *oracle) error {
				for {
					batch := next.Add(1) - 1
					if batch*batchSize >= count || r.failures.Load() >= maxFailures {
						return nil
					}
					size := min(batchSize, count-batch*batchSize)
					if err := r.batch(t, o, rand.New(rand.NewPCG(seed, batch)), int(size)); err != nil {
						return err
					}
				}
			})
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}

func (r *run[C, A]) withOracle(ctx context.Context, f func(*oracle) error) error {
	o, err := startOracle(ctx, r.python)
	if err != nil {
		return err
	}
	if err := f(o); err != nil {
		return err
	}
	return o.stop()
}

func (r *run[C, A]) batch(t *testing.T, o *oracle, random *rand.Rand, size int) error {
	cases := make([]C, size)
	draw := r.NewBatch(random)
	for i := range cases {
		cases[i] = draw()
	}
	answers, err := r.ask(o, cases)
	if err != nil {
		return err
	}
	for i := range cases {
		for reading := range readings {
			_, wrong := r.judge(reading, &cases[i], &answers[i])
			if wrong == "" {
				continue
			}
			if r.failures.Add(1) > maxFailures {
				return nil
			}
			if err := r.fail(t, o, reading, cases[i], wrong); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run[C, A]) ask(o *oracle, cases []C) ([]A, error) {
	var answers []A
	if err := o.ask(r.Kind, cases, &answers); err != nil {
		return nil, err
	}
	if len(answers) != len(cases) {
		return nil, fmt.Errorf("asked %d cases, and got %d answers", len(cases), len(answers))
	}
	return answers, nil
}

// fail reports the case, after taking away whatever can be: what is left still
// fails.
func (r *run[C, A]) fail(t *testing.T, o *oracle, reading int, c C, wrong string) error {
	for smaller := true; smaller; {
		smaller = false
		candidates := r.Smaller(c)
		if len(candidates) == 0 {
			break
		}
		answers, err := r.ask(o, candidates)
		if err != nil {
			return err
		}
		for i := range candidates {
			if _, w := r.judge(reading, &candidates[i], &answers[i]); w != "" {
				c, wrong, smaller = candidates[i], w, true
				break
			}
		}
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	t.Errorf("%s: %s\nDIFFERENTIAL_REPLAY='%s'", readings[reading].Name, wrong, text)
	return nil
}

// replay compares the case in the environment alone, and says what it finds.
func (r *run[C, A]) replay(t *testing.T) (bool, error) {
	text := os.Getenv("DIFFERENTIAL_REPLAY")
	if text == "" {
		return false, nil
	}
	cases := make([]C, 1)
	if err := json.Unmarshal([]byte(text), &cases[0]); err != nil {
		return true, fmt.Errorf("DIFFERENTIAL_REPLAY: %w", err)
	}
	return true, r.withOracle(t.Context(), func(o *oracle) error {
		answers, err := r.ask(o, cases)
		if err != nil {
			return err
		}
		for i, reading := range readings {
			ours, because := r.Ours(&cases[0], reading.Compat)
			t.Logf("%s: %s (%s); OGX: %s", reading.Name, ours, because, r.Upstream(&answers[0]))
			rows, wrong := r.judge(i, &cases[0], &answers[0])
			if wrong != "" {
				t.Errorf("%s: %s", reading.Name, wrong)
			}
			t.Logf("%s: rows: %s", reading.Name, names(r.Rows, rows))
		}
		return nil
	})
}
