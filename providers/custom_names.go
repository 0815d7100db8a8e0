package providers

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Which headers and parameters an endpoint is not shown unless the
// configuration names them. A list of names would always be one short, so what
// counts are the words that a name is made of; a header too many that is left
// out can be named, one too few has told somebody's secret, or let a caller
// write what a proxy is believed to have written.

// wordsOf returns the words of a name: X_Api.Key and x-api-key have the same.
func wordsOf(name string) []string {
	return strings.FieldsFunc(strings.ToLower(name), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
}

var (
	// secretParts make a secret of every word that has them: Authorization,
	// X-Auth-*, Set-Cookie, X-Amz-Credential, client_secret, Signature-Input.
	secretParts = []string{
		"auth", "cookie", "credential", "secret", "passw", "passphrase", "assertion", "signature", "session", "bearer", "jwt", "saml",
	}

	// secretEnds make one of every word that ends with them: apikey, id_token;
	// but max_tokens is a number.
	secretEnds = []string{"key", "keys", "token"}

	// secretWords do so alone: in other words they mean nothing.
	secretWords = []string{"dpop", "otp", "pass", "pin", "pwd", "sid", "sig", "csrf", "xsrf", "cert"}
)

// tellsSecret reports whether a name of these words says that what it names is
// a credential.
func tellsSecret(words []string) bool {
	return slices.ContainsFunc(words, func(word string) bool {
		return slices.Contains(secretWords, word) ||
			slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(word, part) }) ||
			slices.ContainsFunc(secretEnds, func(end string) bool { return strings.HasSuffix(word, end) })
	})
}

var (
	// hopHeaders belong to the connection (RFC 9110, section 7.6.1). Whatever
	// begins with proxy- does so, too.
	hopHeaders = []string{"connection", "keep-alive", "te", "trailer", "trailers", "transfer-encoding", "upgrade", "http2-settings"}

	// forwardedWords are in the names of headers in which a proxy says whom it
	// speaks for.
	forwardedWords = []string{"via", "ip", "ipv4", "ipv6", "clientip", "proxy", "proxied", "tenant", "override"}

	// forwardedStarts are what the names of other such headers begin with.
	forwardedStarts = []string{
		"forward", "x-forward", "x-original", "x-rewrite", "x-real-", "x-envoy-", "x-proxy", "x-client-cert", "x-ssl-", "ssl-",
		"x-remote-", "remote-", "x-consumer-", "x-amzn-", "x-goog-", "x-ms-", "x-appengine-", "cf-", "x-host", "x-http-method",
		"sec-websocket-",
	}
)

// withheldHeader reports whether a header is not shown unless it is named.
func withheldHeader(name string) bool {
	folded := FoldHeader(name)
	words := wordsOf(name)
	return isHopHeader(folded) || tellsSecret(words) ||
		strings.Contains(folded, "provider-data") ||
		slices.ContainsFunc(words, func(word string) bool { return slices.Contains(forwardedWords, word) }) ||
		slices.ContainsFunc(forwardedStarts, func(start string) bool { return strings.HasPrefix(folded, start) })
}

func isHopHeader(folded string) bool {
	return slices.Contains(hopHeaders, folded) || strings.HasPrefix(folded, "proxy-")
}

// checkForwarded refuses names in forward_headers under which there is never
// anything to show.
func checkForwarded(name string) error {
	folded := FoldHeader(name)
	switch {
	case !isHeaderName(name) || strings.Contains(name, "*"):
		return fmt.Errorf("forward_headers %q: expected the name of a header", name)
	case folded == "authorization" || folded == "proxy-authorization":
		return fmt.Errorf("forward_headers %s: it is taken off every request before the endpoint is asked", name)
	case isHopHeader(folded):
		return fmt.Errorf("forward_headers %s: it belongs to the connection and not to the request", name)
	}
	return nil
}
