package providers

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// Case 141: a redirect would show the key to somebody else, and believe them.
func TestACustomEndpointsRedirectIsNotFollowed(t *testing.T) {
	canary := newEndpoint(t, saying(http.StatusOK, `{"principal":"admin"}`))
	for _, status := range []int{301, 302, 303, 307, 308} {
		e := newEndpoint(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, canary.URL, status) })
		got := describe(askKind(t, newCustom(t, e.URL, ""), "k"))
		if want := fmt.Sprint("cannot tell: endpoint: status ", status); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if n := canary.calls.Load(); n != 0 {
		t.Errorf("the other server was asked %d times", n)
	}
}

// Case 142: what breaks off, hangs or is too large is no answer, and nothing of
// it is believed. The next request is answered as ever.
func TestAnAnswerThatBreaksOffSaysNothing(t *testing.T) {
	const whole = `{"principal":"admin"}`
	hangs := make(chan struct{})
	defer close(hangs)
	e := newEndpoint(t, nil)
	// Only what hangs has little time: on a busy machine the rest may take longer.
	patient, hasty := newCustom(t, e.URL+"/?key=hush", "timeout 1m"), newCustom(t, e.URL+"/?key=hush", "timeout 1s")
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"broken off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, whole)
		}, "reading answer of " + e.URL + "/: connection closed before the answer was complete"},
		"broken off in a chunk": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, whole)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "reading answer of " + e.URL + "/: connection closed before the answer was complete"},
		"hanging behind the headers": {func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, whole)
			w.(http.Flusher).Flush()
			select {
			case <-hangs:
			case <-r.Context().Done():
			}
		}, "reading answer of " + e.URL + "/: no answer in time"},
		"hanging": {func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hangs:
			case <-r.Context().Done():
			}
		}, "asking " + e.URL + "/: no answer in time"},
		"no answer at all": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "asking " + e.URL + "/: connection closed before the answer was complete"},
		"too large": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, strings.Repeat(" ", 1<<20)+whole)
		}, "answer of " + e.URL + "/ has more than 1 MiB"},
	} {
		p := patient
		if strings.HasPrefix(name, "hanging") {
			p = hasty
		}
		e.says(tc.answer)
		if got := describe(askKind(t, p, name)); got != "cannot tell: "+tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
		e.says(saying(http.StatusOK, `{"principal":"alice"}`))
		wantYes(t, askKind(t, patient, name), "alice")
	}
	closed := newCustom(t, closedAddress(t)+"/?key=hush", "")
	if got := describe(askKind(t, closed, "k")); !strings.HasPrefix(got, "cannot tell: asking http://127.0.0.1:") || strings.Contains(got, "hush") {
		t.Errorf("nobody there: %s", got)
	}
}

// An endpoint that is overloaded says when to come back; the caller is told.
func TestRetryAfterIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, calls := newCustomIn(t, "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		})
		for range 2 {
			cannot, ok := askKind(t, p, "k").(*CannotTell)
			if !ok || cannot.RetryAfter != 7*time.Second {
				t.Errorf("%+v", cannot)
			}
		}
		if n := calls.Load(); n != 2 {
			t.Errorf("%d calls: an answer that says nothing is kept", n)
		}
	})
}

// Case 140. An endpoint that repeats what it was sent, in every place that it
// has, gets none of it into a log or an answer; nor does the secret in the
// address get there, whatever fails.
func TestNothingOfTheKeyOrTheEndpointsTextGetsAnywhere(t *testing.T) {
	const key, text = "sk-live-4711", "from-the-endpoint"
	echo := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Www-Authenticate", "Bearer "+key+text)
			w.Header().Set("Retry-After", key+text)
			w.Header().Set("Location", "https://"+text+".example/"+key)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	const both = key + " " + text
	bodies := []string{
		`{"message":"` + both + `\r\n\"X-Auth-User-Id: admin"}`,
		`{"principal":"alice","message":"` + both + `","error":{"message":"` + both + `"},"` + both + `":1}`,
		`{"attributes":{"` + both + `":["a"],"` + key + `.":["b"]}}`,
		both, `"` + both + `"`, `{"` + both, `{"principal":` + both + `}`,
		`{"principal":["` + both + `"]}`, `{"Principal":"` + both + `"}`, `{"principal":"` + both + `\r\n"}`, `{"principal":" ` + both + `"}`,
		`{"principal":"a","principal":"` + both + `"}`, `{"attributes":"` + both + `"}`, `{"attributes":{"` + both + `":"` + both + `"}}`,
		`{"attributes":{"roles":["a",{"` + both + `":1}]}}`, `{"tenant":"` + both + `"}`, `{"tenant":["` + both + `"]}`,
		"\xff" + both, `{"` + both + `":1,"` + both + `":2}`, strings.Repeat(both, 100000),
	}
	core, logs := observer.New(zap.DebugLevel)
	e := newEndpoint(t, nil)
	v, err := loadKind(t, newContext(t, zap.New(core)), "custom", "endpoint "+e.URL+"/?secret=hush\ntenant_claim tenant\nstale_if_error 1m\ncache_ttl 0")
	if err != nil {
		t.Fatal(err)
	}
	p := v.(*Custom)
	var said []string
	for _, status := range []int{200, 201, 302, 400, 401, 403, 404, 429, 500, 503} {
		for i, body := range bodies {
			e.says(echo(status, body))
			a := askKind(t, p, fmt.Sprint(key, status, "-", i))
			if yes, ok := a.(*Yes); ok {
				said = append(said, fmt.Sprintf("%+v %s", *yes.User, yes.User.Attributes.JSON()))
			} else {
				said = append(said, describe(a))
			}
		}
	}
	e.Close()
	for i := range 10 { // the breaker opens
		said = append(said, describe(askKind(t, p, fmt.Sprint(key, i))))
	}
	if len(said) != 10*len(bodies)+10 || logs.Len() == 0 {
		t.Fatalf("%d answers, %d lines logged", len(said), logs.Len())
	}
	for _, entry := range logs.All() {
		said = append(said, fmt.Sprintf("%s %v", entry.Message, entry.ContextMap()))
	}
	for _, line := range said {
		for _, secret := range []string{key, "4711", text, "hush", "X-Auth-User-Id", "\r", "\n"} {
			if strings.Contains(line, secret) {
				t.Errorf("%q is in %s", secret, line)
			}
		}
	}
}

// An attribute that cannot be one is dropped with a warning, which says how
// many there are.
func TestAttributesWithoutAPossibleNameAreDroppedWithAWarning(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	e := newEndpoint(t, saying(http.StatusOK, `{"principal":"alice","attributes":{"id":["a"],"a b":["c"],"roles":["user"]}}`))
	p, err := loadKind(t, newContext(t, zap.New(core)), "custom", "endpoint "+e.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"k", "k2"} {
		if got := wantYes(t, askKind(t, p, token), "alice").User.Attributes.JSON(); got != `{"roles":["user"]}` {
			t.Errorf("attributes are %s", got)
		}
	}
	if logs.Len() != 1 || logs.All()[0].ContextMap()["count"] != int64(2) {
		t.Errorf("logged %v", logs.All())
	}
}

// With cache_by token a caller whose key is revoked can look for a request that
// the endpoint fails at; with cache_by request the one that got the yes is the
// only one that it could serve on for.
func TestARevokedKeyIsNotServedOnByAskingForAFailure(t *testing.T) {
	for _, by := range []string{"token", "request"} {
		for name, answer := range map[string]http.HandlerFunc{
			"500":            saying(http.StatusInternalServerError, ``),
			"a member twice": saying(http.StatusOK, `{"principal":"mallory","principal":"mallory"}`),
			"too large":      saying(http.StatusOK, strings.Repeat(" ", 2<<20)),
			"broken off": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				_, _ = w.Write([]byte("{"))
			},
			"gone": saying(http.StatusServiceUnavailable, ``),
		} {
			server := newJudgeServer(t, saying(http.StatusOK, `{"principal":"mallory"}`))
			p := newKind[*Custom](t, "custom", "endpoint "+server.URL+"\ncache_by "+by+"\ncache_ttl 1ns\nstale_if_error 1h")
			wantYes(t, askKind(t, p, "key-of-mallory"), "mallory")
			server.says(answer)
			_, served := askKind(t, p, "key-of-mallory").(*Yes)
			if want := by == "request" || name == "gone"; served != want {
				t.Errorf("cache_by %s, %s: served on is %t", by, name, served)
			}
		}
	}
}
