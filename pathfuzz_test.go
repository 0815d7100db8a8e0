package stackauth_test

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
)

// readers are the ways in which servers behind us turn the path of a request
// line into the one that they serve. A request that we let pass as public must
// be public to every one of them.
var readers = map[string]func(string) string{
	"decodes once":                    unescape,
	"decodes twice":                   func(s string) string { return unescape(unescape(s)) },
	"decodes, then cleans":            func(s string) string { return path.Clean(unescape(s)) },
	"decodes twice, then cleans":      func(s string) string { return path.Clean(unescape(unescape(s))) },
	"cleans, then decodes":            func(s string) string { return unescape(path.Clean(s)) },
	"takes a backslash for a slash":   func(s string) string { return path.Clean(strings.ReplaceAll(unescape(s), `\`, "/")) },
	"cuts path parameters":            func(s string) string { return path.Clean(cutParameters(unescape(s))) },
	"cuts at ? and # after decoding":  func(s string) string { return cutAt(unescape(s), "?#") },
	"cuts at a NUL":                   func(s string) string { return cutAt(unescape(s), "\x00") },
	"cuts at a line break or a blank": func(s string) string { return cutAt(unescape(s), "\r\n \t") },
}

func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

func cutAt(s, chars string) string {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i]
	}
	return s
}

func cutParameters(s string) string {
	segments := strings.Split(s, "/")
	for i := range segments {
		segments[i] = cutAt(segments[i], ";")
	}
	return strings.Join(segments, "/")
}

func oraclePublic(p string) bool {
	return p == "/v1/health" || p == "/v1/health/" || strings.HasPrefix(p, "/docs/")
}

// checkPublicPath lets the handler decide on a request for the target without
// a token, and asks all readers whether that was right.
// It reports whether the request passed.
func checkPublicPath(t *testing.T, d *direct, target string) bool {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return false // net/http answers that
	}
	r := &http.Request{
		Method: "GET", URL: u, RequestURI: target, Header: make(http.Header), Host: "x",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
	}
	w, passed, err := d.serve(r)
	switch {
	case err != nil:
		t.Fatalf("%q: %v", target, err)
	case passed == nil && w.Code != 400 && w.Code != 401:
		t.Fatalf("%q: got %d", target, w.Code)
	case passed == nil:
		return false
	}
	// What reverse_proxy writes is what the others read.
	sent, _, _ := strings.Cut(passed.URL.RequestURI(), "?")
	for name, reads := range readers {
		if got := reads(sent); !oraclePublic(got) {
			t.Fatalf("%q passed as public, and a server that %s serves %q", target, name, got)
		}
	}
	return true
}

const publicOfOracle = "public /v1/health /docs/*\n"

func TestNoSpellingOfAPathIsPublicToUsAlone(t *testing.T) {
	_, provider := offline(t)
	d := newDirect(t, "stack_auth {\n"+provider+publicOfOracle+"}")
	pieces := []string{
		"/", "/", "/", "/v1", "/health", "/docs", "/docs/", "v1", "health", "..", ".", "...", "%2e", "%2E%2e", "%2f", "%2F", "%5c", `\`,
		";", "%3b", ";x=1", "//", "%25", "%252e", "%252f", "?", "%3f", "%23", "%20", "%00", "%0a", "%09", "%c3%a9", "%ff", "%c0%ae", "HEALTH",
		"Docs", "admin", "/admin", "x", "*", "+", "~", "%7f", "%e2%80%a8", "@", ":",
	}
	random := rand.New(rand.NewPCG(1, 2))
	passed := 0
	for range 60_000 {
		var target strings.Builder
		target.WriteString([]string{"/", "/docs/", "/v1/health", "/docs", "/v1", "http://x/docs/"}[random.IntN(6)])
		for range random.IntN(6) {
			target.WriteString(pieces[random.IntN(len(pieces))])
		}
		if checkPublicPath(t, d, target.String()) {
			passed++
		}
	}
	if passed < 1000 {
		t.Errorf("only %d of them passed: the others prove nothing", passed)
	}
}

func FuzzPublicPaths(f *testing.F) {
	for _, seed := range []string{
		"/v1/health", "/v1/health/", "/docs/a", "/docs/..%2fv1/admin", "/docs/%252e%252e/x", "/docs/;/../x", `/docs/..\x`, "/docs/%2e%2e",
		"//docs/a", "/docs//a", "/v1/health?x", "/v1/health%3fx", "/v1/health%00", "http://x/docs/..", "*", "/docs/%c0%ae%c0%ae/x",
	} {
		f.Add(seed)
	}
	_, provider := offline(f)
	d := newDirect(f, "stack_auth {\n"+provider+publicOfOracle+"}")
	f.Fuzz(func(t *testing.T, target string) { checkPublicPath(t, d, target) })
}
