package providers

import (
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// TokenSource is a place of a request where a credential may be.
type TokenSource struct {
	// header, query, cookie or websocket_protocol.
	Source string `json:"source"`

	// The name of the header, query parameter or cookie, or the prefix of the
	// WebSocket subprotocol that carries the key.
	Name string `json:"name"`

	// The authentication scheme in front of the token, for a header. Any case
	// is accepted. Without one, the whole value is the token.
	Scheme string `json:"scheme,omitempty"`
}

const (
	sourceHeader    = "header"
	sourceQuery     = "query"
	sourceCookie    = "cookie"
	sourceWebSocket = "websocket_protocol"
)

// DefaultTokenSource is `Authorization: Bearer <token>` (RFC 6750, section 2.1).
func DefaultTokenSource() TokenSource {
	return TokenSource{Source: sourceHeader, Name: "Authorization", Scheme: "Bearer"}
}

// Check returns an error if the source cannot work.
func (s TokenSource) Check() error {
	switch s.Source {
	case sourceHeader, sourceCookie:
		if !isToken(s.Name) {
			return fmt.Errorf("token_source %s %q: expected a name", s.Source, s.Name)
		}
	case sourceQuery, sourceWebSocket:
		if s.Name == "" {
			return fmt.Errorf("token_source %s: expected a name", s.Source)
		}
	default:
		return fmt.Errorf("token_source %q: expected header, query, cookie or websocket_protocol", s.Source)
	}
	if s.Scheme != "" && (s.Source != sourceHeader || !isToken(s.Scheme)) {
		return fmt.Errorf("token_source %s %s: unexpected %q", s.Source, s.Name, s.Scheme)
	}
	return nil
}

// LogFilter returns the lines of a `format filter` that keep this source's
// credential out of Caddy's access log; none where Caddy does so itself.
func (s TokenSource) LogFilter() string {
	switch s.Source {
	case sourceQuery:
		return fmt.Sprintf("request>uri query {\n\treplace %s REDACTED\n}", s.Name)
	case sourceWebSocket:
		return "request>headers>Sec-Websocket-Protocol delete"
	case sourceHeader:
		if name := textproto.CanonicalMIMEHeaderKey(s.Name); name != "Authorization" {
			return fmt.Sprintf("request>headers>%s delete", name)
		}
	}
	return ""
}

// UnmarshalCaddyfile reads
//
//	token_source header <name> [<scheme>]
//	token_source query <param> | cookie <name> | websocket_protocol <prefix>
func (s *TokenSource) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 2 || len(args) > 3 {
		return d.ArgErr()
	}
	s.Source, s.Name = args[0], args[1]
	if len(args) == 3 {
		s.Scheme = args[2]
	}
	return Located(d, s.Check())
}

// TokenSources are the places that are looked at, any one of which may hold
// the credential.
type TokenSources []TokenSource

// Find returns the credential of the request, an empty one if there is none,
// or a *CredentialError.
func (t TokenSources) Find(r *http.Request) (Credential, error) {
	// Two of them are one to some servers and the other to the next.
	if len(r.Header["Authorization"]) > 1 {
		return Credential{}, fault(FaultDuplicate, "Authorization is there twice")
	}
	var found Credential
	var from TokenSource
	for _, s := range t {
		token, err := s.read(r)
		if err != nil {
			return Credential{}, err
		}
		if token == "" {
			continue
		}
		if found.Token != "" {
			return Credential{}, fault(FaultDuplicate, "credential in more than one place")
		}
		found.Token, from = token, s
	}
	if found.Token == "" {
		return found, nil
	}
	if (from.Source != sourceQuery || from.Name != accessToken) && r.URL.RawQuery != "" {
		if len(queryValues(r.URL.RawQuery, accessToken)) > 0 {
			return Credential{}, fault(FaultDuplicate, "credential and an access_token in the query")
		}
	}
	if from.Source == sourceCookie && crossSite(r) {
		return Credential{}, fault(FaultOrigin, "credential from a cookie and not from this site")
	}
	return found, nil
}

// accessToken is the query parameter of RFC 6750, section 2.3.
const accessToken = "access_token"

func (s TokenSource) read(r *http.Request) (string, error) {
	switch s.Source {
	case sourceHeader:
		values := r.Header[textproto.CanonicalMIMEHeaderKey(s.Name)]
		if len(values) == 0 {
			return "", nil
		}
		if len(values) > 1 {
			return "", fault(FaultDuplicate, "header %s is there twice", s.Name)
		}
		if s.Scheme == "" {
			return values[0], checkToken(values[0])
		}
		token, _, err := parseScheme(values[0], s.Scheme)
		return token, err
	case sourceQuery:
		return single(queryValues(r.URL.RawQuery, s.Name), "query parameter")
	case sourceCookie:
		return s.readCookie(r)
	case sourceWebSocket:
		var values []string
		for _, protocol := range webSocketProtocols(r.Header) {
			if key, ok := strings.CutPrefix(protocol, s.Name); ok {
				values = append(values, strings.TrimPrefix(key, "."))
			}
		}
		return single(values, "WebSocket subprotocol")
	}
	return "", nil
}

// readCookie counts what is there before it reads it: a cookie that net/http
// passes over is one to another server, and no caller without a credential.
func (s TokenSource) readCookie(r *http.Request) (string, error) {
	there := 0
	for _, line := range r.Header["Cookie"] {
		for cookie := range strings.SplitSeq(line, ";") {
			if cookieName(cookie) == s.Name {
				there++
			}
		}
	}
	if there == 0 {
		return "", nil
	}
	read := r.CookiesNamed(s.Name)
	switch {
	case there > 1:
		return "", fault(FaultDuplicate, "cookie is there twice")
	case len(read) != 1:
		return "", fault(FaultMalformed, "cookie has a value that no cookie has")
	}
	return read[0].Value, checkToken(read[0].Value)
}

// cookieName returns the name without what some server takes for a blank around
// it: to Python, which reads headers as Latin-1, the byte A0 is one.
func cookieName(cookie string) string {
	name, _, _ := strings.Cut(cookie, "=")
	for name != "" && isAround(name[0]) {
		name = name[1:]
	}
	for name != "" && isAround(name[len(name)-1]) {
		name = name[:len(name)-1]
	}
	return name
}

func isAround(c byte) bool { return c <= ' ' || c > '~' }

func single(values []string, what string) (string, error) {
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], checkToken(values[0])
	}
	return "", fault(FaultDuplicate, "%s is there twice", what)
}

// queryValues returns the values of a query parameter. Unlike url.ParseQuery
// it gives up on nothing: a parameter that one server skips because of a
// semicolon or a bad escape is read by another.
func queryValues(query, name string) []string {
	var values []string
	for part := range strings.FieldsFuncSeq(query, isQuerySeparator) {
		key, value, _ := strings.Cut(part, "=")
		if unescaped(key) == name {
			values = append(values, unescaped(value))
		}
	}
	return values
}

func isQuerySeparator(c rune) bool { return c == '&' || c == ';' }

func unescaped(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

func webSocketProtocols(h http.Header) []string {
	var list []string
	for _, line := range h["Sec-Websocket-Protocol"] {
		for protocol := range strings.SplitSeq(line, ",") {
			list = append(list, strings.TrimSpace(protocol))
		}
	}
	return list
}

// crossSite reports whether a request that changes something, or opens a
// WebSocket, may have been caused by another site: browsers send cookies
// along, and the Origin header is how they tell. Without one nothing is known.
func crossSite(r *http.Request) bool {
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	upgrade := r.Method == http.MethodConnect || r.Header.Get("Upgrade") != ""
	if safe && !upgrade {
		return false
	}
	origins := r.Header["Origin"]
	if len(origins) != 1 {
		return true
	}
	origin, err := url.Parse(origins[0])
	if err != nil || origin.Host == "" {
		return true
	}
	// Over plain HTTP the origin may be https nevertheless: TLS can end in
	// front of us. The other way round it cannot.
	secure := origin.Scheme == "https"
	if r.TLS != nil && !secure || !secure && origin.Scheme != "http" {
		return true
	}
	return !strings.EqualFold(withPort(origin.Host, secure), withPort(r.Host, secure))
}

func withPort(host string, secure bool) string {
	if u := (&url.URL{Host: host}); u.Port() != "" {
		return host
	}
	if secure {
		return host + ":443"
	}
	return host + ":80"
}

func isToken(s string) bool {
	return s != "" && !slices.ContainsFunc([]byte(s), func(c byte) bool { return !isTokenChar(c) })
}
