package keyset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

// maxDocument bounds an answer, after decompression.
const maxDocument = 1 << 20

// Source is where a key set comes from.
type Source interface {
	// Fetch returns the document. It must give up when ctx ends.
	Fetch(ctx context.Context) ([]byte, error)
}

// URISource is a key set at a fixed address.
type URISource struct {
	Client *http.Client
	URI    string
	// Token returns the bearer token that the endpoint wants; nil for none.
	Token func() (string, error)
}

// Fetch implements Source.
func (s *URISource) Fetch(ctx context.Context) ([]byte, error) {
	return get(ctx, s.Client, s.URI, s.Token)
}

// DiscoverySource is a key set whose address the issuer's OpenID Connect
// discovery document tells.
type DiscoverySource struct {
	Client *http.Client
	Issuer string
	Token  func() (string, error)
}

// Fetch implements Source. The document is asked for again each time: an
// issuer that moves its keys is followed at the next recheck, and there is no
// second thing to keep fresh.
func (s *DiscoverySource) Fetch(ctx context.Context) ([]byte, error) {
	uri, err := s.discover(ctx)
	if err != nil {
		return nil, fmt.Errorf("discovering key set: %w", err)
	}
	return get(ctx, s.Client, uri, s.Token)
}

func (s *DiscoverySource) discover(ctx context.Context) (string, error) {
	// OpenID Connect Discovery 1.0, section 4: a trailing slash of the issuer
	// is taken off for the address, and not for the comparison.
	address := strings.TrimSuffix(s.Issuer, "/") + "/.well-known/openid-configuration"
	body, err := get(ctx, s.Client, address, nil)
	if err != nil {
		return "", err
	}
	doc, err := strictjson.Object(body)
	if err != nil {
		return "", err
	}
	// RFC 8414, section 3.3: the issuer of the document is the one that was
	// asked, or somebody else's keys would count as its own.
	if iss, _ := doc["issuer"].(string); iss != s.Issuer {
		return "", fmt.Errorf("document is of issuer %q, not %q", iss, s.Issuer)
	}
	uri, _ := doc["jwks_uri"].(string)
	if err := s.checkOrigin(uri); err != nil {
		return "", err
	}
	return uri, nil
}

// checkOrigin refuses an address on another host: whoever can write the
// document could otherwise point us anywhere inside the network.
func (s *DiscoverySource) checkOrigin(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("jwks_uri %q is not an http address", uri)
	}
	issuer, err := url.Parse(s.Issuer)
	if err != nil {
		return fmt.Errorf("parsing issuer: %w", err)
	}
	if u.Scheme != issuer.Scheme || !strings.EqualFold(u.Host, issuer.Host) {
		return fmt.Errorf("jwks_uri %q is not on the issuer's own origin: name it with jwks { uri … } if it is meant", uri)
	}
	return nil
}

// FileSource is a key set in a local file.
type FileSource struct {
	Path string
}

// Fetch implements Source.
func (s *FileSource) Fetch(context.Context) ([]byte, error) {
	f, err := os.Open(s.Path)
	if err != nil {
		return nil, fmt.Errorf("opening key file: %w", err)
	}
	defer f.Close()
	return readAll(f)
}

// get asks for address and returns the body of a 200 answer. Redirects are not
// followed (the client sees to that): the token would go along, and the answer
// would be somebody else's.
func get(ctx context.Context, client *http.Client, address string, token func() (string, error)) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("preparing request: %w", err)
	}
	req.Header.Set("Accept", "application/json, application/jwk-set+json")
	req.Header.Set("User-Agent", "caddy-stack-auth")
	if token != nil {
		secret, err := token()
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking %s: status %d", address, resp.StatusCode)
	}
	return readAll(resp.Body)
}

func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("reading answer: %w", err)
	}
	if len(b) > maxDocument {
		return nil, errors.New("answer has more than 1 MiB")
	}
	return b, nil
}

// filePeriod is how often a key file is looked at.
const filePeriod = time.Second
