package providers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Contract, ground rules: {env.X} and {file./absolute/path}, once, at load; any
// other placeholder is an error (case 117: an address that callers can write is
// a hole), and so is an empty secret (case 239).
func TestPlaceholdersAreExpandedOrErrors(t *testing.T) {
	t.Setenv("STACK_AUTH_SET", "value")
	t.Setenv("STACK_AUTH_EMPTY", "")
	t.Setenv("STACK_AUTH_BRACES", "{env.STACK_AUTH_SET}")
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file, blank := write("secret", "from file\n"), write("empty", "")
	for _, tc := range []struct{ value, want string }{
		{"", ""},
		{"plain", "plain"},
		{"}", "}"},
		{"{env.STACK_AUTH_SET}", "value"},
		{"https://{env.STACK_AUTH_SET}/{env.STACK_AUTH_SET}", "https://value/value"},
		{"{file." + file + "}", "from file"},
		{"{env.STACK_AUTH_BRACES}", "{env.STACK_AUTH_SET}"}, // once, and not what it gives
		{"{env.STACK_AUTH_EMPTY}", "!opt: {env.STACK_AUTH_EMPTY} is empty, not set, or cannot be read"},
		{"x{env.STACK_AUTH_EMPTY}", "!opt: {env.STACK_AUTH_EMPTY} is empty, not set, or cannot be read"},
		{"{env.STACK_AUTH_UNSET}", "!opt: {env.STACK_AUTH_UNSET} is empty, not set, or cannot be read"},
		{"{file." + blank + "}", "!opt: {file." + blank + "} is empty, not set, or cannot be read"},
		{"{file." + dir + "/missing}", "!opt: {file." + dir + "/missing} is empty, not set, or cannot be read"},
		{"{file." + dir + "}", "!opt: {file." + dir + "} is empty, not set, or cannot be read"},
		{"{file.relative}", "!opt: {file.relative}: expected an absolute path, as in {file./run/secrets/x}"},
		{"{file.}", "!opt: {file.}: expected an absolute path, as in {file./run/secrets/x}"},
		{"{env.}", "!opt: {env.}: expected {env.NAME} or {file./absolute/path}"},
		{"{http.request.host}", "!opt: {http.request.host}: expected {env.NAME} or {file./absolute/path}"},
		{"{http.request.header.X}", "!opt: {http.request.header.X}: expected {env.NAME} or {file./absolute/path}"},
		{"{system.hostname}", "!opt: {system.hostname}: expected {env.NAME} or {file./absolute/path}"},
		{"{$HOME}", "!opt: expected {env.NAME} or {file./absolute/path}"},
		{"{}", "!opt: expected {env.NAME} or {file./absolute/path}"},
		{"{env.A", "!opt: a { is not closed"},
		{"{env.STACK_AUTH_SET}{", "!opt: a { is not closed"},
	} {
		got, err := Expand("opt", tc.value)
		want, isError := strings.CutPrefix(tc.want, "!")
		if isError && (err == nil || err.Error() != want || got != "") || !isError && (err != nil || got != want) {
			t.Errorf("%q: %q, %v; want %q", tc.value, got, err, tc.want)
		}
	}
}
