package stackauth_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

var update = flag.Bool("update", false, "write what comes out into testdata/adapt")

const fixtureLine = "\n----------\n"

// Each file in testdata/adapt is a Caddyfile, a line of ten dashes, and the
// JSON that it becomes, or the error.
func TestCaddyfilesBecomeTheJSONOfTheirFixtures(t *testing.T) {
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			config, want, found := strings.Cut(string(content), fixtureLine)
			if !found && !*update {
				t.Fatal("no line of ten dashes")
			}
			got := outcome(t, config)
			if *update {
				if err := os.WriteFile(file, []byte(config+fixtureLine+got+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := strings.TrimSpace(want); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// outcome returns what a fixture ends with: indented JSON, or the error.
func outcome(t *testing.T, config string) string {
	t.Helper()
	// The error of a file that cannot be adapted has its name and line.
	raw, err := adapt(config)
	if err != nil {
		return err.Error()
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, raw, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return pretty.String()
}

// A fixture that becomes JSON has to be a configuration that loads, and one
// that is an error has to say where.
func TestFixturesLoadOrSayWhereTheyAreWrong(t *testing.T) {
	files, _ := filepath.Glob("testdata/adapt/*.caddyfiletest")
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".caddyfiletest")
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		config, want, _ := strings.Cut(string(content), fixtureLine)
		t.Run(name, func(t *testing.T) {
			isError := strings.HasPrefix(name, "error_")
			raw, err := adapt(config)
			if isError != (err != nil) {
				t.Fatalf("adapting: %v", err)
			}
			if isError {
				if !strings.Contains(want, "Caddyfile:") {
					t.Errorf("error without file and line: %s", want)
				}
				return
			}
			if strings.HasPrefix(name, "load_") { // needs files or variables
				return
			}
			var cfg caddy.Config
			if err := json.Unmarshal(raw, &cfg); err != nil {
				t.Fatal(err)
			}
			cfg.Admin = &caddy.AdminConfig{Disabled: true}
			if err := caddy.Validate(&cfg); err != nil {
				t.Errorf("validating: %v", err)
			}
		})
	}
}
