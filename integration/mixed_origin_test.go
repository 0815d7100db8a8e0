//go:build integration

package integration

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What was asked for in the beginning: keys that an endpoint of the user's own
// judges, attributes that it gives, and service accounts of a cluster.

// keyEndpoint is such an endpoint, as Llama Stack's documentation has it: 200
// for a key that it knows, with what it knows of it, and otherwise 401.
type keyEndpoint struct {
	url string

	mu    sync.Mutex
	keys  map[string]map[string][]string // nil: no attributes
	fails bool
	asked []map[string]any // what it was sent
}

func newKeyEndpoint(t *testing.T) *keyEndpoint {
	t.Helper()
	e := &keyEndpoint{keys: make(map[string]map[string][]string)}
	srv := httptest.NewServer(e)
	t.Cleanup(srv.Close)
	e.url = srv.URL + "/validate"
	return e
}

func (e *keyEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked map[string]any
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || r.Method != http.MethodPost || r.URL.Path != "/validate" {
		http.Error(w, "that is not the protocol", http.StatusTeapot)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, asked)
	key, _ := asked["api_key"].(string)
	attributes, known := e.keys[key]
	said := map[string]any{"message": "Authentication successful"}
	switch {
	case e.fails:
		w.WriteHeader(http.StatusInternalServerError)
		return
	case !known:
		w.WriteHeader(http.StatusUnauthorized)
		said["message"] = "Authentication failed"
	case attributes != nil:
		said["access_attributes"] = attributes
	}
	// the gateway is gone if this fails
	_ = json.NewEncoder(w).Encode(said)
}

// issue makes a key that it knows.
func (e *keyEndpoint) issue(attributes map[string][]string) string {
	key := "key-" + rand.Text()
	remember(key)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keys[key] = attributes
	return key
}

func (e *keyEndpoint) takeBack(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.keys, key)
}

func (e *keyEndpoint) fail(fails bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fails = fails
}

func (e *keyEndpoint) questions() []map[string]any {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.asked)
}

// fingerprint is who the caller of a key is of whom nothing is known.
func fingerprint(key string) string {
	digest := sha256.Sum256([]byte("custom\x00" + key))
	return fmt.Sprintf("key:%x", digest[:16])
}

func TestEndpointOfTheFirstDesignJudgesKeys(t *testing.T) {
	e := newKeyEndpoint(t)
	g := guard(t, "custom.Caddyfile", e.url, "CACHE_TTL=1s")
	attributes := map[string][]string{
		"roles": {"admin", "user"}, "teams": {"ml-team", "nlp-team"},
		"projects": {"llama-3", "project-x"}, "namespaces": {"research"},
	}
	full, bare := e.issue(attributes), e.issue(nil)

	t.Run("it is asked as it was written down", func(t *testing.T) {
		wantStatus(t, g.do(t, request{path: "/v1/models?limit=100&offset=0", token: full, header: map[string][]string{
			"Content-Type": {"application/json"}, "Cookie": {"session=test-only"},
			"X-Ogx-Provider-Data": {`{"vllm_api_token": "test-only"}`},
		}}), http.StatusOK)
		asked := e.questions()
		if len(asked) != 1 {
			t.Fatalf("it was asked %d times", len(asked))
		}
		shown, _ := asked[0]["request"].(map[string]any)
		headers, _ := shown["headers"].(map[string]any)
		if asked[0]["api_key"] != full || shown["path"] != "/v1/models" || headers["content-type"] != "application/json" {
			t.Errorf("it was sent %v", asked[0])
		}
		params := map[string]any{"limit": []any{"100"}, "offset": []any{"0"}}
		if !reflect.DeepEqual(shown["params"], params) {
			t.Errorf("params are %v", shown["params"])
		}
		for _, kept := range []string{"authorization", "cookie", "x-ogx-provider-data"} {
			if v, there := headers[kept]; there {
				t.Errorf("it was shown %s: %v", kept, v)
			}
		}
		for name := range maps.Keys(headers) {
			if name != strings.ToLower(name) {
				t.Errorf("the header %s is not in lower case", name)
			}
		}
	})
	t.Run("its attributes are the caller's", func(t *testing.T) {
		wantAttributes(t, g.serves(t, full, fingerprint(full)), attributes)
	})
	t.Run("without any a key has a scope of its own", func(t *testing.T) {
		wantAttributes(t, g.serves(t, bare, fingerprint(bare)), map[string][]string{"namespaces": {fingerprint(bare)}})
	})
	t.Run("a key that it does not know", func(t *testing.T) {
		g.refuses(t, bare[1:], http.StatusUnauthorized, "invalid_token")
		g.refuses(t, "", http.StatusUnauthorized, "missing_credential")
	})
	t.Run("a key that it takes back is refused within cache_ttl", func(t *testing.T) {
		g.serves(t, full, fingerprint(full))
		e.takeBack(full)
		took := g.turnsAway(t, time.Second+slack, full)
		t.Logf("refused after %v", took.Round(time.Millisecond))
	})
	t.Run("while it fails nobody is told that their key is bad", func(t *testing.T) {
		other := e.issue(nil)
		e.fail(true)
		g.refuses(t, other, http.StatusServiceUnavailable, "auth_service_unavailable")
		e.fail(false)
		g.serves(t, other, fingerprint(other))
	})
}

func TestWhatAKeyMakesBelongsToTheKey(t *testing.T) {
	e := newKeyEndpoint(t)
	g := startGateway(t, "custom.Caddyfile", e.url, ogx.url)
	mine, other := e.issue(nil), e.issue(nil)
	team := map[string][]string{"teams": {"origin-team"}}
	ours, theirs := e.issue(team), e.issue(team)

	my := "/v1/files/" + g.upload(t, mine, "words of one key")
	our := "/v1/files/" + g.upload(t, ours, "words of a team's key")
	for _, tc := range []struct {
		name, path, token string
		status            int
	}{
		{"the key itself reads it", my, mine, http.StatusOK},
		{"another key does not", my, other, http.StatusNotFound},
		{"neither does one of a team", my, ours, http.StatusNotFound},
		{"a team's key reads its own", our, ours, http.StatusOK},
		{"and so does another of the team", our, theirs, http.StatusOK},
		{"a key without a team does not", our, mine, http.StatusNotFound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantStatus(t, g.do(t, request{path: tc.path, token: tc.token}), tc.status)
		})
	}
	t.Run("nobody reads either", func(t *testing.T) {
		for _, path := range []string{my, our} {
			wantRefusal(t, g.do(t, request{path: path}), http.StatusUnauthorized, "missing_credential", "")
			wantRefusal(t, g.do(t, request{path: path, token: mine[1:]}), http.StatusUnauthorized, "invalid_token", mine[1:])
		}
	})
}

// kubectl create token my-user, and then curl with it: the first test that
// Kubernetes had in Llama Stack.
func TestServiceAccountListsTheProvidersOfTheStack(t *testing.T) {
	g := startGateway(t, "kubernetes.Caddyfile", kube.url, ogx.url,
		"KUBE_CA="+kube.caFile, "SERVICE_ACCOUNTS=default/my-user")
	a := g.do(t, request{path: "/v1/providers", token: kube.token(t, "default", "my-user")})
	wantStatus(t, a, http.StatusOK)
	var list struct {
		Data []struct{ API, ProviderID string }
	}
	a.decode(t, &list)
	if len(list.Data) == 0 || !strings.Contains(a.body, `"standin"`) {
		t.Errorf("it said %s", a.body)
	}
	for name, token := range map[string]string{
		"another account": kube.token(t, "default", "other-user"),
		"nonsense":        "nonsense-test-only",
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, g.do(t, request{path: "/v1/providers", token: token}), http.StatusUnauthorized, "invalid_token", token)
		})
	}
}
