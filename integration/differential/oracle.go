//go:build integration

package differential

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed oracle.py
var program string

// oracle is a process that answers what OGX's own functions decide.
type oracle struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	answers *bufio.Reader
	errors  bytes.Buffer
}

// interpreter returns the Python that has OGX, and installs it if need be.
func interpreter(ctx context.Context, script string) (string, error) {
	script, err := filepath.Abs(script)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, script, "python")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s python: %w\n%s", script, err, &said)
	}
	return strings.TrimSpace(string(out)), nil
}

func startOracle(ctx context.Context, python string) (*oracle, error) {
	// -I: what is installed, whatever the folder and the environment hold.
	o := &oracle{cmd: exec.CommandContext(ctx, python, "-I", "-B", "-X", "utf8", "-c", program)}
	o.cmd.Stderr = &o.errors
	o.cmd.Env = append(os.Environ(), "HF_HUB_OFFLINE=1")
	var err error
	if o.stdin, err = o.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := o.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	o.answers = bufio.NewReaderSize(stdout, 1<<20)
	return o, o.cmd.Start()
}

// ask puts the cases to one of OGX's functions. There are as many answers.
func (o *oracle) ask(kind string, cases, answers any) error {
	question, err := json.Marshal(map[string]any{"kind": kind, "cases": cases})
	if err != nil {
		return err
	}
	if _, err := o.stdin.Write(append(question, '\n')); err != nil {
		return fmt.Errorf("asking OGX: %w", o.why(err))
	}
	line, err := o.answers.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("reading OGX's answer: %w", o.why(err))
	}
	return json.Unmarshal(line, answers)
}

// why adds what the process said before it ended.
func (o *oracle) why(err error) error {
	o.stdin.Close()
	return errors.Join(err, o.cmd.Wait(), errors.New(o.errors.String()))
}

func (o *oracle) stop() error {
	o.stdin.Close()
	return o.cmd.Wait()
}
