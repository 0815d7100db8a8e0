//go:build integration

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// request is one call through a gateway.
type request struct {
	method string // default GET
	path   string
	token  string
	header map[string][]string // as written: names are not made canonical
	body   string
	from   string // the caller's address; default 127.0.0.1
}

type answer struct {
	status int
	header http.Header
	body   string
}

var client = &http.Client{
	Timeout: 30 * time.Second,
	Transport: &http.Transport{
		MaxIdleConnsPerHost: 64,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			var d net.Dialer
			if from, ok := ctx.Value(fromKey{}).(string); ok && from != "" {
				d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
			}
			return d.DialContext(ctx, network, address)
		},
	},
}

type fromKey struct{}

func (g *gateway) try(ctx context.Context, r request) (answer, error) {
	ctx = context.WithValue(ctx, fromKey{}, r.from)
	if r.method == "" {
		r.method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, r.method, g.url+r.path, strings.NewReader(r.body))
	if err != nil {
		return answer{}, err
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	maps.Copy(req.Header, r.header)
	if r.from != "" {
		req.Close = true // a pooled connection has another caller's address
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body)}, err
}

func (g *gateway) do(t *testing.T, r request) answer {
	t.Helper()
	a, err := g.try(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// upload puts a file into the stack and gives its id.
func (g *gateway) upload(t *testing.T, token, content string) string {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	if err := w.WriteField("purpose", "assistants"); err != nil {
		t.Fatal(err)
	}
	part, err := w.CreateFormFile("file", "words.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(part, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	a := g.do(t, request{
		method: http.MethodPost, path: "/v1/files", token: token, body: form.String(),
		header: map[string][]string{"Content-Type": {w.FormDataContentType()}},
	})
	var file struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(a.body), &file); err != nil || file.ID == "" {
		t.Fatalf("the upload gave %d %s", a.status, a.body)
	}
	return file.ID
}

// wantStatus is for answers of the stack: the body is only of interest when
// the status is wrong.
func wantStatus(t *testing.T, a answer, status int) {
	t.Helper()
	if a.status != status {
		t.Errorf("got %d %s, want %d", a.status, a.body, status)
	}
}

// wantRefusal checks all that a refusal of the gateway promises.
func wantRefusal(t *testing.T, a answer, status int, code, token string) {
	t.Helper()
	if a.status != status {
		t.Fatalf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
	var body struct {
		Error struct{ Message, Type, Code string }
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("the body %q is not JSON: %v", a.body, err)
	}
	kind := map[int]string{
		http.StatusUnauthorized:       "authentication_error",
		http.StatusForbidden:          "permission_error",
		http.StatusServiceUnavailable: "service_unavailable",
	}[status]
	if body.Error.Type != kind || body.Error.Code != code || body.Error.Message == "" {
		t.Errorf("the error is %+v, want type %s and code %s", body.Error, kind, code)
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	challenge := a.header.Get("WWW-Authenticate")
	if status == http.StatusUnauthorized && !strings.HasPrefix(challenge, `Bearer realm="stack"`) {
		t.Errorf("WWW-Authenticate is %q", challenge)
	}
	if status == http.StatusServiceUnavailable && a.header.Get("Retry-After") == "" {
		t.Error("there is no Retry-After")
	}
	if token != "" && (strings.Contains(a.body, token) || strings.Contains(challenge, token)) {
		t.Error("the token is in the answer")
	}
}

// seen is what an echo stack was shown.
type seen struct {
	Principal     []string
	Attributes    map[string][]string
	Authorization []string
}

// echoStack is a stack that answers with who it was told is calling.
func echoStack(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := seen{Principal: r.Header.Values("X-Auth-User-Id"), Authorization: r.Header.Values("Authorization")}
		if raw := r.Header.Get("X-Auth-Attributes"); raw != "" {
			if err := json.Unmarshal([]byte(raw), &s.Attributes); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		w.Header().Set("Content-Type", "application/json")
		// the caller is gone if this fails
		_ = json.NewEncoder(w).Encode(s)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func (a answer) seen(t *testing.T) seen {
	t.Helper()
	var s seen
	if err := json.Unmarshal([]byte(a.body), &s); err != nil {
		t.Fatalf("the echo stack answered %d %s", a.status, a.body)
	}
	return s
}
