//go:build integration

package differential

import (
	"math/bits"
	"slices"
	"strings"
)

// Set is a set of rows of the table of differences, of those that one kind of
// decision can show: one bit each.
type Set uint16

// Has reports whether the row is in the set.
func (s Set) Has(row Set) bool { return s&row != 0 }

// Row is a row of the table of differences.
type Row struct {
	Bit  Set
	Name string

	// Compat: `compat ogx` switches it to upstream's way.
	Compat bool
}

// subsets returns all sets of the rows, the smaller ones first and those with
// an earlier row before others. The empty one is left out.
func subsets(rows []Row) []Set {
	var all Set
	for _, row := range rows {
		all |= row.Bit
	}
	var sets []Set
	for s := Set(1); s <= all; s++ {
		if s&^all == 0 {
			sets = append(sets, s)
		}
	}
	slices.SortStableFunc(sets, func(a, b Set) int {
		return bits.OnesCount16(uint16(a)) - bits.OnesCount16(uint16(b))
	})
	return sets
}

func names(rows []Row, s Set) string {
	var list []string
	for _, row := range rows {
		if s.Has(row.Bit) {
			list = append(list, row.Name)
		}
	}
	return strings.Join(list, " and ")
}
