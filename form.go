package stackauth

import (
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

// checkForm refuses every request that could mean one thing here and another
// to the stack: real clients send none of them, and the bypasses live in the
// differences between two readers. It returns the canonical path.
func checkForm(r *http.Request) (string, *refusal) {
	if !methodAllowed(r) {
		return "", methodNotAllowed.because("method is not allowed")
	}
	if r.URL.Opaque != "" {
		return "", ambiguousRequest.because("request target is not a path")
	}
	if len(r.Header["Authorization"]) > 1 {
		return "", duplicateCredential.because("Authorization is there twice")
	}
	path, err := abac.CanonicalPath(r.URL.Path)
	if err != nil {
		return "", ambiguousRequest.because(err.Error())
	}
	if reason := targetInTwoMinds(r.URL); reason != "" {
		return "", ambiguousRequest.because(reason)
	}
	if reason := headersInTwoMinds(r); reason != "" {
		return "", ambiguousRequest.because(reason)
	}
	if earlyData(r) {
		return "", tooEarly.because("early data with an unsafe method")
	}
	return path, nil
}

func methodAllowed(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut,
		http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return true
	case http.MethodConnect:
		return extendedConnect(r)
	}
	return false
}

// extendedConnect reports whether the request opens a WebSocket over HTTP/2
// (RFC 8441) or HTTP/3 (RFC 9220). It becomes a GET with Upgrade only inside
// reverse_proxy, and is decided as one. net/http and quic-go keep the protocol
// in different places.
func extendedConnect(r *http.Request) bool {
	return r.Method == http.MethodConnect &&
		(r.ProtoMajor == 2 && r.Header.Get(":protocol") == "websocket" ||
			r.ProtoMajor == 3 && r.Proto == "websocket")
}

// targetInTwoMinds finds what no request target has (RFC 9112, section 3.2), and
// net/http lets pass. Some servers end the query at a number sign. A character
// in the path that should have been encoded net/http encodes on the way, and all
// of the path anew with it: of `a%2Fb|` it would make `a/b%7C`.
func targetInTwoMinds(u *url.URL) string {
	switch {
	case strings.Contains(u.RawQuery, "#"):
		return "query has a number sign"
	case u.RawPath != "" && strings.Count(u.RawPath, "/") != strings.Count(u.EscapedPath(), "/"):
		return "path has a character that should have been encoded"
	}
	return ""
}

func headersInTwoMinds(r *http.Request) string {
	// A trailer comes after the decision and is a header to some servers.
	if r.Trailer != nil || len(r.Header["Trailer"]) > 0 {
		return "request announces trailers"
	}
	if foreignUpgrade(r.Header) {
		return "upgrade to something else than a WebSocket"
	}
	for name, values := range r.Header {
		if reason := badProviderData(name, values); reason != "" {
			return reason
		}
	}
	return ""
}

// foreignUpgrade reports whether the request would leave HTTP for something
// else than a WebSocket: what comes in a tunnel (h2c: whole requests) nobody
// sees.
func foreignUpgrade(h http.Header) bool {
	upgrade := h["Upgrade"]
	return len(upgrade) > 1 || len(upgrade) == 1 && !providers.SameHeader(upgrade[0], "websocket")
}

func badProviderData(name string, values []string) string {
	if !isProviderData(name) {
		return ""
	}
	if len(values) > 1 {
		return "header " + name + " is there twice"
	}
	if err := providers.CheckProviderData(values[0]); err != nil {
		return "header " + name + ": " + err.Error()
	}
	return ""
}

// defuse takes off a request that goes on undecided, or to an error route,
// what is refused for its form elsewhere and could do harm without any
// identity: a tunnel, and settings that a stack takes for one.
func defuse(h http.Header) {
	if foreignUpgrade(h) {
		dropUpgrade(h)
	}
	dropReservedData(h)
}

func dropReservedData(h http.Header) {
	for name, values := range h {
		if badProviderData(name, values) != "" {
			delete(h, name)
		}
	}
}

func dropUpgrade(h http.Header) {
	for _, name := range []string{"Upgrade", "Connection", "Http2-Settings"} {
		delete(h, name)
	}
}

// isProviderData reports whether the header is X-*-Provider-Data, in which
// stacks take settings and keys of the caller's own for a request.
func isProviderData(name string) bool {
	// Looked at before the name is copied to fold it: nearly all fail here.
	const shortest = len("X-A-Provider-Data")
	if len(name) < shortest || name[0]|' ' != 'x' || name[len(name)-1]|' ' != 'a' {
		return false
	}
	folded := providers.FoldHeader(name)
	return strings.HasPrefix(folded, "x-") && strings.HasSuffix(folded, "-provider-data")
}

// earlyData reports whether an unsafe request came before the TLS handshake
// was over, when an attacker can replay it (RFC 8470, also for a server in
// front of us that says so).
func earlyData(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	// Anything in Early-Data means 1 (RFC 8470, section 5.1).
	return r.TLS != nil && !r.TLS.HandshakeComplete || len(r.Header["Early-Data"]) > 0
}

// isPreflight reports whether the request is a CORS preflight.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" &&
		r.Header.Get("Access-Control-Request-Method") != ""
}

// dropBodyAndTunnel leaves of a request, about which nobody was asked, its line and plain
// headers: no body, and no way to become a tunnel.
func dropBodyAndTunnel(r *http.Request) {
	r.Body = http.NoBody
	r.ContentLength = 0
	r.TransferEncoding = nil
	dropUpgrade(r.Header)
	delete(r.Header, "Expect")
	for _, name := range []string{"Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding"} {
		delete(r.Header, textproto.CanonicalMIMEHeaderKey(name))
	}
}
