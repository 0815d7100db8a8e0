package providers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/fetch"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

// The members of an answer that mean something to us.
const (
	memberPrincipal        = "principal"
	memberAttributes       = "attributes"
	memberAccessAttributes = "access_attributes" // its first name
	memberMessage          = "message"           // for people; it is not looked at
)

// maxAnswerNames is more attributes than anybody has rules for.
const maxAnswerNames = 256

// post asks the endpoint.
func (c *Custom) post(ctx context.Context, posted []byte, token string) Answer {
	answer := c.send(ctx, posted, token)
	// With cache_by token the request that fails may be another than the one that
	// got the yes: then the caller may have found one that fails.
	if cannot, unsure := answer.(*CannotTell); unsure && c.CacheBy == cacheByToken {
		cannot.Provoked = cannot.Answered || errors.Is(cannot.Err, fetch.ErrTooLarge) || errors.Is(cannot.Err, fetch.ErrBroken)
	}
	return answer
}

func (c *Custom) send(ctx context.Context, posted []byte, token string) Answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(posted))
	if err != nil {
		return &CannotTell{Err: errors.New("preparing request to the endpoint")}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	reply, err := c.Fetch(req)
	if err != nil {
		return &CannotTell{Err: err}
	}
	switch reply.Status {
	case http.StatusOK:
		return c.read(reply, token)
	case http.StatusUnauthorized, http.StatusForbidden:
		return &No{Reason: fmt.Sprintf("endpoint refuses the credential: status %d", reply.Status)}
	}
	return Unusable(reply, "endpoint: status %d", reply.Status)
}

// read says who the endpoint says that the credential is of. An answer that
// could be read in two ways says nothing.
func (c *Custom) read(reply *Reply, token string) Answer {
	all, err := strictjson.Object(reply.Body)
	if err != nil {
		return Unusable(reply, "endpoint's answer: %w", err)
	}
	attributes, err := c.readAnswer(all)
	if err != nil {
		return Unusable(reply, "endpoint's answer: %w", err)
	}
	user, err := c.userOf(all, attributes, token)
	if err != nil {
		return &No{Reason: err.Error()}
	}
	return &Yes{User: user}
}

// readAnswer returns the attributes of an answer whose known members are what
// they should be. null is nothing, as in claims: frameworks write it for what is
// not set.
func (c *Custom) readAnswer(all map[string]any) (map[string][]string, error) {
	if err := checkSpelling(all); err != nil {
		return nil, err
	}
	for _, path := range c.identity.principals {
		v := path.find(all)
		if v == nil {
			continue
		}
		// Whoever is nobody here would be somebody by the fingerprint.
		if s, ok := v.(string); !ok || s == "" {
			return nil, fmt.Errorf("%s is not a string with something in it", path.written)
		}
		break
	}
	name, given := memberAttributes, all[memberAttributes]
	if other := all[memberAccessAttributes]; other != nil {
		if given != nil {
			return nil, fmt.Errorf("it has both %s and %s", memberAttributes, memberAccessAttributes)
		}
		name, given = memberAccessAttributes, other
	}
	return readLists(name, given)
}

// checkSpelling refuses members that somebody may take for one of ours: many
// readers of JSON do not tell case, and whoever wrote accessAttributes meant
// something by it.
func checkSpelling(all map[string]any) error {
	for name := range all {
		bare := separators.Replace(name)
		for _, right := range []string{memberPrincipal, memberAttributes, memberAccessAttributes, memberMessage} {
			if name != right && strings.EqualFold(bare, separators.Replace(right)) {
				return fmt.Errorf("it has a member that is %s but for its spelling", right)
			}
		}
	}
	return nil
}

// separators takes out of a name what separates its words.
var separators = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")

// readLists reads an object of lists of strings; null is nothing.
func readLists(name string, v any) (map[string][]string, error) {
	if v == nil {
		return nil, nil
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s is not an object", name)
	}
	if len(object) > maxAnswerNames {
		return nil, fmt.Errorf("%s has more than %d names", name, maxAnswerNames)
	}
	lists := make(map[string][]string, len(object))
	for category, given := range object {
		if given == nil {
			continue
		}
		elements, ok := given.([]any)
		if !ok {
			return nil, fmt.Errorf("%s has a member that is not a list", name)
		}
		for _, element := range elements {
			value, ok := element.(string)
			if !ok {
				return nil, fmt.Errorf("%s has a value that is not a string", name)
			}
			lists[category] = append(lists[category], value)
		}
	}
	return lists, nil
}

// userOf returns the user that an answer describes. An error means that it
// describes nobody, and is the reason for a *no*.
func (c *Custom) userOf(all map[string]any, attributes map[string][]string, token string) (*abac.User, error) {
	principal, err := c.principalOf(all, token)
	if err != nil {
		return nil, err
	}
	tenant, err := c.identity.tenantOf(all)
	if err != nil {
		return nil, err
	}
	principal = c.PrincipalPrefix + principal
	var list []abac.Attribute
	if c.identity.given {
		list = c.ownNames(attributes)
	}
	for _, source := range c.identity.attributes {
		list = append(list, abac.Attribute{Name: source.attribute, Values: source.values(all)})
	}
	if c.scoped && len(attributes) == 0 {
		// What a key without attributes creates belongs to that key. Not to its
		// principal: a caller whose name is research would be in that namespace.
		own := c.PrincipalPrefix + c.fingerprint(token)
		list = append(list, abac.Attribute{Name: "namespaces", Values: []string{own}})
	}
	return abac.NewUser(principal, tenant, abac.NewAttributes(list...))
}

// ownNames returns the attributes under the names that the answer gives them,
// without those whose names no attribute can have. The log is not told the
// names: an endpoint may have made one of what it was sent.
func (c *Custom) ownNames(attributes map[string][]string) []abac.Attribute {
	list := make([]abac.Attribute, 0, len(attributes))
	for name, values := range attributes {
		if abac.CheckAttributeName(name) == nil {
			list = append(list, abac.Attribute{Name: name, Values: values})
		}
	}
	if left := len(attributes) - len(list); left > 0 {
		c.warnLeftOut(left)
	}
	return list
}

// principalOf returns the principal that the answer names, or else one that
// stands for the key.
func (c *Custom) principalOf(all map[string]any, token string) (string, error) {
	principal, err := c.identity.principal(all)
	switch {
	case errors.Is(err, errNoPrincipal):
		return c.fingerprint(token), nil
	case err != nil:
		return "", err
	case isFingerprint(principal):
		// An endpoint that lets people choose their names lets them choose this.
		return "", errors.New("principal could be taken for the fingerprint of a key")
	}
	return principal, nil
}

const (
	fingerprintPrefix = "key:"
	fingerprintSize   = 16 // 128 bits: nobody finds two keys with the same
)

// fingerprint returns the principal of a key that the endpoint gives no name.
// It says nothing of the key, and is another one at another provider.
func (c *Custom) fingerprint(token string) string {
	digest := sha256.Sum256([]byte(c.Name + "\x00" + token))
	return fingerprintPrefix + hex.EncodeToString(digest[:fingerprintSize])
}

func isFingerprint(principal string) bool {
	digits, ok := strings.CutPrefix(principal, fingerprintPrefix)
	return ok && len(digits) == 2*fingerprintSize && !slices.ContainsFunc([]byte(digits), func(c byte) bool {
		return !isHex(c) || 'A' <= c && c <= 'F'
	})
}
