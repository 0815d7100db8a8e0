package keyset

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// serve starts a server on loopback.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// client follows no redirect, as the one that providers bring.
func client() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func TestOnlyAnAnswer200IsAKeySet(t *testing.T) {
	good := document(ecKey("k"))
	for _, status := range []int{200, 201, 202, 203, 204, 206, 301, 302, 303, 307, 308, 401, 403, 404, 410, 429, 500, 503} {
		uri := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			if status != 204 {
				_, _ = w.Write(good)
			}
		})
		doc, err := (&URISource{Client: client(), URI: uri + "/jwks"}).Fetch(t.Context())
		if status == 200 && (err != nil || !bytes.Equal(doc, good)) {
			t.Errorf("200: %q, %v", doc, err)
		}
		if status != 200 && (doc != nil || fmt.Sprint(err) != fmt.Sprintf("asking %s/jwks: status %d", uri, status)) {
			t.Errorf("%d: %q, %v", status, doc, err)
		}
	}
}

// Case 106: the token would go along, to a host that the answer names.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var hits atomic.Int32
	canary := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		_, _ = w.Write(document(ecKey("evil")))
	})
	for _, status := range []int{301, 302, 303, 307, 308} {
		uri := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, canary, status) })
		source := &URISource{Client: client(), URI: uri, Token: func() (string, error) { return "t", nil }}
		if doc, err := source.Fetch(t.Context()); err == nil {
			t.Errorf("%d: %q", status, doc)
		}
		if doc, err := (&DiscoverySource{Client: client(), Issuer: uri}).Fetch(t.Context()); err == nil {
			t.Errorf("discovery, %d: %q", status, doc)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the canary was asked %d times", n)
	}
}

// Cases 104 and 105: jwkset took a gigabyte for an answer of 400 MiB. What
// counts is what it is after decompression.
func TestAnswersAreReadUpToOneMiB(t *testing.T) {
	write := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte{' '}, n)) }
	}
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	if _, err := zip.Write(make([]byte, 64<<20)); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"1 MiB":           {write(1 << 20), ""},
		"a byte more":     {write(1<<20 + 1), " has more than 1 MiB"},
		"endless":         {func(w http.ResponseWriter, _ *http.Request) { endless(w) }, " has more than 1 MiB"},
		"a gzip bomb":     {func(w http.ResponseWriter, _ *http.Request) { zipped(w, bomb.Bytes()) }, " has more than 1 MiB"},
		"not gzip at all": {func(w http.ResponseWriter, _ *http.Request) { zipped(w, []byte("plain")) }, "connection closed before the answer was complete"},
		"shorter than it says": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{}"))
		}, "connection closed before the answer was complete"},
	} {
		_, err := (&URISource{Client: client(), URI: serve(t, tc.answer)}).Fetch(t.Context())
		if got := fmt.Sprint(err); tc.want == "" && err != nil || tc.want != "" && !strings.HasSuffix(got, tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

func endless(w http.ResponseWriter) {
	for {
		if _, err := w.Write(make([]byte, 64<<10)); err != nil {
			return
		}
	}
}

func zipped(w http.ResponseWriter, b []byte) {
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(b)
}

// A fetch ends with its context, whatever the other side does.
func TestAFetchEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := (&URISource{Client: client(), URI: "http://" + l.Addr().String()}).Fetch(ctx); err == nil || !strings.HasSuffix(err.Error(), "no answer in time") {
		t.Errorf("error is %v", err)
	}
}

func TestUnreachableAndImpossibleAddressesAreErrors(t *testing.T) {
	for _, uri := range []string{"http://127.0.0.1:1/jwks", "http://[::1]:namedport", "\x7f://", ""} {
		if _, err := (&URISource{Client: client(), URI: uri}).Fetch(t.Context()); err == nil {
			t.Errorf("%q answers", uri)
		}
		if _, err := (&DiscoverySource{Client: client(), Issuer: uri}).Fetch(t.Context()); err == nil {
			t.Errorf("issuer %q answers", uri)
		}
	}
}

// Kubernetes wants a token for its key set, and replaces it every hour. The
// discovery document is for everybody: it does not get the token.
func TestTheTokenIsAskedForEachTimeAndShownToTheKeyEndpointAlone(t *testing.T) {
	var shown []string
	issuer := testissuer.NewUnstarted("")
	issuer.URL = serve(t, func(w http.ResponseWriter, r *http.Request) {
		shown = append(shown, r.URL.Path+" "+r.Header.Get("Authorization"))
		issuer.ServeHTTP(w, r)
	})
	n := 0
	token := func() (string, error) {
		n++
		return fmt.Sprint("token-", n), nil
	}
	for _, source := range []Source{
		&URISource{Client: client(), URI: issuer.URL + "/jwks", Token: token},
		&DiscoverySource{Client: client(), Issuer: issuer.URL, Token: token},
		&DiscoverySource{Client: client(), Issuer: issuer.URL},
	} {
		if _, err := source.Fetch(t.Context()); err != nil {
			t.Error(err)
		}
	}
	want := []string{
		"/jwks Bearer token-1",
		"/.well-known/openid-configuration ", "/jwks Bearer token-2",
		"/.well-known/openid-configuration ", "/jwks ",
	}
	if fmt.Sprint(shown) != fmt.Sprint(want) {
		t.Errorf("shown: %q\nwant:  %q", shown, want)
	}
	// Without its token nothing is asked.
	gone := errors.New("token file is gone")
	source := &URISource{Client: client(), URI: issuer.URL + "/jwks", Token: func() (string, error) { return "", gone }}
	if _, err := source.Fetch(t.Context()); !errors.Is(err, gone) || len(shown) != len(want) {
		t.Errorf("error is %v, %d requests", err, len(shown))
	}
}

// Case 116, RFC 8414, section 3.3, and OpenID Connect Discovery 1.0, section 4.
func TestDiscoveryBelievesADocumentAboutItsOwnIssuerOnly(t *testing.T) {
	var hits atomic.Int32
	canary := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		_, _ = w.Write(document(ecKey("evil")))
	})
	for name, tc := range map[string]struct {
		document string // @ stands for the issuer's address
		path     string // of the issuer
		want     string // in the error; empty for none
	}{
		"as it should be":           {`{"issuer":"@","jwks_uri":"@/jwks"}`, "", ""},
		"an issuer with a path":     {`{"issuer":"@/realms/a","jwks_uri":"@/jwks"}`, "/realms/a", ""},
		"an issuer with a slash":    {`{"issuer":"@/realms/a/","jwks_uri":"@/jwks"}`, "/realms/a/", ""}, // trimmed to ask, not to compare
		"keys below another path":   {`{"issuer":"@/realms/a","jwks_uri":"@/other/jwks"}`, "/realms/a", "status 404"},
		"a slash lost":              {`{"issuer":"@/realms/a","jwks_uri":"@/jwks"}`, "/realms/a/", "document is of issuer"},
		"a slash more":              {`{"issuer":"@/","jwks_uri":"@/jwks"}`, "", "document is of issuer"},
		"another issuer":            {`{"issuer":"https://evil.example","jwks_uri":"@/jwks"}`, "", "document is of issuer"},
		"no issuer":                 {`{"jwks_uri":"@/jwks"}`, "", "document is of issuer"},
		"an issuer that is a list":  {`{"issuer":["@"],"jwks_uri":"@/jwks"}`, "", "document is of issuer"},
		"an issuer twice":           {`{"issuer":"@","issuer":"@","jwks_uri":"@/jwks"}`, "", "a member name is there twice"},
		"keys on another host":      {`{"issuer":"@","jwks_uri":"` + canary + `/jwks"}`, "", "not on the issuer's own origin"},
		"keys on the metadata host": {`{"issuer":"@","jwks_uri":"http://169.254.169.254/latest"}`, "", "not on the issuer's own origin"},
		"keys over another scheme":  {`{"issuer":"@","jwks_uri":"HTTPS/jwks"}`, "", "not on the issuer's own origin"},
		"keys in a file":            {`{"issuer":"@","jwks_uri":"file:///etc/passwd"}`, "", "is not an http address"},
		"keys at a relative path":   {`{"issuer":"@","jwks_uri":"/jwks"}`, "", "is not an http address"},
		"keys without a host":       {`{"issuer":"@","jwks_uri":"http:///jwks"}`, "", "is not an http address"},
		"keys with a user":          {`{"issuer":"@","jwks_uri":"USER/jwks"}`, "", "is not an http address"},
		"keys at no address":        {`{"issuer":"@","jwks_uri":"http://%zz"}`, "", "is not an http address"},
		"no keys":                   {`{"issuer":"@"}`, "", "is not an http address"},
		"keys that are a number":    {`{"issuer":"@","jwks_uri":1}`, "", "is not an http address"},
		"an error page":             {`<html>`, "", "expected a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			var issuer string
			issuer = serve(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case strings.TrimSuffix(tc.path, "/") + "/.well-known/openid-configuration":
					host := strings.TrimPrefix(issuer, "http://")
					replacer := strings.NewReplacer("HTTPS", "https://"+host, "USER", "http://user@"+host, "@", issuer)
					_, _ = replacer.WriteString(w, tc.document)
				case "/jwks":
					_, _ = w.Write(document(ecKey("k")))
				default:
					http.NotFound(w, r)
				}
			})
			doc, err := (&DiscoverySource{Client: client(), Issuer: issuer + tc.path}).Fetch(t.Context())
			switch {
			case tc.want == "" && (err != nil || !bytes.Equal(doc, document(ecKey("k")))):
				t.Errorf("%q, %v", doc, err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("%q, %v; want %q", doc, err, tc.want)
			}
		})
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the canary was asked %d times", n)
	}
}

func TestKeyFilesAreReadUpToOneMiB(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "jwks.json")
	for n, want := range map[int]string{1 << 20: "", 1<<20 + 1: "key file has more than 1 MiB"} {
		if err := os.WriteFile(path, make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
		doc, err := (&FileSource{Path: path}).Fetch(t.Context())
		if want == "" && (err != nil || len(doc) != n) || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%d bytes: %d read, %v", n, len(doc), err)
		}
	}
	if _, err := (&FileSource{Path: filepath.Join(dir, "missing")}).Fetch(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := (&FileSource{Path: dir}).Fetch(t.Context()); err == nil {
		t.Error("a folder is a key file")
	}
}
