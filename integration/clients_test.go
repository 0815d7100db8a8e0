//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The clients are programs of their own, in clients/: each prints a line per
// step of its story, and each step is a sub-test here.
func TestOpenAIClientsWorkThroughTheGateway(t *testing.T) {
	g := startGateway(t, "ogx.Caddyfile", idp.issuer, ogx.url)
	env := []string{
		"BASE_URL=" + g.url + "/v1",
		"ALICE_TOKEN=" + idp.login(t, "stack-cli", "alice").Access,
		"BOB_TOKEN=" + idp.login(t, "stack-cli", "bob").Access,
		"PYTHONDONTWRITEBYTECODE=1",
	}
	for _, tc := range []struct {
		name    string
		command []string
		steps   int
	}{
		{"the Python client", []string{python, "clients/story.py"}, 12},
		{"a WebSocket on responses", []string{python, "clients/ws.py"}, 4},
		{"the JavaScript client", []string{"clients/node/run.sh", "chat.mjs"}, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), tc.command[0], tc.command[1:]...)
			cmd.Env = append(os.Environ(), env...)
			var out, errs bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errs
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s%s", err, &out, &errs)
			}
			steps := 0
			for line := range strings.Lines(out.String()) {
				var step struct{ Step, Failure string }
				if err := json.Unmarshal([]byte(line), &step); err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				steps++
				t.Run(step.Step, func(t *testing.T) {
					if step.Failure != "" {
						t.Error(step.Failure)
					}
				})
			}
			// a script that ends early has not passed
			if steps != tc.steps {
				t.Errorf("%d steps, want %d", steps, tc.steps)
			}
		})
	}
}
