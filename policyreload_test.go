package stackauth_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// swapped is what two policies say of a path: of whichever is in force, the
// status and the rule. They differ in each, so that a mixture of both shows.
var swapped = map[string]map[string]struct {
	status int
	rule   string
}{
	"A": {
		"/one":       {200, "A permits one"},
		"/two":       {403, "A forbids two"},
		"/three":     {200, "A permits the rest"},
		"/four":      {403, "A forbids four"},
		"/inner/in":  {200, "A permits inside"},
		"/inner/out": {403, "none"},
	},
	"B": {
		"/one":       {403, "B forbids one"},
		"/two":       {200, "B permits two"},
		"/three":     {403, "none"},
		"/four":      {200, "B permits four"},
		"/inner/in":  {403, "B forbids inside"},
		"/inner/out": {200, "B permits the rest inside"},
	},
}

func swappedSite(issuer *testissuer.Issuer, s *stack, socket, name string) string {
	rules := map[string][2]string{
		"A": {`
			forbid /two* {
				description "A forbids two"
			}
			permit /one {
				description "A permits one"
			}
			forbid /four* {
				methods GET
				description "A forbids four"
			}
			permit {
				when user with user in roles
				description "A permits the rest"
			}`, `
			permit /inner/in {
				description "A permits inside"
			}`},
		"B": {`
			permit /four /inner/* {
				when user with user in roles
				description "B permits four"
			}
			permit regex:/two {
				description "B permits two"
			}
			forbid /one {
				description "B forbids one"
			}`, `
			forbid /inner/in* {
				description "B forbids inside"
			}
			permit {
				description "B permits the rest inside"
			}`},
	}[name]
	// Connections to the stack that were in use when their configuration ended
	// would stay in its idle pool; the listener is a socket file for the reason
	// that TestAHundredReloadsUnderLoadAreNotNoticed gives.
	forward := "reverse_proxy " + s.URL + " {\nheader_up X-Policy " + name + "\ntransport http {\nkeepalive off\n}\n}\n"
	return "bind unix/" + socket + "\nheader >X-Policy " + name + "\n" +
		protect(issuer, "realm "+name, "explain_header roles user", rules[0]) +
		"handle /inner/* {\nstack_auth {\n" + rules[1] + "\n}\n" + forward + "}\nhandle {\n" + forward + "}\n"
}

// swapClient asks over connections of its own, in one version of HTTP.
type swapClient struct {
	*http.Transport
	url, token string
	major      int
}

func newSwapClient(g *gateway, socket, token string, major int) *swapClient {
	c := &swapClient{&http.Transport{
		Protocols: new(http.Protocols),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}, g.URL, token, major}
	if major == 2 {
		c.Protocols.SetUnencryptedHTTP2(true)
	} else {
		c.Protocols.SetHTTP1(true)
	}
	return c
}

// ask returns which policy has answered, and an error unless all of the answer
// is that policy's.
func (c *swapClient) ask(path string) (string, error) {
	req, err := http.NewRequest("GET", c.url+path, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", c.token)
	resp, err := c.RoundTrip(req)
	// A connection that breaks without an answer is tried again, as clients do.
	for again := 0; err != nil && again < 2; again++ {
		resp, err = c.RoundTrip(req)
	}
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	policy := resp.Header.Get("X-Policy")
	want, known := swapped[policy][path]
	challenge := ""
	if want.status == 403 {
		challenge = strings.Replace(scopeChallenge, `"stack"`, `"`+policy+`"`, 1)
	}
	if !known || resp.StatusCode != want.status || resp.Header.Get("X-Stack-Auth-Rule") != want.rule ||
		resp.Header.Get("WWW-Authenticate") != challenge || resp.ProtoMajor != c.major {
		return policy, fmt.Errorf("%s: %s %d, %v, %s", path, resp.Proto, resp.StatusCode, resp.Header, body)
	}
	return policy, nil
}

// swapLoad is clients that ask all the time, half of them in HTTP/2.
type swapLoad struct {
	answers [8]atomic.Int64 // by client
	clients sync.WaitGroup
	stop    chan struct{}

	mu       sync.Mutex
	wrong    []string
	byPolicy map[string]int
}

func startSwapLoad(g *gateway, socket, token string) *swapLoad {
	l := &swapLoad{stop: make(chan struct{}), byPolicy: make(map[string]int)}
	for i := range l.answers {
		l.clients.Go(func() {
			c := newSwapClient(g, socket, token, 1+i%2)
			defer c.CloseIdleConnections()
			for {
				for path := range swapped["A"] {
					select {
					case <-l.stop:
						return
					default:
					}
					l.note(c.ask(path))
					l.answers[i].Add(1)
				}
			}
		})
	}
	return l
}

func (l *swapLoad) note(policy string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byPolicy[policy]++
	if err != nil {
		l.wrong = append(l.wrong, err.Error())
	}
}

// everybodyAsks returns when each client has got two more answers.
func (l *swapLoad) everybodyAsks(t *testing.T) {
	t.Helper()
	var before [len(l.answers)]int64
	for i := range l.answers {
		before[i] = l.answers[i].Load()
	}
	eventually(t, timeout, "two answers for each client", func() bool {
		for i := range l.answers {
			if l.answers[i].Load() < before[i]+2 {
				return false
			}
		}
		return true
	})
}

// A policy is swapped for another while it is asked. Each request is decided by
// one or the other, whole, and none is lost.
func TestASwapOfThePolicyUnderLoadIsNeverSeenHalf(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	socket := filepath.Join(t.TempDir(), "caddy.sock")
	const globals = "servers {\nprotocols h1 h2c\n}"
	g := startGatewayWith(t, globals, swappedSite(issuer, stack, socket, "A"))
	token := strings.TrimPrefix(as(issuer, "uma", "user"), "Authorization: ")
	keepSecret("Authorization", token)
	inForce := func(name string) {
		t.Helper()
		for major := 1; major <= 2; major++ {
			c := newSwapClient(g, socket, token, major)
			for path := range swapped[name] {
				if policy, err := c.ask(path); err != nil || policy != name {
					t.Errorf("policy %s is in force, and %s decides: %v", name, policy, err)
				}
			}
			c.CloseIdleConnections()
		}
	}
	inForce("A")
	asking := startSwapLoad(g, socket, token)
	for i := range 30 {
		asking.everybodyAsks(t)
		name := [...]string{"B", "A"}[i%2]
		load(t, g.config(globals, swappedSite(issuer, stack, socket, name)))
		inForce(name)
	}
	asking.everybodyAsks(t)
	close(asking.stop)
	asking.clients.Wait()
	if len(asking.wrong) != 0 {
		t.Errorf("%d answers are of neither policy, the first: %s", len(asking.wrong), asking.wrong[0])
	}
	// Between two swaps each of eight clients got two answers, of which the first
	// may have been under way before.
	if least := 8 * 15; asking.byPolicy["A"] < least || asking.byPolicy["B"] < least {
		t.Errorf("the policies answered %v times", asking.byPolicy)
	}
	for _, r := range stack.since(0) {
		if by := r.Header.Get("X-Policy"); swapped[by][r.URL.Path].status != 200 {
			t.Errorf("%s reached the stack, by policy %q", r.URL.Path, by)
		}
	}
}
