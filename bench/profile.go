package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"time"
)

// profileSeconds is how long a site is kept busy for a profile.
const profileSeconds = 10

// profile writes a CPU profile of the gateway while one site is busy:
//
//	go run ./bench -profile refused && go tool pprof -top refused.pprof
func profile(ctx context.Context, dir string, b binaries, s *services, sites []site, name string) error {
	at := slices.IndexFunc(sites, func(site site) bool { return site.name == name })
	if at < 0 {
		return fmt.Errorf("looking for the site to profile: got %q, expected one of those in the JSON results", name)
	}
	g, err := startGateway(ctx, dir, b.ours, s, sites[at:at+1])
	if err != nil {
		return err
	}
	defer g.stop()
	c, err := dial(ctx, g.addresses[0], connections, sites[at])
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.all(); err != nil {
		return fmt.Errorf("warming up %s: %w; Caddy says:\n%s", name, err, g.lastWords())
	}
	busy := make(chan error, 1)
	go func() {
		_, err := c.run((profileSeconds + 1) * time.Second)
		busy <- err
	}()
	err = g.fetch(ctx, fmt.Sprintf("/debug/pprof/profile?seconds=%d", profileSeconds), name+".pprof")
	return errors.Join(err, <-busy)
}

// fetch saves what the admin endpoint answers.
func (g *gateway) fetch(ctx context.Context, path, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.admin+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("fetching %s: %w", path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("fetching %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("fetching %s: expected status 200, got %s", path, resp.Status)
	}
	return os.WriteFile(file, text, 0o644)
}
