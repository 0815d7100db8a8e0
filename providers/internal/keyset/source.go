package keyset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/discovery"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/fetch"
)

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
	document, err := discovery.Fetch(ctx, s.Client, s.Issuer)
	if err != nil {
		return "", err
	}
	return document.Endpoint("jwks_uri", "jwks { uri … }")
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
	b, err := io.ReadAll(io.LimitReader(f, fetch.MaxBody+1))
	if err != nil {
		return nil, fmt.Errorf("reading key file: %w", err)
	}
	if len(b) > fetch.MaxBody {
		return nil, errors.New("key file has more than 1 MiB")
	}
	return b, nil
}

// get asks for address and returns the body of a 200 answer.
func get(ctx context.Context, client *http.Client, address string, token func() (string, error)) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("preparing request: %w", err)
	}
	req.Header.Set("Accept", "application/json, application/jwk-set+json")
	if token != nil {
		secret, err := token()
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	reply, err := fetch.Do(client, req)
	if err != nil {
		return nil, err
	}
	if reply.Status != http.StatusOK {
		return nil, fmt.Errorf("asking %s: status %d", fetch.Where(req.URL), reply.Status)
	}
	return reply.Body, nil
}

// filePeriod is how often a key file is looked at.
const filePeriod = time.Second
