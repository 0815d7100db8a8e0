// Command bench measures what authentication adds to a proxied request, as
// CPU time of the Caddy process. It runs on Linux only.
//
//	go run ./bench
//	go run ./bench -quick
//	go run ./bench -json results.json -svg docs/assets/overhead.svg
//
// All variants are sites of one Caddy. A load generator switches between
// them in shuffled slices of 80 to 100 ms and reads Caddy's CPU clock around
// each. A machine that others share changes its speed from second to second:
// throughput and latency follow it, CPU time per request at a low percentile
// does not. A second bare site is the control: it must come out as the first
// one does, or the run is rejected and done once more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"time"
)

// connections is how many of them keep a site busy.
const connections = 8

// errRejected ends a run whose control was off twice.
var errRejected = errors.New("rejecting the run: the control is not what bare is; is the machine busy?")

type flags struct {
	quick  bool
	helper bool
	json   string
	svg    string
	sets   int
	slices int
	tokens int

	profile string
}

func main() {
	var f flags
	flag.BoolVar(&f.quick, "quick", false, "a tenth of the slices: for trying it out, the spread is large")
	flag.StringVar(&f.json, "json", "", "write the results to this `file`")
	flag.StringVar(&f.svg, "svg", "", "draw the results into this `file`")
	flag.IntVar(&f.sets, "sets", 3, "data sets")
	flag.IntVar(&f.slices, "slices", 80, "slices per site and data set")
	flag.IntVar(&f.tokens, "tokens", 10_000, "tokens of the site with many")
	flag.StringVar(&f.profile, "profile", "", "measure nothing, write a CPU profile of this `site` into <site>.pprof")
	flag.BoolVar(&f.helper, "helper", false, "be the service that forward_auth asks (the benchmark starts it)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	work := run
	if f.helper {
		work = func(ctx context.Context, _ flags) error { return runHelper(ctx) }
	}
	if err := work(ctx, f); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, f flags) error {
	if _, err := cpuTime(os.Getpid()); err != nil {
		return err // before minutes of building
	}
	if f.quick {
		f.slices = min(f.slices, 10)
	}
	began := time.Now()
	progress := func(what string) {
		fmt.Fprintf(os.Stderr, "%4.0fs  %s\n", time.Since(began).Seconds(), what)
	}
	dir, err := os.MkdirTemp("", "stack-auth-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	progress("building two Caddys")
	bins, err := build(ctx, dir)
	if err != nil {
		return err
	}
	progress(fmt.Sprintf("signing %d tokens", f.tokens))
	services, err := startServices(ctx)
	if err != nil {
		return err
	}
	defer services.stop()
	sites, err := services.sites(f.tokens)
	if err != nil {
		return err
	}
	if f.profile != "" {
		progress("profiling " + f.profile)
		return profile(ctx, dir, bins, services, sites, f.profile)
	}
	progress("measuring memory")
	r := results{
		Measured: time.Now().UTC().Truncate(time.Second),
		Go:       runtime.Version(), Caddy: bins.caddy, Arch: runtime.GOARCH, Cores: runtime.NumCPU(),
		Sets: f.sets, Slices: f.slices, Connections: connections, Baseline: baseline,
	}
	if r.Binary, err = bins.sizes(); err != nil {
		return err
	}
	if r.Memory, err = measureMemory(ctx, dir, bins, services, sites); err != nil {
		return err
	}
	p := plan{
		sets: f.sets, slices: f.slices, connections: connections,
		minSlice: 80 * time.Millisecond, maxSlice: 100 * time.Millisecond,
		progress: progress,
	}
	for attempt := range 2 {
		if attempt > 0 {
			progress(fmt.Sprintf("the control is off by %+.1f µs: once more", r.Control.Mean))
		}
		sets, err := p.measure(ctx, dir, bins.ours, services, sites)
		if err != nil {
			return err
		}
		r.Sites = summarise(sites, sets)
		if r.Control, r.Rejected = control(r.Sites); !r.Rejected {
			break
		}
	}
	progress("done")
	return finish(os.Stdout, r, f)
}

// finish writes what was found; a rejected run is printed and leaves no
// files, so that nobody publishes it.
func finish(w io.Writer, r results, f flags) error {
	if err := r.print(w); err != nil {
		return err
	}
	if r.Rejected {
		return errRejected
	}
	if f.json != "" {
		if err := r.writeJSON(f.json); err != nil {
			return err
		}
	}
	if f.svg != "" {
		return r.writeSVG(f.svg)
	}
	return nil
}
