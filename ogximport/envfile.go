package ogximport

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var envLine = regexp.MustCompile(`^(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$`)

var (
	errEnvLine  = errors.New("expected NAME=value")
	errEnvValue = errors.New("expected quotes around all of a value with a # or a quote in it, which programs read in two ways")
)

// ParseEnv reads a file of NAME=value lines, as `caddy run --envfile` does: blank
// lines and those with a # in front are passed over, and quotes around a value
// are taken off. What another program would read otherwise is an error. Errors
// have the line and nothing of it, which may be a secret.
func ParseEnv(file string) (map[string]string, error) {
	env := map[string]string{}
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(file, "\ufeff")) {
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
		text, err := unquoted(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		env[name] = text
	}
	return env, nil
}

// unquoted takes the quotes off a value. What one program takes for a comment,
// and another for a part of the value, is an error.
func unquoted(text string) (string, error) {
	quote := ""
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		quote = text[:1]
		if len(text) < 2 || !strings.HasSuffix(text, quote) {
			return "", errEnvValue
		}
		text = text[1 : len(text)-1]
	}
	if quote == "" && strings.Contains(text, "#") || quote != "" && strings.Contains(text, quote) {
		return "", errEnvValue
	}
	return text, nil
}
