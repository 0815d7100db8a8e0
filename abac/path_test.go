package abac

import (
	"net/url"
	"path"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPathsThatEveryServerReadsAlikeAreAccepted(t *testing.T) {
	for _, tc := range []struct{ decoded, want string }{
		{"/", "/"},
		{"/v1/models", "/v1/models"},
		// Case 179: OGX takes one trailing slash off, so it decides nothing.
		{"/v1/models/", "/v1/models"},
		{"/v1/models/vllm/llama", "/v1/models/vllm/llama"},
		// Dots are only special as a whole segment.
		{"/v1/models/..llama", "/v1/models/..llama"},
		{"/v1/models/llama..", "/v1/models/llama.."},
		{"/v1/.../x", "/v1/.../x"},
		{"/.well-known/x", "/.well-known/x"},
		{"/v1/models/llama:8b@latest+x=y,z!*'()~$&", "/v1/models/llama:8b@latest+x=y,z!*'()~$&"},
		{"/v1/models/é€𝄞", "/v1/models/é€𝄞"},
	} {
		got, err := CanonicalPath(tc.decoded)
		if err != nil || got != tc.want {
			t.Errorf("CanonicalPath(%q) = %q, %v; want %q", tc.decoded, got, err, tc.want)
		}
	}
}

// Cases 172 to 183 of the security page, as they look after one decoding.
func TestPathsThatTwoServersCouldReadDifferentlyAreRefused(t *testing.T) {
	for name, decoded := range map[string]string{
		"empty":                           "",
		"star of OPTIONS":                 "*",
		"no leading slash":                "v1/admin",
		"absolute form":                   "http:v1/admin",
		"parent segment":                  "/v1/models/../admin", // GHSA-p224-6x5r-fjpm
		"parent segment at the end":       "/v1/models/..",
		"parent segment before a slash":   "/v1/models/../",
		"own segment":                     "/v1/./admin",
		"own segment alone":               "/.",
		"parent segment alone":            "/..",
		"empty segment":                   "/v1//admin",
		"empty segment at the start":      "//v1/admin", // an authority, to some
		"two slashes alone":               "//",
		"two trailing slashes":            "/v1/models//",
		"three slashes alone":             "///",
		"backslash":                       `/v1\admin`, // CVE-2026-41059
		"backslash parent":                `/v1/..\admin`,
		"path parameter":                  "/v1/admin;x=1", // CVE-2026-74909
		"space":                           "/v1/admin ",
		"question mark that was %3F":      "/v1/admin?x",
		"number sign that was %23":        "/v1/admin#x", // httptools cuts here
		"percent that was %25":            "/v1/%2e%2e/admin",
		"NUL":                             "/v1/admin\x00",
		"line feed":                       "/v1/admin\n", // a `$` of a regular expression matches before it
		"carriage return":                 "/v1/admin\r",
		"tab":                             "/v1/\tadmin",
		"DEL":                             "/v1/admin\x7f",
		"C1 control (next line)":          "/v1/admin\u0085",
		"line separator":                  "/v1/admin\u2028",
		"paragraph separator":             "/v1/admin\u2029",
		"invalid UTF-8":                   "/v1/admin\xff",
		"overlong slash":                  "/v1\xc0\xafadmin", // CVE-2000-0884
		"surrogate encoded as if UTF-8":   "/v1/\xed\xa0\x80",
		"parent segment hidden by a star": "/v1/*/../admin",
	} {
		if got, err := CanonicalPath(decoded); err == nil || got != "" {
			t.Errorf("%s: CanonicalPath(%q) = %q, %v; want an error and nothing", name, decoded, got, err)
		}
	}
}

// The error goes into an answer, so it must not carry the path back.
func TestPathErrorsDoNotRepeatThePath(t *testing.T) {
	_, err := CanonicalPath("/secret-name/../x")
	if err == nil || strings.Contains(err.Error(), "secret-name") {
		t.Errorf("error is %v", err)
	}
}

// Whatever passes must be what every reader makes of the path: cleaning it
// changes nothing, and a router that decodes the request line once (Starlette)
// serves the same.
func FuzzCanonicalPath(f *testing.F) {
	for _, seed := range []string{
		"/", "//", "/v1/models/", "/v1/models//", "/a/../b", "/a/./b", "/%2e", "/a%2Fb", "/é", "/a;b", `/a\b`,
		"/v1/models/vllm/llama", "/..", "/.a", "/a..", "*", "", "/\u2028", "/\xff", "/ ", "/a?b#c",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, decoded string) {
		canonical, err := CanonicalPath(decoded)
		if err != nil {
			if canonical != "" {
				t.Fatalf("refused %q and returned %q", decoded, canonical)
			}
			return
		}
		if cleaned := path.Clean(decoded); cleaned != canonical {
			t.Errorf("%q: canonical %q, cleaned %q", decoded, canonical, cleaned)
		}
		if canonical != "/" {
			for segment := range strings.SplitSeq(canonical[1:], "/") {
				if segment == "" || segment == "." || segment == ".." {
					t.Errorf("%q: canonical %q has segment %q", decoded, canonical, segment)
				}
			}
		}
		if again, err := CanonicalPath(canonical); err != nil || again != canonical {
			t.Errorf("%q: canonical once %q, twice %q, %v", decoded, canonical, again, err)
		}
		if !utf8.ValidString(canonical) || strings.ContainsFunc(canonical, unicode.IsControl) {
			t.Errorf("%q: canonical %q has a character that no log or regular expression should meet", decoded, canonical)
		}
		// Decoding what a proxy makes of it leads back to it, and decoding
		// once more than that changes nothing: no escape is left in it.
		u, err := url.ParseRequestURI((&url.URL{Path: decoded}).EscapedPath())
		if err != nil || u.Path != decoded {
			t.Errorf("%q: a router that decodes once serves %v, %v", decoded, u, err)
		}
		if twice, err := url.PathUnescape(canonical); err != nil || twice != canonical {
			t.Errorf("%q: a router that decodes twice serves %q, %v", decoded, twice, err)
		}
	})
}
