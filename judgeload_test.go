package stackauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// judgeCounter is a service that counts its calls, and how many are under way.
type judgeCounter struct {
	*httptest.Server
	calls, now, most atomic.Int64
}

func newJudgeCounter(t testing.TB, answer http.HandlerFunc) *judgeCounter {
	t.Helper()
	j := new(judgeCounter)
	j.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		j.calls.Add(1)
		n := j.now.Add(1)
		defer j.now.Add(-1)
		for most := j.most.Load(); n > most && !j.most.CompareAndSwap(most, n); most = j.most.Load() {
		}
		answer(w, r)
	}))
	t.Cleanup(func() { j.CloseClientConnections(); j.Close() })
	return j
}

// R6: a popular token, seen for the first time by everybody at once.
func TestFiveHundredFirstUsesOfATokenAreOneCall(t *testing.T) {
	stack := newStack(t)
	release := make(chan struct{})
	judge := newJudgeCounter(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		says(200, `{"active":true,"sub":"alice"}`)(w, r)
	})
	d := newDirect(t, "stack_auth {\n"+introspecting("", judge.URL)+"}")
	var wg sync.WaitGroup
	var good atomic.Int64
	for range 500 {
		wg.Go(func() {
			r := httptest.NewRequest(http.MethodGet, "/v1/models", nil)
			r.Header.Set("Authorization", "Bearer popular-token-0123456789")
			if _, passed, err := d.serve(r); err == nil && passed != nil && passed.Header.Get("X-Auth-User-Id") == "alice" {
				good.Add(1)
			}
		})
	}
	eventually(t, timeout, "the judge is asked", func() bool { return judge.calls.Load() > 0 })
	close(release)
	wg.Wait()
	if good.Load() != 500 || judge.calls.Load() != 1 {
		t.Errorf("%d of 500 got in, with %d calls", good.Load(), judge.calls.Load())
	}
	if stack.count() != 0 {
		t.Error("something else reached the stack")
	}
}

// Case 133: a flood of tokens that nobody knows.
func TestAFloodOfTokensKeepsTo64Calls(t *testing.T) {
	judge := newJudgeCounter(t, func(w http.ResponseWriter, r *http.Request) {
		select { // a judge has to look things up
		case <-time.After(2 * time.Millisecond):
		case <-r.Context().Done():
		}
		says(200, `{"active":false}`)(w, r)
	})
	d := newDirect(t, "stack_auth {\n"+introspecting("", judge.URL)+"}")
	flood := func(from, n int) (statuses map[int]int) {
		statuses = make(map[int]int)
		var mu sync.Mutex
		var wg sync.WaitGroup
		work := make(chan int)
		for range 256 {
			wg.Go(func() {
				for i := range work {
					r := httptest.NewRequest(http.MethodGet, "/v1/models", nil)
					r.Header.Set("Authorization", fmt.Sprintf("Bearer made-up-%016d", i))
					w, passed, err := d.serve(r)
					if err != nil || passed != nil {
						t.Errorf("a made-up token got in, %v", err)
					}
					mu.Lock()
					statuses[w.Code]++
					mu.Unlock()
				}
			})
		}
		for i := range n {
			work <- from + i
		}
		close(work)
		wg.Wait()
		return statuses
	}
	flood(0, 1000) // what is made once: connections, buffers
	before := heapInUse()
	statuses := flood(1000, 10_000)
	if grown := heapInUse() - before; grown > 8<<20 {
		t.Errorf("the heap grew by %d KiB", grown>>10)
	}
	if most := judge.most.Load(); most > 64 || most < 32 {
		t.Errorf("%d calls were under way at once", most)
	}
	if statuses[401]+statuses[503] != 10_000 {
		t.Errorf("statuses are %v", statuses)
	}
	t.Logf("statuses %v, at most %d calls at once", statuses, judge.most.Load())
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// R7: one judge hangs, and everybody else's requests do not notice.
func TestAJudgeThatHangsCostsOtherProvidersNothing(t *testing.T) {
	issuer := testissuer.New(t)
	judge := newJudgeCounter(t, func(_ http.ResponseWriter, r *http.Request) { hang(r) })
	d := newDirect(t, "stack_auth {\n"+trust(issuer, "")+introspecting("opaque", judge.URL, "principal_prefix p:", "timeout 500ms", "tokens opaque")+"}")
	ask := func(token string) (int, time.Duration) {
		r := httptest.NewRequest(http.MethodGet, "/v1/models", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		begin := time.Now()
		w, _, err := d.serve(r)
		if err != nil {
			t.Error(err)
		}
		return w.Code, time.Since(begin)
	}
	if code, _ := ask(issuer.Token("warm", nil)); code != 200 {
		t.Fatalf("got %d", code)
	}
	var wg sync.WaitGroup
	var unsure, late atomic.Int64
	for i := range 300 {
		wg.Go(func() {
			code, took := ask(fmt.Sprintf("opaque-token-%016d", i))
			if code == 503 {
				unsure.Add(1)
			}
			if took > 500*time.Millisecond+time.Second+250*time.Millisecond { // timeout, and room for a busy machine
				late.Add(1)
			}
		})
	}
	eventually(t, timeout, "the judge hangs", func() bool { return judge.now.Load() > 0 })
	var times []time.Duration
	for i := range 200 {
		code, took := ask(issuer.Token(fmt.Sprint("user-", i), nil))
		if code != 200 {
			t.Fatalf("a good JWT is %d", code)
		}
		times = append(times, took)
	}
	wg.Wait()
	slices.Sort(times)
	if p90 := times[len(times)*9/10]; p90 > 100*time.Millisecond {
		t.Errorf("nine in ten JWTs took up to %s", p90)
	}
	// 64 are asked at once; the judge may hear of a hang-up after the next has come.
	if unsure.Load() != 300 || late.Load() != 0 || judge.most.Load() > 128 {
		t.Errorf("%d of 300 are 503, %d late, %d calls at once", unsure.Load(), late.Load(), judge.most.Load())
	}
}
