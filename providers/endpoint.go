package providers

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/discovery"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/shared"
)

const (
	// endpointPeriod is how often a discovered address is looked up again, and
	// endpointPause how soon once more when that fails.
	endpointPeriod = time.Hour
	endpointPause  = time.Minute
)

// endpointsPool keeps discovered addresses across configuration reloads.
var endpointsPool = shared.NewPool[*discovered]()

// discovered is an introspection endpoint that the issuer's discovery document
// tells. It is looked up for the first token, not when the configuration is
// loaded.
type discovered struct {
	flights singleflight.Group

	mu      sync.Mutex
	address string
	until   time.Time
}

func acquireEndpoint(key string) (e *discovered, release func() error, err error) {
	return endpointsPool.Acquire(key, func() (*discovered, error) { return new(discovered), nil })
}

// Destruct implements caddy.Destructor.
func (*discovered) Destruct() error { return nil }

// find returns the address. All who need it wait for one lookup, which none of
// them ends by hanging up. It is looked up anew when it is time, and until that
// has succeeded the old one serves on: nobody waits for it.
func (e *discovered) find(ctx context.Context, n *Network, issuer string) (string, error) {
	address, fresh := e.known(time.Now())
	if fresh {
		return address, nil
	}
	looked := e.flights.DoChan("", func() (any, error) {
		if found, fresh := e.known(time.Now()); fresh {
			return found, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Duration(n.Timeout))
		defer cancel()
		found, err := lookUp(ctx, n.Client(), issuer)
		if err != nil && address != "" {
			n.log.Warn("finding the introspection endpoint fails: the known one serves on", zap.Error(err))
		}
		return e.keep(found, err)
	})
	if address != "" {
		return address, nil
	}
	select {
	case result := <-looked:
		found, _ := result.Val.(string)
		return found, result.Err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// known returns the address, empty without one, and whether it need not be
// looked up yet.
func (e *discovered) known(now time.Time) (address string, fresh bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.address, e.address != "" && now.Before(e.until)
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

func lookUp(ctx context.Context, client *http.Client, issuer string) (address string, err error) {
	defer func() { // it runs in a flight, where a panic would end the process
		if v := recover(); v != nil {
			err = fmt.Errorf("looking up the introspection endpoint panicked: %T", v)
		}
	}()
	document, err := discovery.Fetch(ctx, client, issuer)
	if err != nil {
		return "", err
	}
	return document.Endpoint("introspection_endpoint", "introspection { url … }")
}
