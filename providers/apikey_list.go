package providers

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// ListedKey is a key that APIKey knows.
type ListedKey struct {
	// The SHA-256 of the key, as `sha256:` and 64 hex digits: what `caddy
	// stack-auth hash-key` prints. Required.
	Hash string `json:"hash"`

	// Who calls with it. Required. Several keys may have the same principal.
	Principal string `json:"principal"`

	// What is known of the caller.
	Attributes []KeyAttribute `json:"attributes,omitempty"`

	// The tenant that the caller belongs to. Default: none.
	Tenant string `json:"tenant,omitempty"`

	// When the key ends, in the form of RFC 3339 (2027-01-31T00:00:00Z).
	// Default: never.
	Expires string `json:"expires,omitempty"`
}

// KeyAttribute is an attribute of callers with a key.
type KeyAttribute struct {
	// The attribute, such as roles. Values of one that is there twice are joined.
	Attribute string `json:"attribute"`

	// Its values.
	Values []string `json:"values"`
}

const hashPrefix = "sha256:"

// errNoHash does not show what is there instead: people write the key where its
// hash belongs, and errors end up in logs and tickets.
var errNoHash = errors.New("hash: expected sha256: and 64 hex digits, as `caddy stack-auth hash-key` prints them " +
	"(what is there is not shown, for it may be a key)")

// HashKey returns the hash of a key, as ListedKey has it. It fails for what no
// caller can present as a token; the error has no part of the key.
func HashKey(key string) (string, error) {
	var refused *CredentialError
	switch err := checkToken(key); {
	case key == "":
		return "", errors.New("key is empty")
	case errors.As(err, &refused) && refused.Fault == FaultTooLong:
		return "", fmt.Errorf("key has more than %d bytes, which no token can have", maxCredential)
	case err != nil:
		return "", errors.New("key has a character that no token can have: a blank, comma, quote, control character, or one beyond ASCII")
	}
	digest := digestOf(key)
	return hashPrefix + hex.EncodeToString(digest[:]), nil
}

// digest returns the hash. Digits are taken in either case: tools differ in what
// they print, and it is the same hash.
func (k *ListedKey) digest() (digest [sha256.Size]byte, err error) {
	digits, found := strings.CutPrefix(k.Hash, hashPrefix)
	if !found || len(digits) != hex.EncodedLen(len(digest)) {
		return digest, errNoHash
	}
	if _, err := hex.Decode(digest[:], []byte(digits)); err != nil {
		return digest, errNoHash
	}
	return digest, nil
}

// rfc3339 is what time.Parse leaves open: it takes 0:00 for midnight, a comma
// for a point, and an offset of 24:30.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// end returns whether and when the key ends.
func (k *ListedKey) end() (ends bool, at time.Time, err error) {
	if k.Expires == "" {
		return false, at, nil
	}
	at, err = time.Parse(time.RFC3339, k.Expires)
	if err != nil || !rfc3339.MatchString(k.Expires) {
		return false, at, errors.New("expires: expected a time such as 2027-01-31T00:00:00Z")
	}
	return true, at, nil
}

// claims returns the attributes as claims: lists, whose values are not split.
func (k *ListedKey) claims() map[string]any {
	claims := make(map[string]any, len(k.Attributes))
	for _, attribute := range k.Attributes {
		list, _ := claims[attribute.Attribute].([]any)
		for _, value := range attribute.Values {
			list = append(list, value)
		}
		claims[attribute.Attribute] = list
	}
	return claims
}

// check finds what is wrong with a key.
func (k *ListedKey) check(principalPrefix string) error {
	digest, err := k.digest()
	if err != nil {
		return err
	}
	// Looked at without the prefix too: behind one, an edge blank is not at the
	// edge.
	for _, principal := range []string{k.Principal, principalPrefix + k.Principal} {
		if _, err := abac.NewUser(principal, "", abac.Attributes{}); err != nil {
			return err
		}
	}
	// OGX's local_api_key calls people by their keys. The principal is no
	// secret: it is logged, and sent to the stack.
	if digestOf(k.Principal) == digest {
		return errors.New("principal is the key itself: expected a name that may be known")
	}
	for _, attribute := range k.Attributes {
		if err := attribute.check(digest); err != nil {
			return err
		}
	}
	if k.Tenant != "" {
		if _, err := abac.ParseTenant(k.Tenant); err != nil {
			return err
		}
	}
	_, _, err = k.end()
	return err
}

func (a KeyAttribute) check(digest [sha256.Size]byte) error {
	if err := abac.CheckAttributeName(a.Attribute); err != nil {
		return err
	}
	if len(a.Values) == 0 {
		return fmt.Errorf("attribute %q: expected at least one value", a.Attribute)
	}
	for _, value := range a.Values {
		switch {
		case value == "":
			return fmt.Errorf("attribute %q: a value is empty", a.Attribute)
		case digestOf(value) == digest:
			return fmt.Errorf("attribute %q: a value is the key itself", a.Attribute)
		}
	}
	return nil
}

// expiredKeys gathers keys that are over before they are used: no mistake, for a
// list may keep them, and yet often one.
type expiredKeys struct {
	now        time.Time
	count      int
	principals []string
}

func (e *expiredKeys) look(principal string, expires time.Time) {
	if e.now.Before(expires) {
		return
	}
	e.count++
	// A line for a person to read.
	if len(e.principals) < 10 && !slices.Contains(e.principals, principal) {
		e.principals = append(e.principals, principal)
	}
}

func (e *expiredKeys) warn(log *zap.Logger) {
	if e.count > 0 {
		log.Warn("keys have expired", zap.Int("keys", e.count), zap.Strings("principals", e.principals))
	}
}
