package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// plan is how much is measured.
type plan struct {
	sets        int // data sets, each with a Caddy process of its own
	slices      int // per site and data set
	connections int // per site
	minSlice    time.Duration
	maxSlice    time.Duration
	progress    func(string)
}

// series is what one site did in one data set.
type series struct {
	cpu       []float64 // µs a request, one value a slice
	helper    []float64 // the same of the helper's process
	requests  int
	busy      time.Duration
	latencies []uint32 // ns, of every request
}

// dataSet has a series for each site, in their order.
type dataSet []series

// measure runs all data sets.
func (p plan) measure(ctx context.Context, dir, binary string, s *services, sites []site) ([]dataSet, error) {
	sets := make([]dataSet, 0, p.sets)
	for number := range p.sets {
		p.progress(fmt.Sprintf("data set %d of %d", number+1, p.sets))
		set, err := p.measureSet(ctx, dir, binary, s, sites)
		if err != nil {
			return nil, fmt.Errorf("measuring data set %d: %w", number+1, err)
		}
		sets = append(sets, set)
	}
	return sets, nil
}

// measureSet starts a fresh process, so that what chance decides at a start
// (addresses, the state of the heap) is averaged too.
func (p plan) measureSet(ctx context.Context, dir, binary string, s *services, sites []site) (dataSet, error) {
	g, err := startGateway(ctx, dir, binary, s, sites)
	if err != nil {
		return nil, err
	}
	defer g.stop()
	clients := make([]*client, len(sites))
	for i, site := range sites {
		if clients[i], err = dial(ctx, g.addresses[i], p.connections, site); err != nil {
			return nil, err
		}
		defer clients[i].close()
		// Keys are fetched, connections to the stack are open, caches are
		// filled: what comes is the everyday.
		if err := clients[i].all(); err != nil {
			return nil, fmt.Errorf("warming up %s: %w; Caddy says:\n%s", site.name, err, g.lastWords())
		}
		if _, err := clients[i].run(p.maxSlice); err != nil {
			return nil, fmt.Errorf("warming up %s: %w", site.name, err)
		}
	}
	set := make(dataSet, len(sites))
	for range p.slices {
		// Each round has every site once, so that a slow second of the machine
		// does not hit one site only.
		for _, i := range rand.Perm(len(sites)) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := p.slice(g, s, sites[i], clients[i], &set[i]); err != nil {
				return nil, fmt.Errorf("measuring %s: %w", sites[i].name, err)
			}
		}
	}
	return set, nil
}

// slice measures one stretch of one site.
func (p plan) slice(g *gateway, s *services, site site, c *client, into *series) error {
	length := p.minSlice + rand.N(p.maxSlice-p.minSlice+1)
	helperBefore, err := cpuTime(s.helperPID)
	if err != nil {
		return err
	}
	before, err := g.cpu()
	if err != nil {
		return err
	}
	start := time.Now()
	done, err := c.run(length)
	if err != nil {
		return err
	}
	into.busy += time.Since(start)
	after, err := g.cpu()
	if err != nil {
		return err
	}
	helperAfter, err := cpuTime(s.helperPID)
	if err != nil {
		return err
	}
	perRequest := func(d time.Duration) float64 {
		return float64(d.Nanoseconds()) / 1000 / float64(done.requests)
	}
	into.cpu = append(into.cpu, perRequest(after-before))
	if site.helper {
		into.helper = append(into.helper, perRequest(helperAfter-helperBefore))
	}
	into.requests += done.requests
	into.latencies = append(into.latencies, done.latencies...)
	return nil
}
