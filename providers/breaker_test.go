package providers

import (
	"testing"
	"time"
)

// Each line is what happens to a breaker, in tenths of a second from the start:
// f fails, a is answered, r is answered with nothing of use, and ? wants to
// ask. The answers to the questions are y, yes, n, no, and p, as a probe.
func TestTheBreaker(t *testing.T) {
	type event struct {
		at    int
		what  byte
		asked int // when a failure's question was asked
	}
	at := func(tenths int) time.Time {
		return time.Unix(1000, 0).Add(time.Duration(tenths) * 100 * time.Millisecond)
	}
	fail := func(at int) event { return event{at, 'f', at} }
	for name, tc := range map[string]struct {
		events []event
		want   string
	}{
		"new":                  {[]event{{0, '?', 0}}, "y"},
		"four failures":        {[]event{fail(1), fail(1), fail(1), fail(1), {1, '?', 0}}, "y"},
		"five":                 {[]event{fail(1), fail(1), fail(1), fail(1), fail(1), {1, '?', 0}}, "n"},
		"an answer in between": {[]event{fail(1), fail(1), fail(1), fail(1), {2, 'a', 0}, fail(3), {3, '?', 0}}, "y"},
		"no use in between":    {[]event{fail(1), fail(1), fail(1), fail(1), {2, 'r', 0}, fail(3), {3, '?', 0}}, "n"},
		"probes": {
			[]event{fail(1), fail(1), fail(1), fail(1), fail(1), {10, '?', 0}, {11, '?', 0}, {11, '?', 0}, {20, '?', 0}, {21, '?', 0}},
			"npnnp",
		},
		"a probe that fails": {
			[]event{fail(1), fail(1), fail(1), fail(1), fail(1), {11, '?', 0}, fail(12), {12, '?', 0}, {21, '?', 0}}, "pnp",
		},
		"a probe that is answered": {
			[]event{fail(1), fail(1), fail(1), fail(1), fail(1), {11, '?', 0}, {12, 'a', 0}, {12, '?', 0}, {12, '?', 0}}, "pyy",
		},
		"a probe that is answered somehow": {
			[]event{fail(1), fail(1), fail(1), fail(1), fail(1), {11, '?', 0}, {12, 'r', 0}, {12, '?', 0}}, "py",
		},
		"failures start anew": {
			[]event{
				fail(1), fail(1), fail(1), fail(1), fail(1),
				{12, 'r', 0},
				fail(13), fail(13), fail(13), fail(13),
				{13, '?', 0},
				fail(14),
				{14, '?', 0},
			}, "yn",
		},
		"failures of before": {
			[]event{
				fail(1), fail(1), fail(1), fail(1), fail(1),
				{12, 'a', 0},
				{13, 'f', 11},
				{13, 'f', 11},
				{13, 'f', 11},
				{13, 'f', 11},
				{13, 'f', 11},
				{13, 'f', 11},
				{13, '?', 0},
			}, "y",
		},
		"a late answer": {[]event{fail(1), fail(1), fail(1), fail(1), fail(1), {2, 'a', 0}, {2, '?', 0}}, "y"},
	} {
		var b breaker
		got := ""
		for _, e := range tc.events {
			switch e.what {
			case 'f':
				b.fail(at(e.asked), at(e.at))
			case 'a':
				b.answer(at(e.at))
			case 'r':
				b.reach(at(e.at))
			case '?':
				shut := b.shut(at(e.at))
				allowed, probing := b.allow(at(e.at))
				if shut == allowed {
					t.Errorf("%s: shut is %t, and allowed too", name, shut)
				}
				switch {
				case probing:
					got += "p"
				case allowed:
					got += "y"
				default:
					got += "n"
				}
			}
		}
		if got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
