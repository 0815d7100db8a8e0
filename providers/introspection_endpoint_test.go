package providers

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// found is a block whose endpoint is found from the issuer.
const found = usual + "introspection {\n client_id gw\n client_secret throw-away\n}\n"

// authority is an issuer with an introspection endpoint that moves.
type authority struct {
	mu        sync.Mutex
	endpoint  string           // of the document
	document  http.HandlerFunc // instead of it
	lookups   atomic.Int64
	questions sync.Map // path → how often it was asked
}

func newAuthority() *authority { return &authority{endpoint: idp + "/introspect"} }

func (a *authority) set(endpoint string, document http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.endpoint, a.document = endpoint, document
}

func (a *authority) asked(path string) int64 {
	n, _ := a.questions.LoadOrStore(path, new(atomic.Int64))
	return n.(*atomic.Int64).Load()
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/.well-known/openid-configuration" {
		n, _ := a.questions.LoadOrStore(r.URL.Path, new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
		saying(http.StatusOK, active(nil))(w, r)
		return
	}
	a.lookups.Add(1)
	a.mu.Lock()
	endpoint, document := a.endpoint, a.document
	a.mu.Unlock()
	if document != nil {
		document(w, r)
		return
	}
	saying(http.StatusOK, fmt.Sprintf(`{"issuer":%q,"introspection_endpoint":%q}`, idp, endpoint))(w, r)
}

// Case 116: a document of another issuer, or one that points elsewhere, gets
// neither the token nor our secret.
func TestTheIntrospectionEndpointIsOnTheIssuersOrigin(t *testing.T) {
	for name, tc := range map[string]struct{ document, want string }{
		"another issuer":      {`{"issuer":"https://evil.example","introspection_endpoint":"` + idp + `/i"}`, "document is of issuer"},
		"a slash more":        {`{"issuer":"` + idp + `/","introspection_endpoint":"` + idp + `/i"}`, "document is of issuer"},
		"no issuer":           {`{"introspection_endpoint":"` + idp + `/i"}`, "document is of issuer"},
		"another host":        {`{"issuer":"` + idp + `","introspection_endpoint":"https://evil.example/i"}`, "not on the issuer's own origin"},
		"another port":        {`{"issuer":"` + idp + `","introspection_endpoint":"` + idp + `:8443/i"}`, "not on the issuer's own origin"},
		"a longer host":       {`{"issuer":"` + idp + `","introspection_endpoint":"` + idp + `.evil/i"}`, "not on the issuer's own origin"},
		"plain http":          {`{"issuer":"` + idp + `","introspection_endpoint":"http://idp.example/i"}`, "not on the issuer's own origin"},
		"credentials":         {`{"issuer":"` + idp + `","introspection_endpoint":"https://idp.example@evil.example/i"}`, "is not an http address"},
		"a path":              {`{"issuer":"` + idp + `","introspection_endpoint":"/i"}`, "is not an http address"},
		"none":                {`{"issuer":"` + idp + `"}`, "is not an http address"},
		"a number":            {`{"issuer":"` + idp + `","introspection_endpoint":5}`, "is not an http address"},
		"twice":               {`{"issuer":"` + idp + `","introspection_endpoint":"` + idp + `/i","introspection_endpoint":"https://evil.example/i"}`, "twice"},
		"no JSON":             {`<html>`, "expected a JSON object"},
		"something very long": {`{"issuer":"` + strings.Repeat("x", 100_000) + `"}`, "document is of issuer"},
	} {
		synctest.Test(t, func(t *testing.T) {
			issuer := newAuthority()
			issuer.set("", saying(http.StatusOK, tc.document))
			o := newIntrospector(t, issuer.ServeHTTP, found)
			a, ok := askKind(t, o, "t").(*CannotTell)
			if !ok || !strings.Contains(a.Err.Error(), tc.want) {
				t.Fatalf("%s: %s", name, describe(a))
			}
			if len(a.Err.Error()) > 500 {
				t.Errorf("%s: the reason has %d bytes", name, len(a.Err.Error()))
			}
			issuer.questions.Range(func(path, _ any) bool {
				t.Errorf("%s: %s was asked", name, path)
				return true
			})
		})
	}
}

// R2: with the issuer down at the start, and back later.
func TestDiscoveryOfTheEndpointRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newAuthority()
		issuer.set("", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		o := newIntrospector(t, issuer.ServeHTTP, found)
		if n := issuer.lookups.Load(); n != 0 {
			t.Errorf("loading the configuration asks %d times", n)
		}
		for range 300 { // a minute of requests
			wantCannotTell(t, askKind(t, o, "t"))
			time.Sleep(200 * time.Millisecond)
		}
		if n := issuer.lookups.Load(); n > 60+breakerLimit {
			t.Errorf("%d lookups in a minute", n)
		}
		issuer.set(idp+"/introspect", nil)
		back := time.Now()
		for {
			if _, yes := askKind(t, o, "t").(*Yes); yes {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(back); took > 2*time.Second {
			t.Errorf("the first yes came %s after the issuer was back", took)
		}
	})
}

func TestTheEndpointIsLookedUpOnceAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, lines := observer.New(zap.WarnLevel)
		issuer := newAuthority()
		p, err := loadKind(t, newContext(t, zap.New(core)), "oauth2_token", found+"cache_ttl 0")
		if err != nil {
			t.Fatal(err)
		}
		o := p.(*OAuth2Token)
		o.reaches(issuer)
		wantLookups := func(want int64) {
			t.Helper()
			synctest.Wait()
			if n := issuer.lookups.Swap(0); n != want {
				t.Errorf("%d lookups, want %d", n, want)
			}
		}
		for range 60 {
			wantYes(t, askKind(t, o, "t"), "alice")
			time.Sleep(time.Minute - time.Millisecond)
		}
		wantLookups(1)
		// It moves. Nobody waits for that: who comes first still goes to the old
		// address, and the next to the new one.
		issuer.set(idp+"/moved", nil)
		time.Sleep(time.Second)
		wantYes(t, askKind(t, o, "t"), "alice")
		wantLookups(1)
		wantYes(t, askKind(t, o, "t"), "alice")
		if issuer.asked("/introspect") != 61 || issuer.asked("/moved") != 1 {
			t.Errorf("%d questions at the old address and %d at the new one", issuer.asked("/introspect"), issuer.asked("/moved"))
		}
		// It fails, by hanging even: the known address serves on, at once, and it
		// is tried again after a minute.
		issuer.set("", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		time.Sleep(time.Hour)
		for range 100 {
			began := time.Now()
			wantYes(t, askKind(t, o, "t"), "alice")
			if took := time.Since(began); took != 0 {
				t.Errorf("a caller waited for %s", took)
			}
			time.Sleep(6 * time.Second)
		}
		if n := issuer.lookups.Swap(0); n < 9 || n > 11 {
			t.Errorf("%d lookups in ten minutes", n)
		}
		if lines.FilterMessage("finding the introspection endpoint fails: the known one serves on").Len() == 0 {
			t.Errorf("the log has %v", lines.All())
		}
		issuer.set(idp+"/again", nil)
		time.Sleep(time.Minute)
		wantYes(t, askKind(t, o, "t"), "alice")
		synctest.Wait()
		wantYes(t, askKind(t, o, "t"), "alice")
		if issuer.asked("/again") != 1 {
			t.Error("the new address is not asked")
		}
		time.Sleep(time.Minute)
	})
}

// One lookup for all who come at the start, whoever of them goes away; nobody
// who waits for it is told that it was cancelled, and the breaker hears nothing
// of those who left.
func TestOneLookupForAllFirstTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newAuthority()
		issuer.set("", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			if r.Context().Err() != nil {
				t.Error("the lookup ends with somebody")
			}
			saying(http.StatusOK, fmt.Sprintf(`{"issuer":%q,"introspection_endpoint":"%s/introspect"}`, idp, idp))(w, r)
		})
		o := newIntrospector(t, issuer.ServeHTTP, found+"cache_ttl 0")
		ctx, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
			wantCannotTell(t, o.Authenticate(r, Credential{Token: "first"}))
		})
		synctest.Wait()
		for i := range 63 {
			wg.Go(func() { wantYes(t, askKind(t, o, fmt.Sprint("t-", i)), "alice") })
		}
		synctest.Wait()
		leave()
		wg.Wait()
		if n := issuer.lookups.Load(); n != 1 {
			t.Errorf("%d lookups", n)
		}
	})
}

// Two providers of one issuer find its endpoint once, a reload forgets it not,
// and the last one takes it along.
func TestAFoundEndpointIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newAuthority()
		a := newIntrospector(t, issuer.ServeHTTP, found)
		wantYes(t, askKind(t, a, "t"), "alice")
		b := newIntrospector(t, issuer.ServeHTTP, found+"principal_prefix b:")
		wantYes(t, askKind(t, b, "t"), "b:alice")
		other := newIntrospector(t, issuer.ServeHTTP, found+"transport http {\n tls_insecure_skip_verify\n}")
		wantYes(t, askKind(t, other, "t"), "alice")
		if n := issuer.lookups.Load(); n != 2 { // who checks no certificates finds for nobody else
			t.Errorf("%d lookups", n)
		}
		for range 2 { // and is given back once
			if err := a.Cleanup(); err != nil {
				t.Error(err)
			}
		}
		c := newIntrospector(t, issuer.ServeHTTP, found+"principal_prefix c:")
		wantYes(t, askKind(t, c, "t"), "c:alice")
		wantYes(t, askKind(t, a, "u"), "alice") // requests that were under way
		if n := issuer.lookups.Load(); n != 2 {
			t.Errorf("%d lookups after a reload", n)
		}
	})
}

// A panic in a flight would end the process.
func TestALookupThatPanicsIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newIntrospector(t, func(http.ResponseWriter, *http.Request) { panic("of the handler") }, found)
		a, ok := askKind(t, o, "t").(*CannotTell)
		if !ok || !strings.Contains(a.Err.Error(), "panicked") {
			t.Errorf("answer is %s", describe(a))
		}
	})
}
