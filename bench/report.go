package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
)

// print writes the tables.
func (r results) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\nCaddy %s, %s, %s, %d cores, loopback, HTTP/1.1, 1 KiB answers, %d connections, %d data sets of %d slices a site.\n",
		r.Caddy, r.Go, r.Arch, r.Cores, r.Connections, r.Sets, r.Slices)
	fmt.Fprintf(w, "Added CPU: per request, at the %.0fth percentile of the slices, over %s.\n\n", atPercentile*100, r.Baseline)
	fmt.Fprintln(table, "added CPU µs\t(least…most)\tgoal\tCPU µs\tthroughput\tp50 µs\tp99 µs\t\t  site")
	for _, site := range r.Sites {
		fmt.Fprintf(table, "%+.1f\t(%+.1f…%+.1f)\t%s\t%.1f\t%.2f\t%.0f\t%.0f\t\t  %s%s\n",
			site.Added.Mean, site.Added.Min, site.Added.Max, site.goalText(), site.CPU.Mean,
			site.Throughput.Mean, site.P50, site.P99, site.Label, site.helperText())
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("printing the table: %w", err)
	}
	m := r.Memory
	fmt.Fprintf(w, "\nPrivate memory: idle %.1f MiB, stock %.1f MiB, added %.1f MiB (goal 3); %.0f bytes of heap for each of %d cached tokens (goal 1536), %.1f MiB more for all.\n",
		mib(m.IdleOurs), mib(m.IdleStock), mib(m.IdleOurs-m.IdleStock), m.PerToken, m.Tokens, mib(m.ForTokens))
	fmt.Fprintf(w, "Binary: %.2f MB, stock %.2f MB, added %.2f MB (goal 1).\n",
		mb(r.Binary.Ours), mb(r.Binary.Stock), mb(r.Binary.Ours-r.Binary.Stock))
	verdict := "accepted"
	if r.Rejected {
		verdict = "REJECTED: these figures say nothing"
	}
	_, err := fmt.Fprintf(w, "Control: bare against itself %+.1f µs (%+.1f…%+.1f), at most ±%.0f: %s.\n",
		r.Control.Mean, r.Control.Min, r.Control.Max, maxControl, verdict)
	return err
}

func (s siteResult) goalText() string {
	if s.Goal == 0 {
		return "-"
	}
	// The method is steady to about as much as the control may be off.
	switch {
	case s.Added.Mean <= s.Goal:
		return fmt.Sprintf("%.0f met", s.Goal)
	case s.Added.Mean <= s.Goal+maxControl:
		return fmt.Sprintf("%.0f ±%.0f", s.Goal, maxControl)
	default:
		return fmt.Sprintf("%.0f MISSED", s.Goal)
	}
}

func (s siteResult) helperText() string {
	if s.HelperCPU == nil {
		return ""
	}
	return fmt.Sprintf(" (whose own CPU is %.1f µs more)", s.HelperCPU.Mean)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

func mb(n int64) float64 { return float64(n) / 1e6 }

func (r results) writeJSON(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the results: %w", err)
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
