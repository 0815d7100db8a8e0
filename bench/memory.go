package main

import (
	"context"
	"fmt"
)

// idleStarts is how many processes of each kind are asked for their memory:
// that of a single start is a matter of luck by half a MiB.
const idleStarts = 5

// memory is in bytes.
type memory struct {
	IdleStock int64   `json:"idle_private_stock_bytes"`
	IdleOurs  int64   `json:"idle_private_with_module_bytes"`
	Tokens    int     `json:"tokens"`
	PerToken  float64 `json:"heap_per_cached_token_bytes"`
	ForTokens int64   `json:"private_for_tokens_bytes"`
}

// measureMemory compares a stock Caddy with bare reverse_proxy to one with
// the module and a site that uses it, and fills the cache of the latter.
func measureMemory(ctx context.Context, dir string, b binaries, s *services, sites []site) (memory, error) {
	find := func(name string) site {
		for _, site := range sites {
			if site.name == name {
				return site
			}
		}
		panic("no site " + name)
	}
	many := find("many")
	m := memory{Tokens: len(many.tokens)}
	var err error
	if m.IdleStock, err = idle(ctx, dir, b.stock, s, find(bareSite)); err != nil {
		return m, err
	}
	if m.IdleOurs, err = idle(ctx, dir, b.ours, s, find("default")); err != nil {
		return m, err
	}

	g, err := startGateway(ctx, dir, b.ours, s, []site{many})
	if err != nil {
		return m, err
	}
	defer g.stop()
	// The first tokens open the connections and fetch the keys; the rest
	// only fills the cache.
	const first = 8
	warm := many
	warm.tokens = many.tokens[:first]
	if err := visit(ctx, g, warm); err != nil {
		return m, err
	}
	heapBefore, privateBefore, err := g.memory(ctx)
	if err != nil {
		return m, err
	}
	if err := visit(ctx, g, many); err != nil {
		return m, err
	}
	heapAfter, privateAfter, err := g.memory(ctx)
	if err != nil {
		return m, err
	}
	m.PerToken = float64(heapAfter-heapBefore) / float64(max(len(many.tokens)-first, 1))
	m.ForTokens = privateAfter - privateBefore
	return m, nil
}

// idle is the median private memory of several starts, each after one
// answered request and a garbage collection.
func idle(ctx context.Context, dir, binary string, s *services, one site) (int64, error) {
	once := func() (int64, error) {
		g, err := startGateway(ctx, dir, binary, s, []site{one})
		if err != nil {
			return 0, err
		}
		defer g.stop()
		if err := visit(ctx, g, one); err != nil {
			return 0, err
		}
		_, private, err := g.memory(ctx)
		return private, err
	}
	var all []float64
	for range idleStarts {
		private, err := once()
		if err != nil {
			return 0, err
		}
		all = append(all, float64(private))
	}
	return int64(percentile(all, 0.5)), nil
}

// visit presents each of the site's tokens once, on one connection that is
// closed again.
func visit(ctx context.Context, g *gateway, site site) error {
	c, err := dial(ctx, g.addresses[0], 1, site)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.all(); err != nil {
		return fmt.Errorf("visiting %s: %w; Caddy says:\n%s", site.name, err, g.lastWords())
	}
	return nil
}

// memory is the heap after a garbage collection, and the private memory.
func (g *gateway) memory(ctx context.Context) (heap, private int64, err error) {
	if heap, err = g.heap(ctx); err != nil {
		return 0, 0, err
	}
	private, err = g.private()
	return heap, private, err
}
