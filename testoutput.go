package stackauth

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// testReport writes how cases end, as `go test` does, or as `go tool test2json`.
type testReport struct {
	out     io.Writer
	json    bool
	verbose bool
	err     error // of the first write that failed
}

// testEvent is a line of the output in JSON.
type testEvent struct {
	Action  string  `json:"Action"`
	File    string  `json:"File"`
	Test    string  `json:"Test,omitempty"`
	Line    int     `json:"Line,omitempty"`
	Output  string  `json:"Output,omitempty"`
	Elapsed float64 `json:"Elapsed,omitempty"`
}

func newTestReport(out io.Writer, inJSON, verbose bool) *testReport {
	return &testReport{out: out, json: inJSON, verbose: verbose}
}

func (t *testReport) event(e testEvent) {
	if t.err == nil {
		enc := json.NewEncoder(t.out)
		enc.SetEscapeHTML(false)
		t.err = enc.Encode(e)
	}
}

func (t *testReport) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.out, format, args...)
	}
}

func (t *testReport) begin(file string, c *testCase) {
	switch {
	case t.json:
		t.event(testEvent{Action: "run", File: file, Test: c.name, Line: c.line})
	case t.verbose:
		t.printf("=== RUN   %s\n", c.name)
	}
}

func (t *testReport) end(file string, c *testCase, differences []string, elapsed time.Duration) {
	failed := len(differences) > 0
	if t.json {
		for _, line := range differences {
			t.event(testEvent{Action: "output", File: file, Test: c.name, Line: c.line, Output: line + "\n"})
		}
		t.event(testEvent{Action: ended(failed), File: file, Test: c.name, Line: c.line, Elapsed: elapsed.Seconds()})
		return
	}
	switch {
	case failed:
		t.printf("--- FAIL: %s (%s:%d)\n", c.name, plain(file), c.line)
		for _, line := range differences {
			t.printf("    %s\n", line)
		}
	case t.verbose:
		t.printf("--- PASS: %s (%.2fs)\n", c.name, elapsed.Seconds())
	}
}

func (t *testReport) file(file string, ran, differ int, elapsed time.Duration) {
	switch {
	case t.json:
		t.event(testEvent{Action: ended(differ > 0), File: file, Elapsed: elapsed.Seconds()})
	case ran == 0:
		t.printf("ok  \t%s\t[no cases to run]\n", plain(file))
	case differ > 0:
		t.printf("FAIL\t%s\t%d of %d cases\t%.3fs\n", plain(file), differ, ran, elapsed.Seconds())
	default:
		t.printf("ok  \t%s\t%s\t%.3fs\n", plain(file), counted(ran), elapsed.Seconds())
	}
}

// unusable reports a file that could not be run to its end.
func (t *testReport) unusable(file string, err error) {
	if t.json {
		t.event(testEvent{Action: "error", File: file, Output: plain(err.Error()) + "\n"})
		return
	}
	t.printf("FAIL\t%s\t[broken]\n", plain(file))
}

func ended(failed bool) string {
	if failed {
		return "fail"
	}
	return "pass"
}

func counted(n int) string {
	if n == 1 {
		return "1 case"
	}
	return fmt.Sprintf("%d cases", n)
}
