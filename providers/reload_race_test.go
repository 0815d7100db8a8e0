package providers

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testgithub"
)

// memoryTransport is a transport without a network, to the memoryServices. It is
// there from the start: what is shared may be used before a test can change it.
type memoryTransport struct{}

var memoryServices sync.Map // by host

const inMemory = "transport stack_auth_test_memory\n"

func init() { caddy.RegisterModule(memoryTransport{}) }

func (memoryTransport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.reverse_proxy.transport.stack_auth_test_memory",
		New: func() caddy.Module { return new(memoryTransport) },
	}
}

func (*memoryTransport) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

func (*memoryTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	service, _ := memoryServices.Load(r.URL.Host)
	return tripper{service.(http.Handler)}.RoundTrip(r)
}

// Configurations come and go beside each other, some of them refused when half
// of them is there, and requests outlive theirs. Whatever the order, nobody lets
// go of what another holds, and in the end nothing is held: the bubble does not
// end while anything still runs. Run with -race.
func TestConfigurationsThatComeAndGoBesideEachOtherShareNothingThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := newKeyFile(t, entry(t, aliceKey, "alice"))
		issuer := newIssuer()
		token := issuer.Token("alice", nil)
		github := testgithub.NewUnstarted()
		github.Issue("gho_alice", readOrg(newAlice()))
		memoryServices.Store("idp.example", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost { // introspection
				saying(http.StatusOK, active(nil))(w, r)
				return
			}
			issuer.ServeHTTP(w, r)
		}))
		memoryServices.Store("github.example", http.Handler(github))
		kinds := []struct {
			kind, lines, token, principal string
		}{
			{"api_key", "file " + file.path, aliceKey, "alice"},
			{"oauth2_token", usual + inMemory, token, "alice"},
			{"oauth2_token", introspecting + inMemory, "opaque", "alice"},
			{"github_token", "github_api_base_url https://github.example\n" + inMemory, "gho_alice", "github:1001"},
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for i := range 50 {
					k := kinds[i%len(kinds)]
					ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
					p, err := loadKind(t, WithLogger(ctx, zap.NewNop()), k.kind, k.lines)
					if err != nil {
						t.Error(err)
						cancel()
						return
					}
					if w, ok := p.(interface{ Warm() }); ok && i%3 == 0 {
						w.Warm()
					}
					if i%5 == 0 { // this one is refused for another module's sake
						cancel()
						continue
					}
					var asking sync.WaitGroup
					asking.Go(func() { wantYes(t, askKind(t, p, k.token), k.principal) })
					if k.lines == usual+inMemory {
						asking.Wait() // keys that were never fetched are not fetched after the end
					}
					cancel()
					asking.Wait()
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		for name, references := range map[string]func() bool{
			"the watch of the file":  func() bool { _, there := watchedFiles.References(file.path); return there },
			"answers":                func() bool { _, there := answersPool.References(ofTokens.pool); return there },
			"what is kept of GitHub": func() bool { _, there := githubPagesPool.References("github"); return there },
		} {
			if references() {
				t.Errorf("%s is still held", name)
			}
		}
		if watchers() != 0 {
			t.Errorf("%d goroutines look at files", watchers())
		}
	})
}
