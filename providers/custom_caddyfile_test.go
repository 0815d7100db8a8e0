package providers

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func loadCustomJSON(t testing.TB, config string) *Custom {
	t.Helper()
	v, err := newContext(t, zap.NewNop()).LoadModuleByID(Namespace+".custom", json.RawMessage(config))
	if err != nil {
		t.Fatalf("provisioning: %v", err)
	}
	return v.(*Custom)
}

func TestMistakesOfACustomBlockAreFoundWhereTheyAre(t *testing.T) {
	const good = "endpoint https://a.example\n"
	for _, tc := range []struct{ lines, want string }{
		{"", "endpoint is required, at Testfile:3"},
		{"endpoint", "wrong argument count or unexpected line ending after 'endpoint', at Testfile:2"},
		{"endpoint \"\"", "endpoint is empty, at Testfile:2"},
		{"endpoint https://a.example b", "endpoint: expected one value; quote it if it has blanks, at Testfile:2"},
		{good + "endpoint https://b.example", "endpoint is there twice, at Testfile:3"},
		{"endpoint a.example", `endpoint "a.example": expected an absolute https URL, at Testfile:2`},
		{"endpoint ftp://a.example", `endpoint "ftp://a.example": expected an absolute https URL, at Testfile:2`},
		{"endpoint http://a.example", `endpoint "http://a.example": expected https (plain http needs allow_http), at Testfile:3`},
		{"endpoint http://a.example/?key=secret", `endpoint "http://a.example/": expected https (plain http needs allow_http), at Testfile:3`},
		{"endpoint a?key=secret", `endpoint "a": expected an absolute https URL, at Testfile:2`},
		{"endpoint https://a.example?key=secret#x", "endpoint: expected an absolute https URL with a query that can be read, and without a fragment, at Testfile:2"},
		{"endpoint https://u:secret@a.example", "endpoint: expected a URL without credentials and fragment, at Testfile:2"},
		{"endpoint https://a.example/{http.request.uri}", "endpoint: {http.request.uri}: expected {env.NAME} or {file./absolute/path}, at Testfile:2"},
		{"endpoint https://a.example?key={file.secret}", "endpoint: {file.secret}: expected an absolute path, as in {file./run/secrets/x}, at Testfile:2"},
		{"forward_headers", "wrong argument count or unexpected line ending after 'forward_headers', at Testfile:2"},
		{"forward_headers \"X Y\"", `forward_headers "X Y": expected the name of a header, at Testfile:2`},
		{"forward_headers \"\"", `forward_headers "": expected the name of a header, at Testfile:2`},
		{"forward_headers X-*", `forward_headers "X-*": expected the name of a header, at Testfile:2`},
		{"forward_headers :path", `forward_headers ":path": expected the name of a header, at Testfile:2`},
		{"forward_headers X-A authorization", "forward_headers authorization: it is taken off every request before the endpoint is asked, at Testfile:2"},
		{"forward_headers Proxy_Authorization", "forward_headers Proxy_Authorization: it is taken off every request before the endpoint is asked, at Testfile:2"},
		{"forward_headers Connection", "forward_headers Connection: it belongs to the connection and not to the request, at Testfile:2"},
		{"forward_headers TE", "forward_headers TE: it belongs to the connection and not to the request, at Testfile:2"},
		{good + "forward_headers X-A\nforward_headers x-a", "forward_headers: x-a is there twice, at Testfile:4"},
		{"cache_by", "wrong argument count or unexpected line ending after 'cache_by', at Testfile:2"},
		{"cache_by key", `cache_by "key": expected request or token, at Testfile:2`},
		{"cache_by token request", "cache_by: expected one value; quote it if it has blanks, at Testfile:2"},
		{"cache_by token\ncache_by token", "cache_by is there twice, at Testfile:3"},
		{"audience x", `unrecognized option "audience" of provider custom, at Testfile:2`},
		{"tokens", "wrong argument count or unexpected line ending after 'tokens', at Testfile:2"},
		{"tenant_claim", "wrong argument count or unexpected line ending after 'tenant_claim', at Testfile:2"},
	} {
		if _, err := parseKind("custom", tc.lines); err == nil || err.Error() != tc.want {
			t.Errorf("%s\nerror %v\nwant  %s", tc.lines, err, tc.want)
		}
	}
	for head, want := range map[string]string{
		"custom A {\n}":   `provider name "A": expected 1 to 64 of a-z, 0-9, _ and -, at Testfile:1`,
		"custom a b {\n}": "wrong argument count or unexpected line ending after 'b', at Testfile:1",
	} {
		if err := readCustom(head); err == nil || err.Error() != want {
			t.Errorf("%s\nerror %v\nwant  %s", head, err, want)
		}
	}
}

// JSON, and values that only the environment knows, are looked at when they are
// loaded.
func TestMistakesOfACustomConfigurationAreFoundWhenItIsLoaded(t *testing.T) {
	t.Setenv("CUSTOM_ENDPOINT", "http://a.example/?key=hush")
	t.Setenv("CUSTOM_EMPTY", "")
	for _, tc := range []struct{ config, want string }{
		{`{}`, "endpoint is required"},
		{`{"endpoint":"a"}`, `endpoint "a": expected an absolute https URL`},
		{`{"endpoint":"http://a.example?key=hush"}`, `endpoint "http://a.example": expected https (plain http needs allow_http)`},
		{`{"endpoint":"https://a.example?key=hush%zz#hush"}`, "endpoint: expected an absolute https URL with a query that can be read, and without a fragment"},
		{`{"endpoint":"{env.CUSTOM_ENDPOINT}"}`, "endpoint {env.CUSTOM_ENDPOINT}: expected it to give an absolute https URL without credentials (plain http needs allow_http)"},
		{`{"endpoint":"https://a.example?key={env.CUSTOM_EMPTY}"}`, "endpoint: {env.CUSTOM_EMPTY} is empty, not set, or cannot be read"},
		{`{"endpoint":"https://a.example","cache_by":"x"}`, `cache_by "x": expected request or token`},
		{`{"endpoint":"https://a.example","forward_headers":["A","a"]}`, "forward_headers: a is there twice"},
		{`{"endpoint":"https://a.example","forward_headers":["Upgrade"]}`, "forward_headers Upgrade: it belongs to the connection and not to the request"},
		{`{"endpoint":"https://a.example","timeout":-1}`, "timeout -1ns: expected more than zero"},
		{`{"endpoint":"https://a.example","name":"A"}`, `provider name "A": expected 1 to 64 of a-z, 0-9, _ and -`},
		{`{"endpoint":"https://a.example","transport":{"protocol":"nope"}}`, "loading transport"},
		{`{"endpoint":"https://a.example","audience":"x"}`, "unknown field"},
	} {
		_, err := newContext(t, zap.NewNop()).LoadModuleByID(Namespace+".custom", json.RawMessage(tc.config))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s\nerror %v\nwant  %s", tc.config, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s\nthe error tells the secret: %v", tc.config, err)
		}
	}
}

// A header that is a secret, or that callers can forge, is shown only to those
// who asked for it, and they are told what they did.
func TestNamingAHeaderThatIsWithheldWarns(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	_, err := loadKind(t, newContext(t, zap.New(core)), "custom",
		"endpoint https://a.example\nforward_headers X-Region X-Api-Key X-Forwarded-For Host User-Agent X-OGX-Provider-Data")
	if err != nil {
		t.Fatal(err)
	}
	var warned []string
	for _, entry := range logs.All() {
		warned = append(warned, entry.Level.String()+" "+entry.ContextMap()["header"].(string))
	}
	if got, want := strings.Join(warned, ", "), "warn X-Api-Key, warn X-Forwarded-For, warn X-OGX-Provider-Data"; got != want {
		t.Errorf("logged %s, want %s", got, want)
	}
}

func readCustom(text string) error {
	return new(Custom).UnmarshalCaddyfile(caddyfile.NewTestDispenser(text))
}
