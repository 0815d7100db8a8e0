package stackauth_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() {
	caddy.RegisterModule(new(memoryWriter))
}

// logs are what Caddy has logged, at every level, since the last gateway was
// started. audit is a second log, for tests of what belongs in which.
var logs, audit = new(memoryLog), new(memoryLog)

// memoryLog is a log in memory.
type memoryLog struct {
	mu      sync.Mutex
	buffer  bytes.Buffer
	secrets map[string]struct{}
}

func (l *memoryLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(b)
}

func (*memoryLog) Close() error { return nil }

func (l *memoryLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buffer.Reset()
	l.secrets = make(map[string]struct{})
}

func (l *memoryLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// warnings returns the lines from which a failed test may be understood.
func (l *memoryLog) warnings() string {
	var kept strings.Builder
	for line := range strings.Lines(l.text()) {
		if !strings.Contains(line, `"level":"info"`) && kept.Len() < 1<<13 {
			kept.WriteString(line[:min(len(line), 500)])
			kept.WriteString("\n")
		}
	}
	return kept.String()
}

// logLine is a line of the log.
type logLine map[string]any

func (l logLine) text(key string) string {
	s, _ := l[key].(string)
	return s
}

// lines returns the lines of the logger with the given name, or below it.
func (l *memoryLog) lines(t testing.TB, logger string) []logLine {
	t.Helper()
	var lines []logLine
	for text := range strings.Lines(l.text()) {
		var line logLine
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("log line is not JSON: %s", text)
		}
		if name := line.text("logger"); name == logger || strings.HasPrefix(name, logger+".") {
			lines = append(lines, line)
		}
	}
	return lines
}

// refusals returns the lines about refusals.
func refusals(t testing.TB) []logLine {
	t.Helper()
	var lines []logLine
	for _, line := range logs.lines(t, "http.handlers.stack_auth") {
		if line.text("msg") == "request refused" {
			lines = append(lines, line)
		}
	}
	return lines
}

// keepSecret remembers a credential that the test has sent.
func keepSecret(header, value string) {
	if !strings.EqualFold(header, "Authorization") {
		return
	}
	fields := strings.Fields(value)
	if len(fields) == 0 {
		return
	}
	secret := fields[len(fields)-1]
	if len(secret) < 16 {
		return
	}
	logs.mu.Lock()
	defer logs.mu.Unlock()
	logs.secrets[secret] = struct{}{}
}

// noSecretsInLogs fails the test if a token that it sent was logged, at any
// level, by whomever, whole or in part: header, payload, or signature.
func noSecretsInLogs(t testing.TB) {
	t.Helper()
	text := logs.text()
	for secret := range logs.secrets {
		for part := range strings.SplitSeq(secret, ".") {
			if len(part) >= 32 && strings.Contains(text, part) {
				t.Errorf("a token is in the logs: %s…", part[:8])
			}
		}
	}
}

// memoryWriter is the log output `stack_auth_test [audit]`.
type memoryWriter struct {
	Audit bool `json:"audit,omitempty"`
}

func (*memoryWriter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.logging.writers.stack_auth_test",
		New: func() caddy.Module { return new(memoryWriter) },
	}
}

func (w *memoryWriter) String() string { return w.WriterKey() }

func (w *memoryWriter) WriterKey() string {
	if w.Audit {
		return "stack_auth_test:audit"
	}
	return "stack_auth_test"
}

func (w *memoryWriter) OpenWriter() (io.WriteCloser, error) {
	if w.Audit {
		return audit, nil
	}
	return logs, nil
}

func (w *memoryWriter) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	w.Audit = d.NextArg()
	return nil
}
