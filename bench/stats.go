package main

import (
	"cmp"
	"math"
	"slices"
)

// number is what samples are made of.
type number interface{ ~uint32 | ~float64 }

// percentile is the value that a share p (0 to 1) of the samples does not
// exceed, by the nearest rank. It sorts the samples.
func percentile[T number](samples []T, p float64) T {
	if len(samples) == 0 {
		return 0
	}
	slices.SortFunc(samples, cmp.Compare)
	rank := int(math.Ceil(p * float64(len(samples))))
	return samples[min(max(rank-1, 0), len(samples)-1)]
}

// spread is a mean with its extremes, over the data sets.
type spread struct {
	Mean float64 `json:"mean"`
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sum := 0.0
	for _, value := range values {
		sum += value
	}
	return spread{Mean: sum / float64(len(values)), Min: slices.Min(values), Max: slices.Max(values)}
}
