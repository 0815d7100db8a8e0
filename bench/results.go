package main

import (
	"math"
	"time"
)

// maxControl is by how much the control, which is bare once more, may differ
// from bare; a run where it does not hold says nothing.
const maxControl = 3.0

// atPercentile: slices that something else disturbed are dearer, never
// cheaper, so the cheap end is the figure.
const atPercentile = 0.10

// results is what a run found, as it is written to JSON.
type results struct {
	Measured    time.Time    `json:"measured"`
	Go          string       `json:"go"`
	Caddy       string       `json:"caddy"`
	Arch        string       `json:"arch"`
	Cores       int          `json:"cores"`
	Sets        int          `json:"data_sets"`
	Slices      int          `json:"slices_per_site_and_set"`
	Connections int          `json:"connections"`
	Rejected    bool         `json:"rejected"`
	Control     spread       `json:"control_us"`
	Baseline    string       `json:"baseline"`
	Sites       []siteResult `json:"sites"`
	Memory      memory       `json:"memory"`
	Binary      binarySizes  `json:"binary"`
}

// siteResult has times in µs.
type siteResult struct {
	Name       string  `json:"name"`
	Label      string  `json:"label"`
	CPU        spread  `json:"cpu_us"`
	Added      spread  `json:"added_cpu_us"`
	Goal       float64 `json:"goal_us,omitempty"`
	HelperCPU  *spread `json:"helper_cpu_us,omitempty"`
	Throughput spread  `json:"throughput_ratio"`
	P50        float64 `json:"latency_p50_us"`
	P99        float64 `json:"latency_p99_us"`
	Requests   int     `json:"requests"`
}

// baseline says what added means; every report carries it.
const baseline = "bare reverse_proxy in the same Caddy process, sent a request of the same size: one 1 KiB token in Authorization, which it forwards"

// summarise compares each site with bare within each data set, and averages
// over the data sets.
func summarise(sites []site, sets []dataSet) []siteResult {
	bare := 0
	for i, site := range sites {
		if site.name == bareSite {
			bare = i
		}
	}
	out := make([]siteResult, len(sites))
	for i, site := range sites {
		cpu, added, ratio := make([]float64, 0, len(sets)), make([]float64, 0, len(sets)), make([]float64, 0, len(sets))
		var helper []float64
		var latencies []uint32
		requests := 0
		for _, set := range sets {
			own := percentile(set[i].cpu, atPercentile)
			cpu = append(cpu, own)
			added = append(added, own-percentile(set[bare].cpu, atPercentile))
			ratio = append(ratio, set[i].rate()/set[bare].rate())
			if site.helper {
				helper = append(helper, percentile(set[i].helper, atPercentile))
			}
			latencies = append(latencies, set[i].latencies...)
			requests += set[i].requests
		}
		out[i] = siteResult{
			Name: site.name, Label: site.label, Goal: site.goal,
			CPU: spreadOf(cpu), Added: spreadOf(added), Throughput: spreadOf(ratio),
			P50: float64(percentile(latencies, 0.50)) / 1000, P99: float64(percentile(latencies, 0.99)) / 1000,
			Requests: requests,
		}
		if site.helper {
			of := spreadOf(helper)
			out[i].HelperCPU = &of
		}
	}
	return out
}

// rate is requests a second.
func (s series) rate() float64 {
	return float64(s.requests) / s.busy.Seconds()
}

// control finds by how much the control differs from bare, and whether that
// is too much.
func control(sites []siteResult) (spread, bool) {
	for _, site := range sites {
		if site.Name == controlSite {
			return site.Added, math.Abs(site.Added.Mean) > maxControl
		}
	}
	return spread{}, true
}
