//go:build integration

package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// gateway is a Caddy process with the module.
type gateway struct {
	url     string // no path
	logFile string
}

// caddyBinary is built once, unless the environment names one.
var caddyBinary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("STACK_AUTH_CADDY"); path != "" {
		return path, nil
	}
	path := filepath.Join(partsDir, "caddy")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", path, "../cmd/caddy")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building cmd/caddy: %w\n%s", err, out)
	}
	return path, nil
})

// startGateway runs Caddy with a Caddyfile of testdata until the test ends.
// Then it looks whether a token got into its log.
func startGateway(t *testing.T, caddyfile, issuer, stackURL string) *gateway {
	t.Helper()
	binary, err := caddyBinary()
	if err != nil {
		t.Fatal(err)
	}
	port, err := freePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	g := &gateway{
		url:     fmt.Sprintf("http://127.0.0.1:%d", port),
		logFile: filepath.Join(home, "log"),
	}
	logFile, err := os.Create(g.logFile)
	if err != nil {
		t.Fatal(err)
	}
	defer logFile.Close()
	cmd := exec.CommandContext(context.Background(), binary, "run", "--config", filepath.Join("testdata", caddyfile), "--adapter", "caddyfile")
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.Env = append(os.Environ(),
		"GATEWAY_PORT="+strconv.Itoa(port), "OIDC_ISSUER="+issuer, "STACK_URL="+stackURL,
		"XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home,
	)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		// an error means that it has ended by itself, which is seen below
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the gateway ended badly: %v", err)
			}
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			t.Error("the gateway did not end within 20 s")
		}
		g.checkLog(t)
	})

	address := strings.TrimPrefix(g.url, "http://")
	within(t, 20*time.Second, "the gateway listens", func() bool {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the gateway ended at once: %v", err)
		default:
		}
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return g
}

// within polls until a condition holds, and gives how long that took.
func within(t *testing.T, limit time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !holds() {
		if time.Since(begin) > limit {
			t.Fatalf("%s: not within %v", what, limit)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(begin)
}

func (g *gateway) log(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(g.logFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(raw)
}

// checkLog fails the test if a token that Keycloak ever issued to a test is
// in the log, and shows what the gateway said if the test failed.
func (g *gateway) checkLog(t *testing.T) {
	t.Helper()
	log := g.log(t)
	issued.Lock()
	defer issued.Unlock()
	for _, token := range issued.tokens {
		// the signature is enough to know it by, and what a redacted one lacks
		signature := token[strings.LastIndexByte(token, '.')+1:]
		if strings.Contains(log, signature) {
			t.Error("a token is in the gateway's log")
			log = strings.ReplaceAll(log, token, "<token>")
		}
	}
	if t.Failed() {
		var lines []string
		for line := range strings.Lines(log) {
			if !strings.Contains(line, `"level":"debug"`) {
				lines = append(lines, line)
			}
		}
		t.Logf("end of the gateway's log:\n%s", strings.Join(lines[max(0, len(lines)-15):], ""))
	}
}
