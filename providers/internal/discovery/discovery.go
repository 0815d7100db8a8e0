// Package discovery reads the document in which an issuer says where its
// endpoints are (OpenID Connect Discovery 1.0; RFC 8414).
package discovery

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/fetch"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

// Document is an issuer's discovery document.
type Document struct {
	issuer  string
	members map[string]any
}

// Fetch asks the issuer for its document.
func Fetch(ctx context.Context, client *http.Client, issuer string) (*Document, error) {
	// OpenID Connect Discovery 1.0, section 4: a trailing slash of the issuer
	// is taken off for the address, and not for the comparison.
	address := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("preparing request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	reply, err := fetch.Do(client, req)
	if err != nil {
		return nil, err
	}
	if reply.Status != http.StatusOK {
		return nil, fmt.Errorf("asking %s: status %d", fetch.Where(req.URL), reply.Status)
	}
	members, err := strictjson.Object(reply.Body)
	if err != nil {
		return nil, err
	}
	// RFC 8414, section 3.3: the issuer of the document is the one that was
	// asked, or somebody else's keys would count as its own.
	if iss, _ := members["issuer"].(string); iss != issuer {
		return nil, fmt.Errorf("document is of issuer %.200q, not %q", iss, issuer)
	}
	return &Document{issuer: issuer, members: members}, nil
}

// Endpoint returns the address that the document has under the given name. An
// address on another origin than the issuer's is an error: whoever can write
// the document could otherwise point us anywhere inside the network. The error
// names the option that says such an address.
func (d *Document) Endpoint(name, option string) (string, error) {
	address, _ := d.members[name].(string)
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("%s %.200q is not an http address", name, address)
	}
	issuer, err := url.Parse(d.issuer)
	if err != nil {
		return "", fmt.Errorf("parsing issuer: %w", err)
	}
	if u.Scheme != issuer.Scheme || !strings.EqualFold(u.Host, issuer.Host) {
		return "", fmt.Errorf("%s %.200q is not on the issuer's own origin: name it with %s if it is meant", name, address, option)
	}
	return address, nil
}
