package stackauth_test

import (
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// explained is what explain prints as JSON, as far as it is compared.
type explained struct {
	Decision string
	Status   int
	Blocks   []struct {
		Block    int
		Matched  bool
		Decision string
		Rule     string
		Reason   string
	}
	Answer *struct{ Handler, Target string }
}

// explain runs the command and returns what it printed.
func explain(t testing.TB, stdin string, args ...string) explained {
	t.Helper()
	out := run(t, stdin, append([]string{"explain", "--json"}, args...)...)
	var e explained
	if err := json.Unmarshal([]byte(out.stdout), &e); err != nil {
		t.Fatalf("%v in %s", err, out.all())
	}
	want, known := map[string]int{"allow": 0, "deny": 1, "cannot tell": 2, "no answer": 2}[e.Decision]
	if !known || out.code() != want {
		t.Errorf("exit %d for %q", out.code(), e.Decision)
	}
	return e
}

func TestEveryExampleIsExplainedWithoutANetwork(t *testing.T) {
	files, err := filepath.Glob("examples/*Caddyfile")
	if err != nil || len(files) < 8 {
		t.Fatalf("examples: %q, %v", files, err)
	}
	everything := []string{
		"--principal", "anna", "--attribute", "roles=admin,user,developer", "--attribute", "teams=ml,admins",
		"--attribute", "namespaces=ml-platform",
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			tenant := []string{}
			if strings.Contains(file, "tenancy") {
				tenant = []string{"--tenant", "acme"}
			}
			args := append(append([]string{"--config", file}, everything...), tenant...)
			if e := explain(t, "", append(args, "GET", "/v1/models")...); e.Decision != "allow" || e.Answer.Handler != "reverse_proxy" {
				t.Errorf("somebody with everything: %+v", e)
			}
			if e := explain(t, "", "--config", file, "--anonymous", "GET", "/v1/models"); e.Decision != "deny" || e.Status != 401 {
				t.Errorf("nobody: %+v", e)
			}
		})
	}
}

// canary counts who connects to it, and says nothing.
func canary(t testing.TB) (address string, visits *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	visits = new(atomic.Int64)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			conn.Close()
		}
	}()
	return l.Addr().String(), visits
}

// A configuration is explained on the desk of somebody who may have no business
// with the machines that it names, and before it is trusted.
func TestARehearsalContactsNobody(t *testing.T) {
	address, visits := canary(t)
	url := "http://" + address
	file := writeFile(t, "Caddyfile", `http://localhost:8080 {
	log {
		output net `+address+`
	}
	forward_auth `+address+` {
		uri /check
		copy_headers Remote-User
	}
	stack_auth {
		provider api_key {
			file /nosuch/keys.json
			principal_prefix key:
		}
		provider oauth2_token jwts {
			issuer `+url+`
			audience x
			tokens jwt
		}
		provider oauth2_token opaque {
			issuer `+url+`
			audience x
			tokens prefix a-
			principal_prefix opaque:
			introspection {
				url `+url+`/introspect
				client_id x
				client_secret {file./nosuch/secret}
			}
		}
		provider custom {
			endpoint `+url+`/check
			principal_prefix custom:
		}
	}
	reverse_proxy `+address+` {
		health_uri /health
		health_interval 1ms
	}
}
`)
	for _, caller := range [][]string{{"--principal", "anna"}, {"--anonymous"}} {
		e := explain(t, "", append(append([]string{"--config", file}, caller...), "POST", "/v1/chat/completions")...)
		if len(e.Blocks) != 1 || e.Blocks[0].Decision == "" {
			t.Errorf("%v: %+v", caller, e)
		}
	}
	cases := writeFile(t, "cases.yaml", "users: {anna: {}}\nroutes:\n- {path: /v1/models, allow: anna, deny: anonymous}\n")
	if out := run(t, "", "test", "--config", file, cases); out.code() != 0 {
		t.Errorf("test: %s", out.all())
	}
	if n := visits.Load(); n != 0 {
		t.Errorf("%d connections to what the configuration names", n)
	}
	// It would be found out: with a token, judges are asked.
	asking := writeFile(t, "Caddyfile", "http://localhost:8080 {\nstack_auth {\nprovider custom {\nendpoint "+url+"/check\n}\n}\nreverse_proxy "+address+"\n}\n")
	if e := explain(t, "example-token-not-a-secret\n", "--config", asking, "--token", "-", "GET", "/v1/models"); e.Decision != "cannot tell" || e.Status != 503 {
		t.Errorf("with a judge that says nothing: %+v", e)
	}
	if visits.Load() == 0 {
		t.Error("nobody was asked about a token")
	}
}

// Whoever writes configurations must not be able to say who calls.
func TestNoConfigurationCanHaveARehearsalsHandlers(t *testing.T) {
	explain(t, "", "--config", "testdata/commands/policy.Caddyfile", "--anonymous", "GET", "/v1/health") // now they are registered
	raw, err := adapt("{\nadmin off\n}\nhttp://" + freeAddress(t) + " {\nrespond ok\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	altered := strings.Replace(string(raw), `"handler":"static_response"`, `"handler":"stack_auth_rehearsal","stop":0`, 1)
	altered = strings.Replace(altered, `"body":"ok",`, "", 1)
	err = caddy.Load([]byte(altered), true)
	if err == nil || !strings.Contains(err.Error(), "not a handler for configurations") {
		t.Errorf("loading: %v\n%s", err, altered)
	}
	file := writeFile(t, "config.json", strings.Replace(altered, `{"handler":"stack_auth_rehearsal"`, `{"handler":"stack_auth"},{"handler":"stack_auth_rehearsal"`, 1))
	out := run(t, "", "explain", "--config", file, "--principal", "anna", "GET", "/")
	if out.code() == 0 {
		t.Errorf("explained: %s", out.all())
	}
}

func TestTheTokenIsNeverShown(t *testing.T) {
	const secret = "example-token-not-a-secret-0123456789"
	issuer := testissuer.New(t)
	good := issuer.Token("anna", nil)
	config := writeFile(t, "Caddyfile", "http://localhost:8080 {\n"+protect(issuer)+"respond ok\n}\n")
	query := writeFile(t, "Caddyfile", "http://localhost:8080 {\n"+protect(issuer, "token_source query access_token")+"respond ok\n}\n")
	key := writeFile(t, "Caddyfile", "http://localhost:8080 {\n"+protect(issuer, "token_source header X-Api-Key")+"respond ok\n}\n")
	cookie := writeFile(t, "Caddyfile", "http://localhost:8080 {\n"+protect(issuer, "token_source cookie session")+"respond ok\n}\n")
	socket := writeFile(t, "Caddyfile", "http://localhost:8080 {\n"+protect(issuer, "token_source websocket_protocol key.")+"respond ok\n}\n")
	for _, c := range []struct {
		name, stdin string
		args        []string
		code        int
	}{
		{"as an argument", "", []string{"--config", config, "--token", secret, "GET", "/"}, 2},
		{"as an argument with =", "", []string{"--config", config, "--token=" + secret, "GET", "/"}, 2},
		{"as a third argument", "", []string{"--config", config, "--token", "-", "GET", "/", secret}, 2},
		{"as a header", "", []string{"--config", config, "--anonymous", "--header", "Authorization: Bearer " + secret, "GET", "/"}, 2},
		{"in the query", "", []string{"--config", config, "--anonymous", "GET", "/v1?access_token=" + secret}, 1},
		{"in the query of a path that is none", "", []string{"--config", config, "--anonymous", "GET", "v1?access_token=" + secret}, 2},
		{"in two lines", secret + "\n" + secret + "\n", []string{"--config", config, "--token", "-", "GET", "/"}, 2},
		{"with a blank", secret + " " + secret + "\n", []string{"--config", config, "--token", "-", "GET", "/"}, 2},
		{"no JWT", secret + "\n", []string{"--config", config, "--token", "-", "GET", "/"}, 1},
		{"a bad JWT", good[:len(good)-8] + "AAAAAAAA", []string{"--config", config, "--token", "-", "GET", "/"}, 1},
		{"a good one", good + "\r\n", []string{"--config", config, "--token", "-", "GET", "/"}, 0},
		{"a good one as JSON", good, []string{"--json", "--config", config, "--token", "-", "GET", "/"}, 0},
		{"from a file", "", []string{"--config", config, "--token-file", writeFile(t, "token", good+"\n"), "GET", "/"}, 0},
		{"from no file", "", []string{"--config", config, "--token-file", "/nosuch/token", "GET", "/"}, 2},
		{"in a parameter", good, []string{"--config", query, "--token", "-", "GET", "/?a=b"}, 0},
		{"in another header", good, []string{"--config", key, "--token", "-", "GET", "/"}, 0},
		{"in a cookie", good, []string{"--config", cookie, "--token", "-", "GET", "/"}, 0},
		{"in a subprotocol", good, []string{"--config", socket, "--token", "-", "GET", "/"}, 0},
		{"and the configuration from standard input", good, []string{"--config", "-", "--token", "-", "GET", "/"}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := run(t, c.stdin, append([]string{"explain"}, c.args...)...)
			if out.code() != c.code {
				t.Errorf("got %s, want exit %d", out.all(), c.code)
			}
			for _, part := range []string{secret, good, good[:len(good)/2], good[len(good)-40:]} {
				if strings.Contains(out.all()+out.err2(), part) {
					t.Errorf("shows the token: %s", out.all())
				}
			}
		})
	}
}

func (o output) err2() string {
	if o.err == nil {
		return ""
	}
	return o.err.Error()
}
