package main

import (
	"testing"
	"time"
)

func TestPercentileIsTheNearestRank(t *testing.T) {
	ten := []float64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}
	for name, test := range map[string]struct {
		samples []float64
		p       float64
		want    float64
	}{
		"lowest tenth":   {ten, 0.10, 1},
		"median":         {ten, 0.50, 5},
		"highest":        {ten, 1, 10},
		"below a rank":   {ten, 0, 1},
		"of one":         {[]float64{7}, 0.99, 7},
		"of none at all": {nil, 0.5, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := percentile(test.samples, test.p); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// steady is a series where every slice says the same.
func steady(us float64, requests int) series {
	return series{cpu: []float64{us, us, us}, requests: requests, busy: time.Second, latencies: []uint32{1000}}
}

func TestSitesAreComparedWithBareWithinEachDataSet(t *testing.T) {
	sites := []site{{name: controlSite}, {name: bareSite}, {name: "default", goal: 3}}
	// The machine is twice as slow in the second data set.
	sets := []dataSet{
		{steady(60, 1000), steady(60, 1000), steady(62, 900)},
		{steady(121, 500), steady(120, 500), steady(124, 450)},
	}
	out := summarise(sites, sets)
	if got, want := out[2].Added, (spread{Mean: 3, Min: 2, Max: 4}); got != want {
		t.Errorf("added: got %+v, want %+v", got, want)
	}
	if got := out[2].Throughput.Mean; got != 0.9 {
		t.Errorf("throughput: got %v, want 0.9", got)
	}
	of, rejected := control(out)
	if of.Mean != 0.5 || rejected {
		t.Errorf("control: got %+v, rejected %v; want 0.5, kept", of, rejected)
	}
}

func TestARunWhoseControlIsOffIsRejected(t *testing.T) {
	sites := []site{{name: bareSite}, {name: controlSite}}
	for name, test := range map[string]struct {
		control float64
		want    bool
	}{
		"the same": {60, false}, "three more": {63, false}, "more than that": {63.1, true}, "less than that": {56.9, true},
	} {
		t.Run(name, func(t *testing.T) {
			out := summarise(sites, []dataSet{{steady(60, 1), steady(test.control, 1)}})
			if _, got := control(out); got != test.want {
				t.Errorf("rejected: got %v, want %v", got, test.want)
			}
		})
	}
}
