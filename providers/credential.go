package providers

import (
	"fmt"
	"net/http"
	"strings"
)

// maxCredential is the longest credential that is looked at, in bytes.
const maxCredential = 32 << 10

// Credential is what a caller presented. It is empty where nothing was.
type Credential struct {
	// Token is the secret itself, without a scheme.
	Token string

	// Headers are the headers that a HeaderReader names, as a peer that it
	// trusts sent them, by their canonical names; nil without any.
	Headers http.Header
}

// Fault is a way in which a credential can be presented wrongly.
type Fault int

const (
	// FaultMalformed is a credential that does not have the form of one.
	FaultMalformed Fault = iota
	// FaultDuplicate is a credential in more than one place (RFC 6750,
	// section 2: clients must not use more than one method).
	FaultDuplicate
	// FaultTooLong is a token beyond every reasonable length.
	FaultTooLong
	// FaultOrigin is a cookie that another site may have caused to be sent.
	FaultOrigin
)

// CredentialError is a credential presented wrongly. Its text never has a part
// of the credential.
type CredentialError struct {
	Fault  Fault
	Reason string
}

// Error implements error.
func (e *CredentialError) Error() string { return e.Reason }

func fault(f Fault, format string, args ...any) error {
	return &CredentialError{Fault: f, Reason: fmt.Sprintf(format, args...)}
}

// parseScheme reads `<scheme> <token>` (RFC 9110, section 11.4: any case, one
// or more spaces). A header with another scheme has no credential for us,
// which is not a mistake; one with ours and then anything but one token is.
func parseScheme(value, scheme string) (token string, found bool, err error) {
	end := 0
	for end < len(value) && isTokenChar(value[end]) {
		end++
	}
	if end == 0 {
		return "", false, fault(FaultMalformed, "header has no authentication scheme")
	}
	if !strings.EqualFold(value[:end], scheme) {
		if hidesScheme(value, scheme) {
			return "", false, fault(FaultMalformed, "header has more than one authentication scheme")
		}
		return "", false, nil
	}
	rest := value[end:]
	token = strings.TrimLeft(rest, " ")
	if len(token) == len(rest) {
		return "", false, fault(FaultMalformed, "header has no token behind the scheme")
	}
	return token, true, checkToken(token)
}

// hidesScheme reports whether a header of another scheme has ours behind a
// comma: `Basic x, Bearer y` is one credential to us and two to the next.
func hidesScheme(value, scheme string) bool {
	for {
		_, after, found := strings.Cut(value, ",")
		if !found {
			return false
		}
		value = strings.TrimLeft(after, " \t")
		if len(value) > len(scheme) && strings.EqualFold(value[:len(scheme)], scheme) && value[len(scheme)] == ' ' {
			return true
		}
	}
}

// checkToken refuses what cannot be one token. Beyond RFC 6750's b64token it
// lets other visible characters pass, as opaque keys have them; a provider
// that knows better says no.
func checkToken(token string) error {
	if token == "" {
		return fault(FaultMalformed, "token is empty")
	}
	if len(token) > maxCredential {
		return fault(FaultTooLong, "token has %d bytes, more than %d", len(token), maxCredential)
	}
	for i := range len(token) {
		if c := token[i]; c <= ' ' || c > '~' || c == ',' || c == '"' {
			return fault(FaultMalformed, "token has a character that no token has")
		}
	}
	return nil
}

// isTokenChar is tchar of RFC 9110, section 5.6.2.
func isTokenChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
