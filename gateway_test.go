package stackauth_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-stack-auth/caddy-stack-auth"
	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// gateway is a real Caddy in this process, listening on loopback.
type gateway struct {
	URL     string
	Address string
}

// startGateway runs Caddy with one site that has the given Caddyfile lines.
// There is one Caddy in a process: tests that start one do not run beside each
// other.
func startGateway(t testing.TB, site string) *gateway {
	t.Helper()
	return startGatewayWith(t, "", site)
}

// startGatewayWith is startGateway with global options.
func startGatewayWith(t testing.TB, globals, site string) *gateway {
	t.Helper()
	address := freeAddress(t)
	g := &gateway{URL: "http://" + address, Address: address}
	logs.reset()
	load(t, g.config(globals, site))
	t.Cleanup(func() {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		// Caddy writes into tunnels that are open when it stops, beside those who
		// do already.
		eventually(t, timeout, "no tunnel is open", func() bool {
			stacks := make([]byte, 1<<22)
			stacks = stacks[:runtime.Stack(stacks, true)]
			return !bytes.Contains(stacks, []byte("reverseproxy.(*Handler).handleUpgradeResponse("))
		})
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
		noSecretsInLogs(t)
		if t.Failed() {
			t.Log(logs.warnings())
		}
	})
	return g
}

// config is the Caddyfile of the gateway with one site. Everything is logged,
// at every level, to memory.
func (g *gateway) config(globals, site string) string {
	if !strings.Contains(globals, "log") {
		globals += "\nlog {\n\toutput stack_auth_test\n\tlevel DEBUG\n\tformat json\n}\n"
	}
	return fmt.Sprintf("{\n\tadmin off\n\tpersist_config off\n\tgrace_period 1ns\n%s\n}\nhttp://%s {\n%s\n}\n",
		globals, g.Address, site)
}

func load(t testing.TB, config string) {
	t.Helper()
	if err := tryLoad(t, config); err != nil {
		t.Fatalf("loading configuration: %v", err)
	}
}

func tryLoad(t testing.TB, config string) error {
	t.Helper()
	raw, err := adapt(config)
	if err != nil {
		t.Fatalf("adapting Caddyfile: %v\n%s", err, config)
	}
	return caddy.Load(raw, true)
}

func adapt(config string) ([]byte, error) {
	adapter := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}
	raw, _, err := adapter.Adapt([]byte(config), map[string]any{"filename": "Caddyfile"})
	return raw, err
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// protect is a stack_auth block that trusts the issuer, with further options.
func protect(issuer *testissuer.Issuer, options ...string) string {
	return "stack_auth {\n" + trust(issuer, "") + strings.Join(options, "\n") + "\n}\n"
}

// trust is a provider that trusts the issuer, with further options.
func trust(issuer *testissuer.Issuer, name string, options ...string) string {
	return fmt.Sprintf("provider oauth2_token %s {\nissuer %s\naudience %s\n%s\n}\n",
		name, issuer.URL, testissuer.Audience, strings.Join(options, "\n"))
}

// proxy is the directive that leads to the stack.
func proxy(s *stack) string { return "reverse_proxy " + s.URL + "\n" }

// answer is a response that has been read.
type answer struct {
	*http.Response
	body string
}

// errorCode returns error.code of an OpenAI-shaped body.
func (a answer) errorCode(t testing.TB) string {
	t.Helper()
	var parsed struct {
		Error struct{ Message, Type, Code string }
	}
	if err := json.Unmarshal([]byte(a.body), &parsed); err != nil {
		t.Fatalf("body of %d is not JSON: %v\n%s", a.StatusCode, err, a.body)
	}
	if parsed.Error.Message == "" || parsed.Error.Type == "" {
		t.Errorf("error without message or type: %s", a.body)
	}
	return parsed.Error.Code
}

// is fails the test unless the answer is the refusal with the given code, or,
// without one, a success.
func (a answer) is(t testing.TB, status int, code string) {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("got %d %s, want %d %s", a.StatusCode, a.body, status, code)
	}
	if code == "" {
		return
	}
	if got := a.errorCode(t); got != code {
		t.Errorf("code is %s, want %s", got, code)
	}
	if got := a.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	if got := a.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
}

// do sends a request. Headers are `Name: value` lines, sent as they are.
func (g *gateway) do(t testing.TB, method, path string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequest(method, g.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header[name] = append(req.Header[name], value)
		keepSecret(name, value)
	}
	return send(t, req)
}

// send sends a request. A connection that breaks without an answer is tried
// again, as the OpenAI SDKs do: Caddy may drop one when it reloads.
func send(t testing.TB, req *http.Request) answer {
	t.Helper()
	resp, err := http.DefaultTransport.RoundTrip(req)
	for again := 0; err != nil && again < 2; again++ {
		resp, err = http.DefaultTransport.RoundTrip(req)
	}
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

func read(t testing.TB, resp *http.Response) answer {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(body)}
}

// raw sends the bytes of one request over a connection of its own and returns
// the first answer. A head without Host and Connection gets them; `\n` is sent
// as CRLF unless the text has CRs of its own.
func (g *gateway) raw(t testing.TB, text string) answer {
	t.Helper()
	if !strings.Contains(text, "\r") {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	if !strings.Contains(text, "\r\nHost:") {
		text = strings.Replace(text, "\r\n", "\r\nHost: "+g.Address+"\r\n", 1)
	}
	conn, err := net.DialTimeout("tcp", g.Address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(text, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("reading answer: %v", err)
	}
	return read(t, resp)
}

func bearer(token string) string { return "Authorization: Bearer " + token }

// eventually polls until the condition holds.
func eventually(t testing.TB, within time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("after %s still not: %s", within, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// timeout is for what takes milliseconds on a machine that is not busy.
const timeout = 10 * time.Second

func itoa(n int) string { return strconv.Itoa(n) }
