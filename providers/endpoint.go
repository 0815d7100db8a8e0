package providers

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/sync/singleflight"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/discovery"
)

const (
	// endpointPeriod is how often a discovered address is looked up again, and
	// endpointPause how long an old one serves on when that fails.
	endpointPeriod = time.Hour
	endpointPause  = time.Minute
)

// endpointsPool keeps discovered addresses across configuration reloads.
var endpointsPool = caddy.NewUsagePool()

// discovered is an introspection endpoint that the issuer's discovery document
// tells. It is looked up for the first token, not when the configuration is
// loaded.
type discovered struct {
	pool    string
	flights singleflight.Group

	mu      sync.Mutex
	address string
	until   time.Time
}

func acquireEndpoint(key string) (*discovered, error) {
	v, _, err := endpointsPool.LoadOrNew(key, func() (caddy.Destructor, error) { return &discovered{pool: key}, nil })
	if err != nil {
		return nil, err
	}
	return v.(*discovered), nil
}

// Destruct implements caddy.Destructor.
func (*discovered) Destruct() error { return nil }

func (e *discovered) release() error {
	_, err := endpointsPool.Delete(e.pool)
	return err
}

// find returns the address, looked up anew if it is time. All who need it wait
// for one lookup.
func (e *discovered) find(ctx context.Context, client *http.Client, issuer string) (string, error) {
	e.mu.Lock()
	address, until := e.address, e.until
	e.mu.Unlock()
	if address != "" && time.Now().Before(until) {
		return address, nil
	}
	looked := e.flights.DoChan("", func() (any, error) {
		found, err := lookUp(ctx, client, issuer)
		return e.keep(found, err)
	})
	select {
	case result := <-looked:
		found, _ := result.Val.(string)
		return found, result.Err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// keep holds a new address, or the old one for a while longer if there is none.
func (e *discovered) keep(found string, err error) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case err == nil:
		e.address, e.until = found, time.Now().Add(endpointPeriod)
	case e.address == "":
		return "", err
	default:
		e.until = time.Now().Add(endpointPause)
	}
	return e.address, nil
}

func lookUp(ctx context.Context, client *http.Client, issuer string) (string, error) {
	document, err := discovery.Fetch(ctx, client, issuer)
	if err != nil {
		return "", err
	}
	return document.Endpoint("introspection_endpoint", "introspection { url … }")
}
