package stackauth_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// stack is the server behind the gateway. It remembers what reached it.
type stack struct {
	URL string

	mu     sync.Mutex
	seen   []reached
	answer http.HandlerFunc
}

// reached is a request as the stack got it, trailers included.
type reached struct {
	*http.Request
	body string
}

func newStack(t testing.TB) *stack {
	t.Helper()
	s := new(stack)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *stack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		s.remember(r, "")
		answer(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // given up half-way: no request that anybody would act on
	}
	s.remember(r, string(body))
	_, _ = io.WriteString(w, "reached")
}

func (s *stack) remember(r *http.Request, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, reached{r, body})
}

// answerWith lets the stack answer with f; nil is its usual answer.
func (s *stack) answerWith(f http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// count returns how many requests reached the stack.
func (s *stack) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// last returns the last request that reached the stack.
func (s *stack) last(t testing.TB) reached {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) == 0 {
		t.Fatal("nothing reached the stack")
	}
	return s.seen[len(s.seen)-1]
}

// since returns what has reached the stack after the first n requests.
func (s *stack) since(n int) []reached {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen[n:])
}

// isUntouched fails the test if the function lets a request reach the stack.
func (s *stack) isUntouched(t testing.TB, by func()) {
	t.Helper()
	before := s.count()
	by()
	if n := s.count() - before; n != 0 {
		t.Errorf("%d requests reached the stack", n)
	}
}

// asCGI reads the request as servers do that make variables of headers: case,
// `_`, `.` and `-` are one, and the last line of a name wins. Trailers count
// as headers.
func (r reached) asCGI() map[string]string {
	variables := make(map[string]string)
	fold := strings.NewReplacer("_", "-", ".", "-")
	for _, lines := range []http.Header{r.Header, r.Trailer} {
		for name, values := range lines {
			for _, v := range values {
				variables[strings.ToLower(fold.Replace(name))] = v
			}
		}
	}
	return variables
}

// identity fails the test unless the stack was told of exactly this principal,
// once, however it reads; "" is nobody.
func (r reached) identity(t testing.TB, principal string) {
	t.Helper()
	if got := r.asCGI()["x-auth-user-id"]; got != principal {
		t.Errorf("the stack takes the caller for %q, want %q", got, principal)
	}
	want := 1
	if principal == "" {
		want = 0
	}
	for _, name := range []string{"X-Auth-User-Id", "X-Auth-Attributes"} {
		if got := r.Header[name]; len(got) != want {
			t.Errorf("%s is there %d times: %q", name, len(got), got)
		}
	}
	if principal == "" && r.asCGI()["x-auth-attributes"] != "" {
		t.Errorf("the stack was told attributes of nobody")
	}
	if got := r.asCGI()["x-tenant-id"]; got != "" {
		t.Errorf("the stack was told the tenant %q", got)
	}
}

// has no credential, wherever it was.
func (r reached) isWithout(t testing.TB, secret string) {
	t.Helper()
	for name, values := range r.Header {
		if strings.Contains(strings.Join(values, "\n"), secret) {
			t.Errorf("the credential reached the stack in %s", name)
		}
	}
	if strings.Contains(r.RequestURI, secret) {
		t.Error("the credential reached the stack in the query")
	}
}
