package stackauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

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
	var asked atomic.Int64
	full := make(chan struct{})
	judge := newJudgeCounter(t, func(w http.ResponseWriter, r *http.Request) {
		switch n := asked.Add(1); { // nobody is answered before 64 are there
		case n == 64:
			close(full)
		case n < 64:
			select {
			case <-full:
			case <-r.Context().Done():
			}
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
	if most := judge.most.Load(); most != 64 {
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
	release := make(chan struct{})
	judge := newJudgeCounter(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
			says(500, "")(w, r)
		case <-r.Context().Done():
		}
	})
	d := newDirect(t, "stack_auth {\n"+trust(issuer, "")+introspecting("opaque", judge.URL, "principal_prefix p:", "timeout 1m", "tokens opaque")+"}")
	ask := func(token string) int {
		r := httptest.NewRequest(http.MethodGet, "/v1/models", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w, _, err := d.serve(r)
		if err != nil {
			t.Error(err)
		}
		return w.Code
	}
	if code := ask(issuer.Token("warm", nil)); code != 200 {
		t.Fatalf("got %d", code)
	}
	var wg sync.WaitGroup
	var answered, unsure atomic.Int64
	for i := range 300 {
		wg.Go(func() {
			code := ask(fmt.Sprintf("opaque-token-%016d", i))
			answered.Add(1)
			if code == 503 {
				unsure.Add(1)
			}
		})
	}
	eventually(t, timeout, "all of the judge hangs", func() bool { return judge.now.Load() == 64 })
	for i := range 200 {
		if code := ask(issuer.Token(fmt.Sprint("user-", i), nil)); code != 200 {
			t.Fatalf("a good JWT is %d", code)
		}
	}
	if n := answered.Load(); n != 0 {
		t.Errorf("%d of those who wait for the judge have an answer", n)
	}
	close(release)
	wg.Wait()
	if unsure.Load() != 300 || judge.most.Load() != 64 {
		t.Errorf("%d of 300 are 503, %d calls at once", unsure.Load(), judge.most.Load())
	}
}
