// Package testpython asks the Python in which OGX is installed.
package testpython

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Python is a running script that answers each line of JSON with one.
type Python struct {
	in  io.Writer
	out *bufio.Reader
}

// Start runs the script until the test is over. root is the folder of the
// project, seen from the test's.
func Start(t *testing.T, root, script string) *Python {
	t.Helper()
	path, err := exec.CommandContext(t.Context(), filepath.Join(root, "integration", "ogx", "ogx.sh"), "python").Output() //nolint:gosec // a script of the project
	if err != nil {
		t.Fatalf("finding the interpreter of the installed OGX: %v", err)
	}
	// Not with the test's context, which is over when Cleanup waits for the end.
	cmd := exec.CommandContext(context.Background(), strings.TrimSpace(string(path)), script) //nolint:gosec // the same
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Error(err)
		}
	})
	return &Python{in, bufio.NewReaderSize(out, 1<<20)}
}

// Ask puts a question, and reads the answer into what is given for it.
func (p *Python) Ask(t *testing.T, question, answer any) {
	t.Helper()
	raw, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write(append(raw, '\n')); err != nil {
		t.Fatal(err)
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, answer); err != nil {
		t.Fatal(err)
	}
}
