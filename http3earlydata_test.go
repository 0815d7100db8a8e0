package stackauth_test

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// tickets keeps the session tickets of a client, and says when there is one.
type tickets struct {
	tls.ClientSessionCache
	kept chan struct{}
}

// Put implements tls.ClientSessionCache.
func (k *tickets) Put(key string, state *tls.ClientSessionState) {
	k.ClientSessionCache.Put(key, state)
	select {
	case k.kept <- struct{}{}:
	default:
	}
}

// deaf is a socket on which nothing is heard until it is opened: what the client
// sends before is early data, however fast the server is.
type deaf struct {
	net.PacketConn
	opened chan struct{}
}

// ReadFrom implements net.PacketConn.
func (d *deaf) ReadFrom(p []byte) (int, net.Addr, error) {
	<-d.opened
	return d.PacketConn.ReadFrom(p)
}

// earlyClient is one that has been there before.
type earlyClient struct {
	g       *tlsGateway
	trust   *tls.Config
	options *quic.Config
}

func newEarlyClient(t *testing.T, g *tlsGateway) *earlyClient {
	t.Helper()
	cache := &tickets{tls.NewLRUClientSessionCache(1), make(chan struct{}, 1)}
	c := &earlyClient{g, g.trust(http3.NextProtoH3), &quic.Config{HandshakeIdleTimeout: timeout}}
	c.trust.ClientSessionCache = cache
	conn, err := quic.DialAddr(t.Context(), g.Address, c.trust, c.options)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	select {
	case <-cache.kept:
	case <-time.After(timeout):
		t.Fatal("the server gave no ticket")
	}
	return c
}

// early sends the request before it has heard anything of the server, and goes
// on with the handshake when the gateway has decided. It returns the connection,
// too.
func (c *earlyClient) early(t *testing.T, decided func() bool, lines ...string) (answer, *http3Conn) {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &deaf{socket, make(chan struct{})}
	hear := func() { // once
		select {
		case <-d.opened:
		default:
			close(d.opened)
		}
	}
	transport := &quic.Transport{Conn: d}
	t.Cleanup(func() {
		hear()
		transport.Close()
		socket.Close()
	})
	address, err := net.ResolveUDPAddr("udp", c.g.Address)
	if err != nil {
		t.Fatal(err)
	}
	quicConn, err := transport.DialEarly(t.Context(), address, c.trust, c.options)
	if err != nil {
		t.Fatal(err)
	}
	conn := beginHTTP3(t, quicConn)
	s := conn.open(t, lines...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, timeout, "decided on early data", decided)
	hear()
	a := answered(t, s)
	if state := conn.ConnectionState(); !state.Used0RTT || !state.TLS.DidResume {
		t.Fatal("the request was no early data")
	}
	return a, conn
}

// What comes in TLS 1.3's early data can be replayed by whoever has seen it.
func TestEarlyDataOverHTTP3IsOnlyForReading(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startTLSGateway(t, protect(issuer, "public /public", "permit")+proxy(stack))
	client, token := newEarlyClient(t, g), bearer(issuer.Token("alice", nil))
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/v1/x", 200},
		{"HEAD", "/v1/x", 200},
		{"POST", "/v1/x", 425},
		{"DELETE", "/v1/x", 425},
		{"POST", "/public", 425},
		{"CONNECT", "/v1/x", 425},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			lines := g.request(c.method, c.path, token)
			if c.method == "CONNECT" {
				lines = g.socket(c.path, token)
			}
			if c.status == 200 {
				before := stack.count()
				a, _ := client.early(t, func() bool { return stack.count() > before }, lines...)
				a.is(t, 200, "")
				stack.last(t).identity(t, "alice")
				return
			}
			refused := len(refusals(t))
			var conn *http3Conn
			stack.isUntouched(t, func() {
				var a answer
				a, conn = client.early(t, func() bool { return len(refusals(t)) > refused }, lines...)
				a.is(t, 425, "too_early")
			})
			// It says to send it again, and then it passes.
			if c.method == "CONNECT" {
				stack.answerWith(echoSocket)
				defer stack.answerWith(nil)
				stack.judged(t, passes, func() answer { return answeredSocket(t, true, conn.open(t, lines...)) })
			} else {
				stack.judged(t, passes, func() answer { return answered(t, conn.open(t, lines...)) })
			}
		})
	}
}

// Caddy knows no address of a client whose handshake is not over, and its
// matchers fail.
func TestARuleAboutAddressesLetsNoEarlyDataPass(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	const from = " {\nmatch {\nremote_ip 127.0.0.1\n}\n}\n"
	g := startTLSGateway(t, protect(issuer, "permit /v1/near"+from+"forbid /v1/far"+from+"permit")+proxy(stack))
	client, token := newEarlyClient(t, g), bearer(issuer.Token("alice", nil))
	for path, later := range map[string]verdict{"/v1/near": passes, "/v1/far": forbidden, "/v1/elsewhere": passes} {
		lines := g.request("GET", path, token)
		before, refused := stack.count(), len(refusals(t))
		decided := func() bool { return stack.count() > before || len(refusals(t)) > refused }
		var conn *http3Conn
		early := func() (a answer) {
			a, conn = client.early(t, decided, lines...)
			return a
		}
		if path == "/v1/elsewhere" {
			stack.judged(t, passes, early)
		} else {
			// To be sent again after the handshake, and not for good (RFC 8470).
			stack.isUntouched(t, func() { early().is(t, 425, "too_early") })
		}
		stack.judged(t, later, func() answer { return answered(t, conn.open(t, lines...)) })
	}
}

// Mallory has no token. The first block is not for her path, and takes a header
// off; of the second Caddy cannot tell, because her CONNECT is early data. The
// error route is a proxy, and must not open her WebSocket.
func TestAMatcherThatFailsOpensNoWebSocketByTheErrorRoute(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	stack.answerWith(echoSocket)
	g := startTLSGateway(t, "@in not path /out*\n@far not remote_ip 192.0.2.0/24\nroute {\nstack_auth @in {\n"+trust(issuer, "")+
		"}\nstack_auth @far {\n"+trust(issuer, "")+"}\n"+proxy(stack)+"}\nhandle_errors {\n"+proxy(stack)+"}\n")
	client := newEarlyClient(t, g)
	for _, forged := range []string{"x-auth-user-id: admin", "x-none: x"} {
		refused := len(refusals(t))
		stack.isUntouched(t, func() {
			decided := func() bool { return stack.count() > 0 || len(refusals(t)) > refused }
			a, conn := client.early(t, decided, g.socket("/out", forged)...)
			a.is(t, 425, "too_early")
			answered(t, conn.open(t, g.socket("/out", forged)...)).is(t, 401, "missing_credential")
		})
	}
}
