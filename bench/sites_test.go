package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/standard"

	_ "github.com/caddy-stack-auth/caddy-stack-auth"
)

func testServices(t *testing.T) *services {
	t.Helper()
	s := &services{issuer: "http://127.0.0.1:9", upstream: "127.0.0.1:10", helper: "127.0.0.1:11"}
	var err error
	if s.keys, err = newKeyring(s.issuer); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAllTokensHaveTheSameSize(t *testing.T) {
	keys := testServices(t).keys
	for _, s := range []*signer{keys.rsa, keys.ecdsa, keys.ed25519} {
		tokens, err := s.tokens(3)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range tokens {
			if len(token) < tokenSize-4 || len(token) > tokenSize {
				t.Errorf("%s: got %d bytes, want %d", s.method.Alg(), len(token), tokenSize)
			}
		}
		if tokens[0] == tokens[1] {
			t.Errorf("%s: two tokens are the same", s.method.Alg())
		}
		if spoiled := spoil(tokens); spoiled[0] == tokens[0] || len(spoiled[0]) != len(tokens[0]) {
			t.Errorf("%s: not spoiled", s.method.Alg())
		}
	}
}

func TestTheCaddyfileOfTheBenchmarkAdapts(t *testing.T) {
	s := testServices(t)
	sites, err := s.sites(2)
	if err != nil {
		t.Fatal(err)
	}
	ports := make([]string, len(sites))
	for i := range ports {
		ports[i] = strconv.Itoa(1000 + i) // adapted, never listened on
	}
	_, _, err = caddyconfig.GetAdapter("caddyfile").Adapt([]byte(s.caddyfile("127.0.0.1:0", sites, ports)), nil)
	if err != nil {
		t.Fatal(err)
	}
}

// figures is a run with made-up numbers.
func figures() results {
	r := results{Caddy: "v2", Sets: 3, Cores: 2, Memory: memory{Tokens: 10}}
	for i, entry := range charted {
		r.Sites = append(r.Sites, siteResult{
			Name: entry.name, Label: entry.label, Goal: 2,
			Added: spread{Mean: float64(i), Min: float64(i) - 1, Max: float64(i) + 1}, HelperCPU: &spread{Mean: 30},
		})
	}
	return r
}

func TestAReportNamesEverySite(t *testing.T) {
	r := figures()
	var text strings.Builder
	if err := r.print(&text); err != nil {
		t.Fatal(err)
	}
	chart := r.svg()
	for _, site := range r.Sites {
		if !strings.Contains(text.String(), site.Label) || !strings.Contains(chart, site.Label) {
			t.Errorf("%s is missing", site.Label)
		}
	}
	for _, want := range []string{"2 met", "2 ±3", "whose own CPU is 30.0", "accepted"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, text.String())
		}
	}
}

func TestARejectedRunLeavesNoFiles(t *testing.T) {
	dir := t.TempDir()
	f := flags{json: filepath.Join(dir, "results.json"), svg: filepath.Join(dir, "chart.svg")}
	r := figures()
	r.Rejected = true
	if err := finish(io.Discard, r, f); err == nil {
		t.Error("a rejected run ended well")
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("files of a rejected run: %v, %v", files, err)
	}
	r.Rejected = false
	if err := finish(io.Discard, r, f); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(f.json)
	if err != nil {
		t.Fatal(err)
	}
	var back results
	if err := json.Unmarshal(text, &back); err != nil || len(back.Sites) != len(r.Sites) {
		t.Errorf("reading the results again: %d sites, %v", len(back.Sites), err)
	}
}
