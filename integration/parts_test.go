//go:build integration

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// script runs one of the start scripts and gives what it prints on stdout.
// What it says on stderr is only of interest when it fails.
func script(ctx context.Context, env []string, path string, args ...string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, abs, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", path, strings.Join(args, " "), err, &out, &errs)
	}
	return strings.TrimSpace(out.String()), nil
}

// freePort asks the kernel for a port. It is free again when this returns;
// nobody else on the loopback of a test machine is in a hurry to take it.
func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// part is a server that a script starts and stops.
type part struct {
	script string
	env    []string
	url    string // what `start` printed
}

// newPart picks port and folder; prefix is that of the script's settings.
func newPart(ctx context.Context, path, prefix, name, dir string, env ...string) (*part, int, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, 0, err
	}
	return &part{script: path, env: append(env,
		prefix+"_PORT="+strconv.Itoa(port),
		prefix+"_DIR="+filepath.Join(dir, name),
	)}, port, nil
}

func (p *part) start(ctx context.Context) (err error) {
	p.url, err = script(ctx, p.env, p.script, "start")
	return err
}

func (p *part) stop(ctx context.Context) error {
	_, err := script(ctx, p.env, p.script, "stop")
	return err
}

// server is a part, or what has one and does more.
type server interface {
	start(ctx context.Context) error
	stop(ctx context.Context) error
}

// ask is a request to a part itself, without a gateway.
func ask(ctx context.Context, c *http.Client, method, url string, header http.Header, body string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if header != nil {
		req.Header = header
	}
	resp, err := c.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(got)}, err
}

func (a answer) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("decoding the answer %d %s: %v", a.status, a.body, err)
	}
}

// remember notes a token for the check that none is in a log.
func remember(token string) {
	issued.Lock()
	defer issued.Unlock()
	issued.tokens = append(issued.tokens, token)
}
