package providers

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// Expand replaces the placeholders of a configured value, once, when the
// configuration is loaded: {env.X} and {file./absolute/path}. Any other
// placeholder is an error, for there is no request to take it from (and an
// address that a caller can write is a hole); so is one that gives nothing.
// The error names the option and never the value.
func Expand(option, value string) (string, error) {
	if err := CheckPlaceholders(option, value); err != nil {
		return "", err
	}
	if !HasPlaceholder(value) {
		return value, nil
	}
	repl := caddy.NewReplacer()
	expanded, err := repl.ReplaceFunc(value, func(key string, v any) (any, error) {
		// Caddy gives nothing, and no error, for a file that it cannot read.
		if s := caddy.ToString(v); s != "" {
			return s, nil
		}
		return nil, fmt.Errorf("%s: {%s} is empty, not set, or cannot be read", option, key)
	})
	if err != nil {
		return "", err
	}
	return expanded, nil
}

// HasPlaceholder reports whether the value has something to expand.
func HasPlaceholder(value string) bool { return strings.Contains(value, "{") }

// CheckPlaceholders returns an error if the value has a placeholder that
// Expand does not know.
func CheckPlaceholders(option, value string) error {
	for rest := value; ; {
		_, after, found := strings.Cut(rest, "{")
		if !found {
			return nil
		}
		key, tail, closed := strings.Cut(after, "}")
		path, isFile := strings.CutPrefix(key, "file.")
		name, isEnv := strings.CutPrefix(key, "env.")
		switch {
		case !closed:
			return fmt.Errorf("%s: a { is not closed", option)
		case isFile && !filepath.IsAbs(path):
			return fmt.Errorf("%s: {%s}: expected an absolute path, as in {file./run/secrets/x}", option, key)
		case !isFile && (!isEnv || name == ""):
			return fmt.Errorf("%s%s: expected {env.NAME} or {file./absolute/path}", option, shownPlaceholder(key))
		}
		rest = tail
	}
}

// shownPlaceholder names one of Caddy's placeholders for an error. Anything else
// between braces may be a part of a secret that has them.
func shownPlaceholder(key string) string {
	for _, prefix := range []string{"http.", "header.", "query.", "cookie.", "vars.", "env.", "system.", "time.", "tls."} {
		if strings.HasPrefix(key, prefix) {
			return ": {" + key + "}"
		}
	}
	return ""
}
