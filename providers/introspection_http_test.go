package providers

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/fetch"
)

func replyOf(status int, body []byte) *Reply { return &fetch.Reply{Status: status, Body: body} }

// asking is a block that asks at the address.
func asking(address, more string) string {
	return usual + "introspection {\n url " + address + "/introspect\n client_id gw:odd\n client_secret \"p+a%41:w/rd =\"\n" + more + "\n}\n"
}

// Case 134a, RFC 6749 section 2.3.1: form-encoded first, or both Keycloak and
// oidc-provider refuse the secret. Case 134b: what is asked for is JSON.
func TestTheRequestToTheIntrospectionEndpoint(t *testing.T) {
	type request struct {
		method, target, authorization, contentType, accept string
		form                                               url.Values
	}
	for more, want := range map[string]request{
		"": {
			"POST", "/introspect", "Basic Z3clM0FvZGQ6cCUyQmElMjU0MSUzQXclMkZyZCslM0Q=", // gw%3Aodd:p%2Ba%2541%3Aw%2Frd+%3D
			"application/x-www-form-urlencoded", "application/json",
			url.Values{"token": {"a+b%26c&token=other/="}, "token_type_hint": {"access_token"}},
		},
		"send_secret_in_body": {
			"POST", "/introspect", "", "application/x-www-form-urlencoded", "application/json",
			url.Values{
				"token": {"a+b%26c&token=other/="}, "token_type_hint": {"access_token"},
				"client_id": {"gw:odd"}, "client_secret": {"p+a%41:w/rd ="},
			},
		},
	} {
		var got request
		server := newJudgeServer(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			form, err := url.ParseQuery(string(body))
			if err != nil {
				t.Error(err)
			}
			got = request{
				r.Method, r.RequestURI, strings.Join(r.Header["Authorization"], "|"), r.Header.Get("Content-Type"), r.Header.Get("Accept"), form,
			}
			if r.Header.Get("Cookie") != "" || r.Header.Get("X-Forwarded-For") != "" {
				t.Errorf("headers of the caller are sent on: %v", r.Header)
			}
			saying(http.StatusOK, active(nil))(w, r)
		})
		o := newKind[*OAuth2Token](t, "oauth2_token", asking(server.URL, more))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/models?x=y", nil)
		r.Header.Set("Cookie", "session=1")
		r.Header.Set("X-Forwarded-For", "10.0.0.1")
		wantYes(t, o.Authenticate(r, Credential{Token: "a+b%26c&token=other/="}), "alice")
		if got.form.Encode() != want.form.Encode() {
			t.Errorf("%q: form is %v, want %v", more, got.form, want.form)
		}
		got.form, want.form = nil, nil
		if got.method != want.method || got.target != want.target || got.authorization != want.authorization ||
			got.contentType != want.contentType || got.accept != want.accept {
			t.Errorf("%q: request is %+v, want %+v", more, got, want)
		}
	}
}

// Case 124: token and secret would go along.
func TestTheIntrospectionEndpointCannotSendUsElsewhere(t *testing.T) {
	canary := newJudgeServer(t, saying(http.StatusOK, active(nil)))
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, more := range []string{"", "send_secret_in_body"} {
			server := newJudgeServer(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, canary.URL, status) })
			o := newKind[*OAuth2Token](t, "oauth2_token", asking(server.URL, more))
			wantCannotTell(t, askKind(t, o, "t"))
			if server.calls.Load() != 1 {
				t.Errorf("%d: %d calls", status, server.calls.Load())
			}
		}
	}
	if n := canary.calls.Load(); n != 0 {
		t.Errorf("%d requests have gone elsewhere", n)
	}
}

// Case 123, R11: whatever is wrong with the endpoint, nobody gets in and nobody
// is told that a token is bad. What the log gets has neither token nor secret
// nor what the endpoint said.
func TestNoFaultOfTheIntrospectionEndpointLetsAnybodyIn(t *testing.T) {
	const token, repeated = "opaque-t0ken", "opaque-t0ken throw-away repeated"
	released := make(chan struct{})
	defer close(released)
	web := func(h http.HandlerFunc) func(*testing.T) string {
		return func(t *testing.T) string { return newJudgeServer(t, h).URL }
	}
	raw := func(answer string) func(*testing.T) string {
		return func(t *testing.T) string { return bytesServer(t, answer) }
	}
	for name, start := range map[string]func(*testing.T) string{
		"refuses":            func(t *testing.T) string { return closedAddress(t) },
		"hangs up":           raw(""),
		"speaks no HTTP":     raw(repeated + "\r\n\r\n"),
		"a bad header":       raw("HTTP/1.1 200 OK\r\n" + repeated + "\r\n\r\n"),
		"is cut off":         raw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + active(nil)),
		"an answer of a 500": web(saying(http.StatusInternalServerError, active(nil))),
		"repeats the token":  web(saying(http.StatusOK, repeated)),
		"echoes it in JSON":  web(saying(http.StatusOK, `{"active":"`+repeated+`","`+repeated+`":1}`)),
		"an error with it":   web(saying(http.StatusBadRequest, `{"error":"`+repeated+`"}`)),
		"64 MiB": web(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"active":true,"sub":"alice","x":"`)
			_, _ = io.Copy(w, io.LimitReader(letters{}, 64<<20))
			_, _ = io.WriteString(w, `"}`)
		}),
		"hangs": web(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-r.Context().Done():
			case <-released:
			}
		}),
		"hangs half-way": web(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"active":true,"sub":"alice"`)
			_ = http.NewResponseController(w).Flush()
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-r.Context().Done():
			case <-released:
			}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			core, lines := observer.New(zap.DebugLevel)
			p, err := loadKind(t, newContext(t, zap.New(core)), "oauth2_token",
				strings.Replace(introspecting, idp+"/introspect", start(t)+"/introspect?key=throw-away", 1)+"timeout 300ms")
			if err != nil {
				t.Fatal(err)
			}
			for range breakerLimit + 1 {
				a, ok := askKind(t, p, token).(*CannotTell)
				if !ok {
					t.Fatalf("answer is %s", describe(a))
				}
				for _, secret := range []string{token, "throw-away", "repeated"} {
					if strings.Contains(a.Err.Error(), secret) {
						t.Errorf("the reason has %q: %v", secret, a.Err)
					}
				}
			}
			for _, line := range lines.All() {
				for _, field := range line.ContextMap() {
					if text, _ := field.(string); strings.Contains(text, token) || strings.Contains(text, "throw-away") {
						t.Errorf("the log has %v", line)
					}
				}
			}
		})
	}
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// bytesServer answers every connection with these bytes and closes it.
func bytesServer(t *testing.T, answer string) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096)) // or closing would reset it
			_, _ = io.WriteString(c, answer)
			_ = c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// The same over sockets: five hundred first requests are one call, which the
// first caller's going does not end.
func TestOneCallOverTheWireForManyFirstRequests(t *testing.T) {
	arrived, answer := make(chan struct{}), make(chan struct{})
	server := newJudgeServer(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived) // twice would panic
		select {
		case <-answer:
			saying(http.StatusOK, active(nil))(w, r)
		case <-r.Context().Done():
		}
	})
	o := newKind[*OAuth2Token](t, "oauth2_token", asking(server.URL, "")+"timeout 1m")
	ask := func(ctx context.Context) Answer {
		return o.Authenticate(httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil), Credential{Token: "t"})
	}
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan Answer)
	go func() { first <- ask(ctx) }()
	<-arrived
	var yes atomic.Int64
	done := make(chan struct{})
	for range 499 {
		go func() {
			if _, ok := ask(t.Context()).(*Yes); ok {
				yes.Add(1)
			}
			done <- struct{}{}
		}()
	}
	leave()
	wantCannotTell(t, <-first)
	close(answer)
	for range 499 {
		<-done
	}
	if yes.Load() != 499 || server.calls.Load() != 1 {
		t.Errorf("%d of 499 are served, by %d calls", yes.Load(), server.calls.Load())
	}
}

// R7 over sockets: however many ask, few are at the service at once, and each
// has an answer. That it comes in time is TestAHungServiceHoldsUpFew…, whose
// clock does not depend on the machine.
func TestAHungIntrospectionEndpointSeesFewAtOnce(t *testing.T) {
	server := newJudgeServer(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	o := newKind[*OAuth2Token](t, "oauth2_token", asking(server.URL, "")+"timeout 500ms")
	// Counted here: the service may hear of a hang-up after the next has come.
	var under gauge
	wire := o.client.Transport
	o.client.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		under.enter()
		defer under.leave()
		return wire.RoundTrip(r)
	})
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			if _, ok := askKind(t, o, string(rune('A'+i))).(*CannotTell); !ok {
				t.Error("a hung service lets somebody in, or refuses him")
			}
		})
	}
	wg.Wait()
	if most := under.most.Load(); most > maxCalls || server.calls.Load() == 0 {
		t.Errorf("%d were at the service at once, of %d", most, server.calls.Load())
	}
}

func BenchmarkIntrospection(b *testing.B) {
	for name, token := range map[string]string{
		"Opaque": strings.Repeat("0123456789abcdef", 3),
		"JWT":    unsigned(`{"iss":"` + idp + `","sub":"alice","x":"` + strings.Repeat("x", 700) + `"}`),
	} {
		b.Run(name, func(b *testing.B) {
			o := newIntrospector(b, saying(http.StatusOK, active(map[string]any{"groups": []string{"ml-platform", "research"}})),
				introspecting+"cache_ttl 1h")
			wantYes(b, askKind(b, o, token), "alice")
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/v1/models", nil)
			c := Credential{Token: token}
			b.ReportAllocs()
			for b.Loop() {
				if _, yes := o.Authenticate(r, c).(*Yes); !yes {
					b.Fatal("not a yes")
				}
			}
		})
	}
}

// The way of a known caller needs no memory at all.
func TestAKnownCallerCostsNoMemory(t *testing.T) {
	o := newIntrospector(t, saying(http.StatusOK, active(nil)), introspecting+"cache_ttl 1h")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/models", nil)
	for _, c := range []Credential{{Token: "opaque"}, {Token: unsigned(`{"iss":"` + idp + `"}`)}} {
		wantYes(t, o.Authenticate(r, c), "alice")
		if allocs := fewestAllocs(func() { o.Authenticate(r, c) }); allocs != 0 {
			t.Errorf("%v allocations", allocs)
		}
	}
}
