package providers

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// both are the two ways to ask, of the API server at the address.
func both(t testing.TB, address string) map[string]string {
	t.Helper()
	return map[string]string{
		reviewSelfSubject: "service_accounts any\napi_server_url " + address,
		reviewToken:       "review token\naudiences llama-stack\ntoken_file " + ownTokenFile(t, gateways) + "\napi_server_url " + address,
	}
}

// rawServer answers each connection as it is told, in no HTTP of its own.
func rawServer(t testing.TB, answer func(net.Conn)) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { _ = l.Close() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				answer(c)
				_ = c.Close()
			})
		}
	})
	return "http://" + l.Addr().String()
}

// R11, case 149: whatever is wrong with the API server, nobody gets in, and
// nobody is told that a token is bad which may be good.
func TestNoFaultOfTheAPIServerLetsAnybodyIn(t *testing.T) {
	whole := `{"status":{"authenticated":true,"audiences":["llama-stack"],"user":` + robotInfo + `,"userInfo":` + robotInfo + `}}`
	web := func(status int, body string) func(testing.TB) string {
		return func(t testing.TB) string { return newJudgeServer(t, saying(status, body)).URL }
	}
	raw := func(text string) func(testing.TB) string {
		return func(t testing.TB) string {
			return rawServer(t, func(c net.Conn) {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = io.WriteString(c, text)
				}
			})
		}
	}
	// What the faults are made of is good.
	for review, lines := range both(t, web(200, whole)(t)) {
		t.Run(review+" without a fault", func(t *testing.T) {
			wantYes(t, askKind(t, newKind[*Kubernetes](t, "kubernetes", lines), callers), robot)
		})
	}
	for name, start := range map[string]func(testing.TB) string{
		"refuses":  closedAddress,
		"hangs up": raw(""),
		"resets": func(t testing.TB) string {
			return rawServer(t, func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) })
		},
		"speaks no HTTP":                       raw("220 smtp\r\n"),
		"is cut off":                           raw(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(whole)+1, whole)),
		"500":                                  web(500, whole),
		"502":                                  web(502, whole),
		"503":                                  web(503, whole),
		"404":                                  web(404, whole),
		"429":                                  web(429, whole),
		"no body":                              web(200, ""),
		"garbage":                              web(200, "<html>"),
		"an object cut off":                    web(200, whole[:len(whole)-1]),
		"bytes behind it":                      web(200, whole+"}"),
		"more than 1 MiB":                      web(200, whole+strings.Repeat(" ", 1<<20)),
		"too many levels":                      web(200, strings.Repeat(`{"a":`, 40)+"1"+strings.Repeat("}", 40)),
		"has a certificate that nobody signed": otherTLS,
	} {
		address := start(t)
		for review, lines := range both(t, address) {
			t.Run(review+" "+name, func(t *testing.T) {
				k := newKind[*Kubernetes](t, "kubernetes", lines)
				wantCannotTell(t, askKind(t, k, callers))
				wantCannotTell(t, askKind(t, k, callers))
			})
		}
	}
}

// otherTLS is a server whose certificate nobody signed. No token must reach it.
func otherTLS(t testing.TB) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a token was shown to a server that was not checked")
	}))
	s.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func TestAnAPIServerThatHangsIsGivenUpAtTheTimeout(t *testing.T) {
	for review, lines := range both(t, clusterURL) {
		synctest.Test(t, func(t *testing.T) {
			k := newKind[*Kubernetes](t, "kubernetes", lines+"\ntimeout 3s")
			k.client.Transport = hanging{ended: make(chan time.Duration, 1)}
			began := time.Now()
			wantCannotTell(t, askKind(t, k, callers))
			if waited := time.Since(began); waited != 3*time.Second {
				t.Errorf("%s: the caller waited %s", review, waited)
			}
		})
	}
}

// A redirect would take both tokens to whoever it names.
func TestNoRedirectOfTheAPIServerIsFollowed(t *testing.T) {
	canary := newJudgeServer(t, whose(robotInfo))
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := newJudgeServer(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, canary.URL+selfPath, status) })
		for _, lines := range both(t, s.URL) {
			wantCannotTell(t, askKind(t, newKind[*Kubernetes](t, "kubernetes", lines), callers))
		}
		if n := s.calls.Load(); n != 2 {
			t.Errorf("%d: %d questions, want one of each review", status, n)
		}
	}
	if n := canary.calls.Load(); n != 0 {
		t.Errorf("the canary was asked %d times", n)
	}
}

// The API server ends idle connections, now and then in the moment in which the
// next question is on its way. Nobody has to see a 503 for that.
func TestAQuestionOnAConnectionThatEndsIsAskedAgain(t *testing.T) {
	var connections, questions atomic.Int32
	body := `{"status":{"userInfo":` + robotInfo + `}}`
	address := rawServer(t, func(c net.Conn) {
		connections.Add(1)
		in := bufio.NewReader(c)
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, sent := r.Header["X-Idempotency-Key"]; sent {
			t.Error("X-Idempotency-Key is sent")
		}
		_, _ = io.Copy(io.Discard, r.Body)
		questions.Add(1)
		_, _ = fmt.Fprintf(c, "HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		_, _ = http.ReadRequest(in) // and ends without a word
	})
	k := newKind[*Kubernetes](t, "kubernetes", "service_accounts any\ncache_ttl 0\napi_server_url "+address)
	for range 3 {
		wantYes(t, askKind(t, k, callers), robot)
	}
	if c, q := connections.Load(), questions.Load(); c != 3 || q != 3 {
		t.Errorf("%d connections and %d answers, want 3 of both", c, q)
	}
	k.Client().CloseIdleConnections()
}

// What is wrong with our own token is not the caller's fault, and nobody is
// asked with half a credential.
func TestWithoutATokenOfItsOwnTheGatewayCannotTell(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	for name, tc := range map[string]struct{ path, want string }{
		"missing":      {missing, "reading token_file: open " + missing + ": no such file or directory"},
		"a folder":     {t.TempDir(), "reading token_file: read "},
		"empty":        {ownTokenFile(t, ""), ": token is empty"},
		"blank":        {ownTokenFile(t, " \r\n\t\n"), ": token is empty"},
		"two lines":    {ownTokenFile(t, gateways+"\nX-Remote-User: admin"), ": token has a character that no token has"},
		"binary":       {ownTokenFile(t, gateways+"\x00\xff"), ": token has a character that no token has"},
		"far too long": {ownTokenFile(t, strings.Repeat("a", 1<<20)), ": token has 65536 bytes, more than 32768"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(good(robotInfo))
			k := newKubernetes(t, c, "review token\naudiences llama-stack\napi_server_url "+clusterURL+"\ntoken_file "+tc.path)
			a := askKind(t, k, callers)
			wantCannotTell(t, a)
			if err := a.(*CannotTell).Err.Error(); !strings.Contains(err, tc.want) || strings.Contains(err, gateways) {
				t.Errorf("error is %q, want %q", err, tc.want)
			}
			if n := len(c.questions()); n != 0 {
				t.Errorf("%d questions", n)
			}
		})
	}
}

// A provider that cannot read its own token, or may not ask, says nothing of
// the API server: others who ask it must not be shut out.
func TestAGatewayWithoutRightsDoesNotShutOthersOut(t *testing.T) {
	c := newCluster(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == tokenPath {
			saying(http.StatusForbidden, `{}`)(w, r)
			return
		}
		whose(robotInfo)(w, r)
	})
	k := newKubernetes(t, c, selfSubject)
	for _, lines := range []string{tokenReview(t), "review token\naudiences a\ntoken_file /does/not/exist\napi_server_url " + clusterURL} {
		broken := newKubernetes(t, c, lines)
		if broken.service != k.service {
			t.Fatal("they do not share what is known of the API server")
		}
		for i := range 2 * breakerLimit {
			wantCannotTell(t, askKind(t, broken, fmt.Sprint("token-", i)))
		}
	}
	wantYes(t, askKind(t, k, callers), robot)
}

// Case 231: what the API server says may have the token in it, and errors and
// reasons go to the log.
func TestNoReasonHasAPartOfATokenOrOfAnAnswer(t *testing.T) {
	for _, answer := range []http.HandlerFunc{
		saying(401, callers), saying(403, `{"message":"`+callers+`"}`), saying(500, callers), saying(201, callers),
		saying(201, `{"`+callers+`":1,"`+callers+`":2}`), saying(201, `{"status":"`+callers+`"}`),
		verdict(`{"error":"[invalid bearer token ` + callers + `]"}`), verdict(`{"authenticated":"` + callers + `"}`),
		verdict(`{"authenticated":true,"audiences":["` + callers + `"]}`),
		whose(`{"username":1,"groups":"` + callers + `"}`), whose(`{"username":"a","groups":["` + callers + `",1]}`),
		whose(`{"username":"a","extra":{"` + callers + `":1}}`), whose(`{"username":"` + callers + `\u0000"}`),
		good(`{"username":"a","uid":["` + callers + `"]}`), good(`{"username":" ` + callers + `"}`),
	} {
		for review, lines := range both(t, clusterURL) {
			got := describe(askKind(t, newKubernetes(t, newCluster(answer), lines), callers))
			if strings.HasPrefix(got, "yes") || strings.Contains(got, "test-only") {
				t.Errorf("%s: %s", review, got)
			}
		}
	}
	if _, err := readOwnToken(ownTokenFile(t, gateways+" x")); err == nil || strings.Contains(err.Error(), gateways) {
		t.Errorf("error is %v", err)
	}
}
