// Package examples holds Caddyfiles; its tests hold them to what they
// promise.
package examples

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile" // the Caddyfile adapter
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/standard"
	_ "github.com/caddyserver/caddy/v2/modules/filestorage"
	_ "github.com/caddyserver/caddy/v2/modules/logging"

	_ "github.com/caddy-stack-auth/caddy-stack-auth"
)

func exampleFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 8 {
		t.Fatalf("examples: got %q, want all of them", files)
	}
	return files
}

// adapt turns an example into what Caddy loads, without a single warning:
// one of them is that the file is not formatted.
func adapt(t *testing.T, file string) *caddy.Config {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": file})
	if err != nil {
		t.Fatalf("adapting: %v", err)
	}
	for _, warning := range warnings {
		t.Errorf("adapting: %s", warning)
	}
	var config *caddy.Config
	if err := caddy.StrictUnmarshalJSON(raw, &config); err != nil {
		t.Fatalf("reading the adapted config: %v", err)
	}
	return config
}

func validate(t *testing.T, config *caddy.Config) {
	t.Helper()
	// Beside other Caddys, and without a trace in the user's own folder.
	config.Admin = &caddy.AdminConfig{Disabled: true}
	storage, err := json.Marshal(map[string]string{"module": "file_system", "root": t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	config.StorageRaw = storage
	if err := caddy.Validate(config); err != nil {
		t.Errorf("validating: %v", err)
	}
}

func TestEveryExampleLoadsWithNothingElseRunning(t *testing.T) {
	for _, file := range exampleFiles(t) {
		t.Run(file, func(t *testing.T) {
			validate(t, adapt(t, file))
		})
	}
}

func TestExamplesLoadWithTheEnvironmentTheirCommentsName(t *testing.T) {
	for name, value := range map[string]string{
		"GATEWAY_ADDRESS":    "ai.example.com",
		"GATEWAY_BIND":       "0.0.0.0 ::",
		"STACK_URL":          "http://10.0.0.7:8321",
		"OIDC_ISSUER":        "https://id.example.com/realms/stack",
		"OIDC_AUDIENCE":      "other-api",
		"STAFF_ISSUER":       "https://id.example.com/realms/staff",
		"MACHINES_ISSUER":    "https://machines.example.com",
		"ALLOWED_NAMESPACES": "one",
	} {
		t.Setenv(name, value)
	}
	for _, file := range exampleFiles(t) {
		t.Run(file, func(t *testing.T) {
			validate(t, adapt(t, file))
		})
	}
}

// address finds what a reader would have to change on another machine:
// everything with a port or a scheme.
var address = regexp.MustCompile(`https?://\S+|\S*:\d{2,5}\b\S*`)

func TestEveryAddressOfAnExampleComesFromTheEnvironment(t *testing.T) {
	for _, file := range exampleFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for number, line := range strings.Split(string(text), "\n") {
			code, _, _ := strings.Cut(" "+line, " #")
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			for _, found := range address.FindAllString(code, -1) {
				if !strings.Contains(code, "{$") {
					t.Errorf("%s:%d: %s is not a default of an environment variable", file, number+1, found)
				}
			}
		}
	}
}
