package stackauth_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// tlsGateway is a gateway that speaks every version of HTTP over TLS.
type tlsGateway struct {
	*gateway
	authority string
	lines     string // of its site
	roots     *x509.CertPool
}

// everyVersion are its global options. Nothing is kept on disk, and nobody is
// asked for a certificate.
const everyVersion = "auto_https off\nskip_install_trust\nstorage_check off\nstorage_clean_interval off\nservers {\nprotocols h1 h2 h3\n}\n"

// startTLSGateway runs Caddy with one site that has the given Caddyfile lines.
func startTLSGateway(t testing.TB, site string) *tlsGateway {
	t.Helper()
	plain, certs := startGateway(t, "respond 503"), newCertificates(t)
	g := &tlsGateway{
		gateway: &gateway{Address: freeAddressOfBoth(t)},
		lines:   fmt.Sprintf("bind 127.0.0.1\ntls %s %s\n", filepath.Join(certs.dir, "server.pem"), filepath.Join(certs.dir, "server.key")),
		roots:   x509.NewCertPool(),
	}
	g.roots.AddCert(certs.ca)
	g.authority = strings.Replace(g.Address, "127.0.0.1", "localhost", 1)
	g.URL = "https://" + g.authority
	g.reload(t, strings.Replace(plain.config(everyVersion, g.lines+site), plain.URL, g.URL, 1))
	return g
}

// reload loads the configuration twice: Caddy's tls app may begin after the
// listener for HTTP/3, and sets fields of its own then which every handshake
// reads. Only a reload takes a lock that handshakes take, too; the race detector
// sees no other order.
func (g *tlsGateway) reload(t testing.TB, config string) {
	t.Helper()
	for range 2 {
		load(t, config)
	}
	// The listener of before may end a little later, and resets whom it has not
	// accepted.
	eventually(t, timeout, "one socket listens", func() bool { return listeners(t, g.Address) == 1 })
}

// listeners returns how many sockets listen at an address of IPv4, as Linux says;
// elsewhere they are not counted, and said to be one.
func listeners(t testing.TB, address string) (n int) {
	t.Helper()
	table, err := os.ReadFile("/proc/self/net/tcp")
	if errors.Is(err, fs.ErrNotExist) {
		return 1
	}
	_, port, _ := net.SplitHostPort(address)
	number, parsing := strconv.ParseUint(port, 10, 16)
	if err := errors.Join(err, parsing); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		// The number, the address, the other one's, and the state.
		if f := strings.Fields(line); len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", number)) && f[3] == "0A" {
			n++
		}
	}
	return n
}

// freeAddressOfBoth returns an address that is free for TCP and for UDP.
func freeAddressOfBoth(t testing.TB) string {
	t.Helper()
	for range 10 {
		address := freeAddress(t)
		if conn, err := net.ListenPacket("udp", address); err == nil {
			conn.Close()
			return address
		}
	}
	t.Fatal("no port is free for TCP and UDP")
	return ""
}

// trust is the TLS of a client that speaks the protocol.
func (g *tlsGateway) trust(protocol string) *tls.Config {
	return &tls.Config{ServerName: "localhost", RootCAs: g.roots, NextProtos: []string{protocol}, MinVersion: tls.VersionTLS13}
}

// overHTTP2 is a client that speaks nothing else.
func (g *tlsGateway) overHTTP2(t testing.TB) *http.Transport {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: g.trust("h2"), Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP2(true)
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, g.Address)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// overHTTP3 is a client that speaks nothing else.
func (g *tlsGateway) overHTTP3(t testing.TB) *http3.Transport {
	t.Helper()
	transport := &http3.Transport{
		TLSClientConfig: g.trust(http3.NextProtoH3),
		Dial: func(ctx context.Context, _ string, config *tls.Config, options *quic.Config) (*quic.Conn, error) {
			return quic.DialAddrEarly(ctx, g.Address, config, options)
		},
	}
	t.Cleanup(func() { transport.Close() })
	return transport
}

// request are the lines of a request for the path, and more.
func (g *tlsGateway) request(method, path string, more ...string) []string {
	return append([]string{":method: " + method, ":scheme: https", ":authority: " + g.authority, ":path: " + path}, more...)
}
