package ogximport

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var envLine = regexp.MustCompile(`^(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$`)

var errEnvLine = errors.New("expected NAME=value")

// ParseEnv reads a file of NAME=value lines, as `caddy run --envfile` does: blank
// lines and those with a # in front are passed over, and quotes around a value
// are taken off. Errors have the line and nothing of it, which may be a secret.
func ParseEnv(file string) (map[string]string, error) {
	env := map[string]string{}
	number := 0
	for line := range strings.Lines(file) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		m := envLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("line %d: %w", number, errEnvLine)
		}
		name, text := m[1], strings.TrimSpace(m[2])
		if n := len(text); n >= 2 && (text[0] == '"' || text[0] == '\'') && text[n-1] == text[0] {
			text = text[1 : n-1]
		}
		env[name] = text
	}
	return env, nil
}
