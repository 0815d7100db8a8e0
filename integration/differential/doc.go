// Package differential holds the decisions of this module to those of the
// installed OGX: its own functions and ours are asked the same, about users,
// rules and requests that are drawn by chance from a seed.
//
// Where they differ, it has to be a row of the table of differences, and that is
// proved: a small interpreter of OGX's semantics, written from OGX's source, has
// a switch for each row. With all of them off it has to say what OGX says, with
// all of them on what we say, and a difference is named after the fewest
// switches that make it. A row that makes none is a failure, too.
//
// Its tests have the build tag integration, and need the OGX that
// integration/ogx/ogx.sh installs, and nothing that runs:
//
//	go test -tags integration -count=1 -v ./integration/differential
//	go test -tags integration -count=1 -v -run AsUpstream ./providers
//
//	DIFFERENTIAL_CASES   how many cases of each kind (default 100000)
//	DIFFERENTIAL_SEED    what they are drawn from (default 1)
//	DIFFERENTIAL_REPLAY  a case, as a failure prints it: nothing else is asked then
package differential
