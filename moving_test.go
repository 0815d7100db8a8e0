package stackauth_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// told is what the stack is told of a caller, or, with a status, that it is
// told nothing.
type told struct {
	principal, attributes, tenant string
	status                        int
}

// move is a provider_config that works in front of Llama Stack (OGX), and what
// to write here instead.
type move struct {
	name string
	yaml string // theirs, in short

	// block is ours. URL stands for the address of the stand-in judge, CA for a
	// file with the certificate of its own authority.
	block string

	// judge answers as theirs did. With claims there is an issuer instead, and
	// the caller presents a token with them.
	judge  http.HandlerFunc
	claims map[string]any
	tls    bool // the judge has a certificate of its own authority

	token  string   // of the caller; empty for none
	sends  []string // further headers of the caller
	tenant bool     // tenancy is on
	shown  string   // what the judge must have been shown

	// theirs is what upstream's code makes of it. Ours is the same, unless a
	// stance says why it is not: a row of the contract's section 9 or, with a
	// number, of the list of upstream's defects.
	theirs told
	ours   *told
	stance string
}

// moves are all of them: what upstream's documentation showed at any time, and
// what its code does besides.
func moves() []move {
	return slices.Concat(jwksMoves, introspectionMoves, kubernetesMoves, customMoves, githubMoves(), headerMoves, keyMoves)
}

// A provider_config that is moved here finds the same people: the same name and
// the same attributes reach the stack, or a stance says why not.
func TestAProviderConfigThatMovesHereFindsTheSamePeople(t *testing.T) {
	t.Setenv("TOKEN", "token-of-the-gateway")
	for _, m := range moves() {
		t.Run(m.name, func(t *testing.T) {
			t.Log(m.yaml)
			want := m.theirs
			if m.ours != nil {
				want = *m.ours
			}
			if differ := want != m.theirs; differ != (m.stance != "") {
				t.Fatalf("%+v and %+v, with the stance %q: one of them is wrong", m.theirs, want, m.stance)
			}
			judge := m.start(t)
			stack := newStack(t)
			g := startGateway(t, "stack_auth {\n"+judge.fill(m.block)+m.tenancy()+"}\n"+proxy(stack))
			headers := m.sends
			if m.token != "" {
				headers = append(slices.Clone(headers), bearer(m.token))
			}
			a := g.do(t, "GET", "/v1/models?limit=100", headers...)
			if shown := judge.shown(); !strings.Contains(shown, judge.fill(m.shown)) {
				t.Errorf("the judge was shown\n%s\nwithout %s", shown, m.shown)
			}
			if want.status != 0 {
				if a.StatusCode != want.status || stack.count() != 0 {
					t.Errorf("got %d %s, want %d", a.StatusCode, a.body, want.status)
				}
				return
			}
			a.is(t, 200, "")
			h := stack.last(t).Header
			got := told{principal: h.Get("X-Auth-User-Id"), attributes: h.Get("X-Auth-Attributes"), tenant: h.Get("X-Tenant-Id")}
			if got != want {
				t.Errorf("\n got %+v\nwant %+v", got, want)
			}
		})
	}
}

func (m *move) tenancy() string {
	if !m.tenant {
		return ""
	}
	return "tenancy multi\nidentity_headers {\ntenant X-Tenant-Id\n}\n"
}

// standIn is who judges the credentials of a move.
type standIn struct {
	url, ca string

	mu   sync.Mutex
	seen []string
}

func (m *move) start(t *testing.T) *standIn {
	t.Helper()
	s := new(standIn)
	var issuer http.Handler
	answer := m.judge
	if m.claims != nil {
		i := testissuer.NewUnstarted("https://kubernetes.default.svc")
		claims := maps.Clone(m.claims)
		subject, _ := claims["sub"].(string)
		delete(claims, "sub")
		m.token, issuer = i.Token(subject, claims), i
		answer = issuer.ServeHTTP
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen = append(s.seen, fmt.Sprintf("%s %s Authorization: %s\n%s", r.Method, r.RequestURI, r.Header.Get("Authorization"), body))
		s.mu.Unlock()
		if answer == nil {
			t.Errorf("somebody is asked: %s", r.RequestURI)
			return
		}
		answer(w, r)
	}))
	if m.tls {
		server.StartTLS()
		s.ca = filepath.Join(t.TempDir(), "ca.crt")
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
		if err := os.WriteFile(s.ca, text, 0o600); err != nil {
			t.Fatal(err)
		}
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *standIn) fill(text string) string {
	return strings.NewReplacer("URL", s.url, "CA", s.ca).Replace(text)
}

func (s *standIn) shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.seen, "\n")
}

// What upstream assumes where its configuration says nothing, and what would
// let in more people than was meant, has to be said here.
func TestWhatUpstreamAssumesHasToBeSaid(t *testing.T) {
	for theirs, c := range map[string]struct{ block, want string }{
		"type: oauth2_token, jwks: {uri: …}": {
			"provider oauth2_token {\njwks {\nuri https://id.example/jwks\n}\n}", "issuer is required",
		},
		"type: oauth2_token, issuer: …, jwks: {uri: …}": {
			"provider oauth2_token {\nissuer https://id.example\njwks {\nuri https://id.example/jwks\n}\n}", "audience is required",
		},
		"type: oauth2_token, jwks: {uri: …, token: ${env.UNSET:+}}": {
			"provider oauth2_token {\nissuer https://id.example\naudience ogx\njwks {\nuri https://id.example/jwks\ntoken {env.STACK_AUTH_TEST_UNSET}\n}\n}",
			"is empty, not set",
		},
		"type: kubernetes": {
			"provider kubernetes {\napi_server_url https://kubernetes.default.svc\n}", "service_accounts is required",
		},
		"type: kubernetes, api_server_url: http://…": {
			"provider kubernetes {\napi_server_url http://kubernetes.default.svc\nservice_accounts any\n}", "plain http needs allow_http",
		},
		"type: upstream_header, principal_header: …": {
			"provider upstream_header {\nprincipal_header X-Auth-User-Id\n}", "trusted_proxies is required",
		},
		"type: local_api_key, api_keys: [ogk_mykey1]": {
			"provider api_key {\nkey ogk_mykey1 mykey1\n}", "hash",
		},
	} {
		t.Run(theirs, func(t *testing.T) {
			raw, err := adapt("http://127.0.0.1:0 {\nstack_auth {\n" + c.block + "\n}\n}\n")
			if err == nil {
				var parsed caddy.Config
				if err := json.Unmarshal(raw, &parsed); err != nil {
					t.Fatal(err)
				}
				err = caddy.Validate(&parsed)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
