package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// gateway is a Caddy in a process of its own, so that its CPU time and its
// memory are nobody else's.
type gateway struct {
	cmd       *exec.Cmd
	admin     string
	addresses []string // of the sites, in their order
	log       string   // file
}

// startGateway runs the binary with the sites and returns when it serves.
func startGateway(ctx context.Context, dir, binary string, s *services, sites []site) (*gateway, error) {
	ports, err := freePorts(ctx, len(sites)+1)
	if err != nil {
		return nil, err
	}
	g := &gateway{admin: "127.0.0.1:" + ports[len(sites)], log: filepath.Join(dir, "caddy.log")}
	for _, port := range ports[:len(sites)] {
		g.addresses = append(g.addresses, "127.0.0.1:"+port)
	}
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, []byte(s.caddyfile(g.admin, sites, ports)), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(g.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own copy
	g.cmd = exec.CommandContext(ctx, binary, "run", "--config", config, "--adapter", "caddyfile")
	// Nothing of it goes to the user's own Caddy folders.
	g.cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir, "HOME="+dir)
	g.cmd.Stdout, g.cmd.Stderr = log, log
	if err := g.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting Caddy: %w", err)
	}
	for _, address := range g.addresses {
		if err := g.await(ctx, address); err != nil {
			g.stop()
			return nil, err
		}
	}
	return g, nil
}

// await polls until the address accepts a connection.
func (g *gateway) await(ctx context.Context, address string) error {
	var dialer net.Dialer
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(end) {
			return fmt.Errorf("waiting for Caddy: %w; it says:\n%s", err, g.lastWords())
		}
	}
}

// lastWords is the end of the log, for errors.
func (g *gateway) lastWords() string {
	text, err := os.ReadFile(g.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

func (g *gateway) stop() {
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait() // it was killed: an error that says so is no news
}

func (g *gateway) cpu() (time.Duration, error) { return cpuTime(g.cmd.Process.Pid) }

// heap collects garbage in the gateway and returns what is left, in bytes.
func (g *gateway) heap(ctx context.Context) (int64, error) {
	var found int64
	for range 2 { // what the first round finalises the second frees
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.admin+"/debug/pprof/heap?gc=1&debug=1", nil)
		if err != nil {
			return 0, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, fmt.Errorf("asking for the heap: %w", err)
		}
		text, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return 0, fmt.Errorf("reading the heap: %w", err)
		}
		if found, err = numberAfter(string(text), "# HeapAlloc = "); err != nil {
			return 0, err
		}
	}
	return found, nil
}

// private is the memory that is the process's own, in bytes. The resident
// memory that top shows also counts pages of the binary, of which the kernel
// maps more or fewer depending on how the file lies in its cache: the same
// binary copied came out 11 MiB apart.
func (g *gateway) private() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the memory of Caddy: %w", err)
	}
	kib, err := numberAfter(string(text), "RssAnon:")
	return kib << 10, err
}

// numberAfter reads the number behind the label at the start of a line.
func numberAfter(text, label string) (int64, error) {
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), label); ok {
			fields := strings.Fields(rest)
			if len(fields) > 0 {
				return strconv.ParseInt(fields[0], 10, 64)
			}
		}
	}
	return 0, fmt.Errorf("looking for %q: not there", label)
}

// freePorts finds ports that are free now, and different.
func freePorts(ctx context.Context, n int) ([]string, error) {
	ports := make([]string, n)
	for i := range ports {
		listener, err := listen(ctx)
		if err != nil {
			return nil, err
		}
		defer listener.Close() // all of them at the end, or one would be given twice
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			return nil, err
		}
		ports[i] = port
	}
	return ports, nil
}
