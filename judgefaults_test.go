package stackauth_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// judgedBy is a provider that asks a service, with a service that says yes.
type judgedBy struct {
	name  string
	block func(t testing.TB, url string) string
	token string
	good  http.HandlerFunc
	who   string
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// judges are all of them. A provider that asks a service belongs in here.
var judges = []judgedBy{
	{
		name: "introspection",
		block: func(_ testing.TB, url string) string {
			return "provider oauth2_token {\nskip_issuer_check\nskip_audience_check\nintrospection {\nurl " + url +
				"/introspect\nclient_id gw\nclient_secret gw-test-only\n}\n"
		},
		token: "opaque-token-of-alice",
		good:  says(200, `{"active":true,"sub":"alice"}`),
		who:   "alice",
	},
	{
		name: "introspection, discovered",
		block: func(_ testing.TB, url string) string {
			return "provider oauth2_token {\nissuer " + url + "\naudience stack\nintrospection {\nclient_id gw\nclient_secret gw-test-only\n}\n"
		},
		token: "opaque-token-of-alice",
		good: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/.well-known/openid-configuration" {
				url := "http://" + r.Host
				_, _ = fmt.Fprintf(w, `{"issuer":%q,"introspection_endpoint":%q}`, url, url+"/introspect")
				return
			}
			says(200, `{"active":true,"sub":"alice"}`)(w, r)
		},
		who: "alice",
	},
	{
		name: "custom",
		block: func(_ testing.TB, url string) string {
			return "provider custom {\nendpoint " + url + "/check?code={env.STACK_AUTH_TEST_CODE}\n"
		},
		token: "key-of-alice-0123456789",
		good:  says(200, `{"principal":"alice"}`),
		who:   "alice",
	},
	{
		name: "kubernetes, self_subject",
		block: func(_ testing.TB, url string) string {
			return "provider kubernetes {\napi_server_url " + url + "\nservice_accounts any\n"
		},
		token: "token-of-an-account-0123456789",
		good:  says(201, `{"status":{"userInfo":{"username":"system:serviceaccount:red:caller"}}}`),
		who:   "system:serviceaccount:red:caller",
	},
	{
		name: "kubernetes, token",
		block: func(t testing.TB, url string) string {
			file := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(file, []byte("token-of-the-gateway\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			return "provider kubernetes {\napi_server_url " + url + "\nreview token\naudiences stack\ntoken_file " + file + "\n"
		},
		token: "token-of-an-account-0123456789",
		good:  says(201, `{"status":{"authenticated":true,"audiences":["stack"],"user":{"username":"system:serviceaccount:red:caller"}}}`),
		who:   "system:serviceaccount:red:caller",
	},
	{
		name: "github_token",
		block: func(_ testing.TB, url string) string {
			return "provider github_token {\ngithub_api_base_url " + url + "\n"
		},
		token: "ghp_not-a-token-of-anybody",
		good: func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/orgs") {
				says(200, `[]`)(w, r)
				return
			}
			says(200, `{"id":7,"login":"alice"}`)(w, r)
		},
		who: "github:7",
	},
}

// faults are what services do when they fail. A fault that is answered as a
// connection takes that over.
var faults = map[string]http.HandlerFunc{
	"hangs up":       connection(func(net.Conn) {}),
	"resets":         connection(func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }),
	"speaks no HTTP": connection(func(c net.Conn) { _, _ = c.Write([]byte("220 smtp.example ESMTP\r\n")) }),
	"is cut off":     connection(func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")) }),
	"hangs":          func(_ http.ResponseWriter, r *http.Request) { hang(r) },
	"hangs in between": func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("{"))
		flush(w)
		hang(r)
	},
	"100 for ever":   connection(func(c net.Conn) { _, _ = c.Write([]byte(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 50))) }),
	"500":            says(500, `{"error":"internal"}`),
	"500 with a yes": says(500, `{"active":true,"sub":"alice","principal":"alice","id":7,"login":"alice"}`),
	"502":            says(502, ``),
	"503":            says(503, ``),
	"404":            says(404, ``),
	"204":            says(204, ``),
	"202 with a yes": says(202, `{"active":true,"sub":"alice","principal":"alice","id":7,"login":"alice"}`),
	"nothing":        says(200, ``),
	"HTML":           says(200, `<html>Sign in</html>`),
	"null":           says(200, `null`),
	"a list":         says(200, `[{"active":true,"principal":"alice","login":1}]`),
	"a text":         says(200, `"alice"`),
	"JSON cut off":   says(200, `{"active":true,"principal":"alice","id":7,"login":"alice"`),
	"bytes behind":   says(200, `{"active":true,"principal":"alice","id":7,"login":"alice"} {}`),
	"a member twice": says(200, `{"active":true,"sub":"alice","sub":"admin","principal":"alice","principal":"admin","id":7,"id":8,"login":"alice"}`),
	"broken UTF-8":   says(200, "{\"active\":true,\"sub\":\"\xff\",\"principal\":\"\xff\",\"id\":7,\"login\":\"\xff\"}"),
	"2 MiB":          says(200, strings.Repeat(" ", 2<<20)+`{"active":true,"sub":"alice","principal":"alice","id":7,"login":"alice"}`),
	"endless": func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	},
}

// hang waits until the caller has gone, which the server only notices once the
// body has been read.
func hang(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// connection answers on the bare connection, and then closes it.
func connection(answer func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		answer(conn)
	}
}

// R11, the fault matrix: whatever the judge does, nobody gets in and nobody is
// told that a good credential is bad; the caller knows within the timeout, and
// as soon as the judge is well again, it is asked again.
func TestNoFaultOfAJudgeLetsAnybodyIn(t *testing.T) {
	const patience = 300 * time.Millisecond
	t.Setenv("STACK_AUTH_TEST_CODE", "code-of-the-endpoint")
	for _, judge := range judges {
		t.Run(judge.name, func(t *testing.T) {
			stack := newStack(t)
			var behaviour atomic.Pointer[http.HandlerFunc]
			service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*behaviour.Load())(w, r) }))
			t.Cleanup(func() { service.CloseClientConnections(); service.Close() })
			var elsewhere atomic.Int64
			canary := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { elsewhere.Add(1); judge.good(w, r) }))
			t.Cleanup(canary.Close)
			g := startGateway(t, "stack_auth {\n"+judge.block(t, service.URL)+"timeout "+patience.String()+"\n}\nallow_anonymous\n}\n"+proxy(stack))

			all := maps.Clone(faults)
			for _, status := range []int{301, 302, 303, 307, 308} {
				all[fmt.Sprint("redirects with ", status)] = func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, canary.URL+r.URL.Path, status)
				}
			}
			number := 0
			for name, fault := range all {
				t.Run(name, func(t *testing.T) {
					number++
					token := fmt.Sprint(judge.token, number) // one that nothing is known of
					behaviour.Store(&fault)
					stack.isUntouched(t, func() {
						begin := time.Now()
						a := g.do(t, "GET", "/v1/models", bearer(token))
						a.is(t, 503, "auth_service_unavailable")
						if a.Header.Get("Retry-After") == "" || a.Header.Get("Www-Authenticate") != "" {
							t.Errorf("headers are %v", a.Header)
						}
						if took := time.Since(begin); took > timeout {
							t.Errorf("it took %s", took)
						}
					})
					// Well again: nothing of the fault was kept, and the breaker is not
					// open for longer than a second.
					behaviour.Store(&judge.good)
					eventually(t, timeout, "the judge is asked again", func() bool {
						return g.do(t, "GET", "/v1/models", bearer(token)).StatusCode == 200
					})
					stack.last(t).identity(t, judge.who)
				})
			}
			if n := elsewhere.Load(); n != 0 {
				t.Errorf("%d requests followed a redirect", n)
			}
			if strings.Contains(logs.text(), "code-of-the-endpoint") {
				t.Error("the query of the endpoint is in the logs")
			}
		})
	}
}

// The same of a judge that is not there, or that cannot prove who it is.
func TestAJudgeThatCannotBeReachedLetsNobodyIn(t *testing.T) {
	t.Setenv("STACK_AUTH_TEST_CODE", "code-of-the-endpoint")
	for _, judge := range judges {
		stack := newStack(t)
		stranger := httptest.NewUnstartedServer(judge.good)
		stranger.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		stranger.StartTLS()
		t.Cleanup(stranger.Close)
		old := httptest.NewUnstartedServer(judge.good)
		old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
		old.StartTLS()
		t.Cleanup(old.Close)
		plain := httptest.NewServer(judge.good)
		t.Cleanup(plain.Close)
		for name, url := range map[string]string{
			"refused":              "http://" + freeAddress(t),
			"unknown certificate":  stranger.URL,
			"TLS 1.1":              old.URL,
			"no TLS":               strings.Replace(plain.URL, "http:", "https:", 1),
			"no such host":         "https://nobody.invalid",
			"TLS instead of plain": strings.Replace(stranger.URL, "https:", "http:", 1),
		} {
			t.Run(judge.name+", "+name, func(t *testing.T) {
				g := startGateway(t, "stack_auth {\n"+judge.block(t, url)+"timeout 1s\n}\n}\n"+proxy(stack))
				stack.isUntouched(t, func() {
					g.do(t, "GET", "/v1/models", bearer(judge.token)).is(t, 503, "auth_service_unavailable")
				})
			})
		}
	}
}
