package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const module = "github.com/caddy-stack-auth/caddy-stack-auth"

// binaries are the two Caddys that are compared.
type binaries struct {
	stock, ours string // paths
	caddy       string // Caddy's version
}

// build makes both binaries as xcaddy would: its tags, and no symbols. Only
// -trimpath is left out, for it would compile all of Caddy once more.
func build(ctx context.Context, dir string) (binaries, error) {
	b := binaries{stock: filepath.Join(dir, "stock"), ours: filepath.Join(dir, "caddy")}
	for target, pkg := range map[string]string{b.stock: module + "/bench/stock", b.ours: module + "/cmd/caddy"} {
		_, err := goCommand(ctx, "build", "-tags", "nobadger,nomysql,nopgx", "-ldflags", "-s -w", "-o", target, pkg)
		if err != nil {
			return b, fmt.Errorf("building %s: %w", pkg, err)
		}
	}
	version, err := goCommand(ctx, "list", "-m", "-f", "{{.Version}}", "github.com/caddyserver/caddy/v2")
	if err != nil {
		return b, fmt.Errorf("asking for the version of Caddy: %w", err)
	}
	b.caddy = strings.TrimSpace(version)
	return b, nil
}

func goCommand(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// binarySizes are in bytes.
type binarySizes struct {
	Stock int64 `json:"stock_bytes"`
	Ours  int64 `json:"with_module_bytes"`
}

func (b binaries) sizes() (binarySizes, error) {
	stock, err := os.Stat(b.stock)
	if err != nil {
		return binarySizes{}, err
	}
	ours, err := os.Stat(b.ours)
	if err != nil {
		return binarySizes{}, err
	}
	return binarySizes{Stock: stock.Size(), Ours: ours.Size()}, nil
}
