package stackauth

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

// rehearsedRequest is a request as somebody describes it.
type rehearsedRequest struct {
	Method, Path, Host, ClientIP string
	Headers                      []string // `Name: value`
	Token                        string
}

const defaultClientIP = "127.0.0.1"

// check finds what no client could send. Its errors do not show values that may
// be secrets.
func (q *rehearsedRequest) check() error {
	if q.ClientIP == "" {
		q.ClientIP = defaultClientIP
	}
	if _, err := netip.ParseAddr(q.ClientIP); err != nil {
		return fmt.Errorf("client address %q: expected an IP address", q.ClientIP)
	}
	switch {
	case q.Method == "" || strings.ContainsFunc(q.Method, notForLines) || strings.Contains(q.Method, " "):
		return fmt.Errorf("method %q: expected one such as GET", q.Method)
	case !strings.HasPrefix(q.Path, "/"):
		return fmt.Errorf("path %q: expected one with a leading /", pathOnly(q.Path))
	case strings.ContainsFunc(q.Path, notForLines):
		return fmt.Errorf("path %q has control characters: encode them", pathOnly(q.Path))
	case strings.ContainsFunc(q.Host, notForLines):
		return fmt.Errorf("host %q has control characters", q.Host)
	}
	for _, line := range q.Headers {
		if err := checkHeaderLine(line); err != nil {
			return err
		}
	}
	return nil
}

func checkHeaderLine(line string) error {
	name, _, found := strings.Cut(line, ":")
	switch {
	case !found || name == "" || strings.ContainsFunc(line, notForLines):
		return errors.New("header: expected 'Name: value', in one line")
	case providers.SameHeader(name, "Host"):
		return errors.New("header Host: say it as the host")
	case providers.SameHeader(name, "Authorization"), providers.SameHeader(name, "Cookie"):
		return fmt.Errorf("header %s: other users of this machine can see arguments, and a file of cases is no place for secrets: "+
			"give explain a token in a file", name)
	}
	return nil
}

func notForLines(c rune) bool { return c < ' ' || c == 0x7f }

// pathOnly leaves out the query, which may have a credential.
func pathOnly(target string) string {
	path, _, _ := strings.Cut(target, "?")
	return path
}

// build makes the request that net/http would make of what comes over the wire,
// nil where it would refuse to.
func (q *rehearsedRequest) build(s *rehearsedServer, source providers.TokenSource) (*http.Request, error) {
	headers := slices.Clip(q.Headers)
	target := q.Path
	if q.Token != "" {
		var line string
		if line, target = present(q.Token, source, target); line != "" {
			headers = append(headers, line)
		}
	}
	lines := slices.Concat([]string{q.Method + " " + target + " HTTP/1.1", "Host: " + q.Host}, headers, []string{"", ""})
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.Join(lines, "\r\n"))))
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // it is an answer: 400
	}
	r.RemoteAddr = net.JoinHostPort(q.ClientIP, "49152")
	r.Body = http.NoBody
	if s.tls {
		name, _ := splitPort(q.Host)
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, Version: tls.VersionTLS13, ServerName: name}
	}
	return r, nil
}

// present puts the token where the configuration looks for it.
func present(token string, s providers.TokenSource, target string) (line, newTarget string) {
	switch s.Source {
	case "query":
		separator := "?"
		if strings.Contains(target, "?") {
			separator = "&"
		}
		return "", target + separator + url.QueryEscape(s.Name) + "=" + url.QueryEscape(token)
	case "cookie":
		return "Cookie: " + s.Name + "=" + token, target
	case "websocket_protocol":
		return "Sec-WebSocket-Protocol: " + s.Name + token, target
	}
	if s.Scheme != "" {
		token = s.Scheme + " " + token
	}
	return s.Name + ": " + token, target
}

// tokenSource returns where a token for the server goes: into the usual place if
// its first block with providers looks there, else where that looks first.
func (r *rehearsal) tokenSource(s *rehearsedServer) providers.TokenSource {
	usual := providers.DefaultTokenSource()
	if s.first == nil || len(s.first.TokenSources) == 0 || slices.Contains(s.first.TokenSources, usual) {
		return usual
	}
	return s.first.TokenSources[0]
}

// plain makes text that came from elsewhere harmless to a terminal.
func plain(s string) string {
	return strings.Map(func(c rune) rune {
		if notForLines(c) || 0x80 <= c && c < 0xa0 || 0x2028 <= c && c <= 0x202e || 0x2066 <= c && c <= 0x2069 {
			return '\uFFFD'
		}
		return c
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
