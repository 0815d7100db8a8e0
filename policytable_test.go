package stackauth_test

import (
	"encoding/json"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// tableRow is a row of the README's table: a request, and the status for each
// user.
type tableRow struct {
	method, path string
	status       map[string]string
}

var (
	caddyfileBlock = regexp.MustCompile("(?s)```caddyfile\n(.*?)```")
	userCell       = regexp.MustCompile(`^(\w+) \(([\w-]+)\)$`)
	requestCell    = regexp.MustCompile("^`([A-Z]+) (/\\S+)`$")
)

// readmePolicy returns the Caddyfile of the README's section about rules, the
// role of each user of its table, and its rows.
func readmePolicy(t *testing.T) (config string, roles map[string]string, rows []tableRow) {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Who may do what\n")
	section, _, _ = strings.Cut(section, "\n## ")
	block := caddyfileBlock.FindStringSubmatch(section)
	if !found || block == nil {
		t.Fatal("README.md has no section `Who may do what` with a Caddyfile")
	}
	roles = make(map[string]string)
	var users []string
	for line := range strings.Lines(section) {
		if len(rows) > 0 && !strings.HasPrefix(line, "|") {
			break // of the tables, the first
		}
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if users == nil {
			for _, cell := range cells[1:] {
				user := userCell.FindStringSubmatch(cell)
				if user == nil {
					t.Fatalf("column %q is not `name (role)`", cell)
				}
				users, roles[user[1]] = append(users, user[1]), user[2]
			}
			continue
		}
		request := requestCell.FindStringSubmatch(cells[0])
		if request == nil || len(cells) != 1+len(users) {
			t.Fatalf("row %q", line)
		}
		row := tableRow{request[1], request[2], make(map[string]string)}
		for i, user := range users {
			row.status[user] = cells[1+i]
		}
		rows = append(rows, row)
	}
	if len(users) != 3 || len(rows) != 8 {
		t.Fatalf("the table has %d users and %d routes, want three and eight", len(users), len(rows))
	}
	return block[1], roles, rows
}

// policyExample is the example with the README's rules, as it stands, with its
// addresses from the environment.
func policyExample(t *testing.T, g *gateway, stackURL, issuer string) string {
	t.Helper()
	for name, value := range map[string]string{
		"GATEWAY_ADDRESS": g.URL, "GATEWAY_BIND": "127.0.0.1", "STACK_URL": stackURL, "OIDC_ISSUER": issuer, "OIDC_AUDIENCE": testissuer.Audience,
	} {
		t.Setenv(name, value)
	}
	text, err := os.ReadFile("examples/policy.Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	return "{\nadmin off\npersist_config off\ngrace_period 1ns\nservers {\nprotocols h1 h2c\n}\n" +
		"log {\noutput stack_auth_test\nlevel DEBUG\nformat json\n}\n}\n" + string(text)
}

// tableTest asks what the table promises, of the example behind a real Caddy.
type tableTest struct {
	*gateway
	stack    *stack
	rows     []tableRow
	roles    map[string]string // by user
	tokens   map[string]string // likewise
	stranger string            // a token without any of the roles
	versions map[int]*http.Transport
}

func newTableTest(t *testing.T, issuer *testissuer.Issuer) *tableTest {
	t.Helper()
	_, roles, rows := readmePolicy(t)
	p := &tableTest{
		gateway: startGateway(t, "respond 503"), stack: newStack(t),
		rows: rows, roles: roles, tokens: make(map[string]string),
		versions: map[int]*http.Transport{1: new(http.Transport), 2: {Protocols: new(http.Protocols)}},
	}
	p.versions[2].Protocols.SetUnencryptedHTTP2(true)
	token := func(user string, roles ...string) string {
		text := issuer.Token(user, map[string]any{"realm_access": map[string]any{"roles": roles}})
		keepSecret("Authorization", text)
		return text
	}
	for user, role := range roles {
		p.tokens[user] = token(user, "offline_access", "user", role)
	}
	p.stranger = token("otto", "guest")
	t.Cleanup(p.hangUp)
	return p
}

func (p *tableTest) hangUp() {
	for _, transport := range p.versions {
		transport.CloseIdleConnections()
	}
}

// ask sends the request in that version of HTTP.
func (p *tableTest) ask(t *testing.T, major int, method, path, token string) func() answer {
	return func() answer {
		t.Helper()
		req, err := http.NewRequest(method, p.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := p.versions[major].RoundTrip(req)
		for again := 0; err != nil && again < 2; again++ { // see send
			resp, err = p.versions[major].RoundTrip(req)
		}
		if err != nil {
			t.Fatal(err)
		}
		if resp.ProtoMajor != major {
			t.Fatalf("protocol is %s", resp.Proto)
		}
		return read(t, resp)
	}
}

// holds fails the test unless each row is answered with the status.
func (p *tableTest) holds(t *testing.T, statusOf func(row tableRow, user string) string) {
	t.Helper()
	p.hangUp() // on whatever was loaded before
	for major := range p.versions {
		for _, row := range p.rows {
			for user, token := range p.tokens {
				want := map[string]verdict{"200": passes, "403": forbidden}[statusOf(row, user)]
				if want == "" {
					t.Fatalf("%s %s of %s: the table says %s", row.method, row.path, user, row.status[user])
				}
				a := p.stack.judged(t, want, p.ask(t, major, row.method, row.path, token))
				if want == passes {
					p.stack.last(t).identity(t, user)
				}
				if told := a.Header.Get("X-Stack-Auth-Rule"); (told != "") != (p.roles[user] == "admin") {
					t.Errorf("%s is told %q", user, told)
				}
			}
			p.stack.judged(t, forbidden, p.ask(t, major, row.method, row.path, p.stranger))
			p.stack.judged(t, unknown, p.ask(t, major, row.method, row.path, ""))
		}
		p.stack.judged(t, passes, p.ask(t, major, "GET", "/v1/health", ""))
	}
}

// The README promises what each of three users may do. The example does it, in
// both versions of HTTP, before and after a reload.
func TestThePolicyOfTheREADMEDoesWhatItsTableSays(t *testing.T) {
	issuer := testissuer.New(t)
	p := newTableTest(t, issuer)
	config := policyExample(t, p.gateway, p.stack.URL, issuer.URL)
	closed := strings.Replace(config, "forbid /v1/admin*", "forbid\nforbid /v1/admin*", 1)
	if closed == config {
		t.Fatal("the example has no forbid to put another in front of")
	}
	asWritten := func(row tableRow, user string) string { return row.status[user] }
	load(t, config)
	t.Run("as it is loaded", func(t *testing.T) { p.holds(t, asWritten) })
	load(t, config)
	t.Run("after a reload", func(t *testing.T) { p.holds(t, asWritten) })
	load(t, closed)
	t.Run("after a reload that closes everything", func(t *testing.T) {
		p.holds(t, func(tableRow, string) string { return "403" })
	})
	load(t, config)
	t.Run("and after one that opens it again", func(t *testing.T) { p.holds(t, asWritten) })
}

func TestThePolicyOfTheREADMEHoldsHoweverUmaWritesThePath(t *testing.T) {
	issuer := testissuer.New(t)
	p := newTableTest(t, issuer)
	load(t, policyExample(t, p.gateway, p.stack.URL, issuer.URL))
	for want, targets := range map[verdict][]string{
		forbidden: {
			"/v1/Providers", "/V1/PROVIDERS/x", "/v1/%70roviders", "/v1%2Fproviders", "/v1/providers/", "/v1/providers?/v1/models",
			"/v1alpha", "/V1ALPHA/admin/health", "/v1/chat/completions", "/v1/MODELS", "/", "/v1/openai/v1/models",
		},
		twoWays: {
			"/v1/models/../providers", "/v1/models/%2e%2e/providers", "/v1/models/..%2Fproviders", "//v1/providers", "/v1//providers",
			"/v1/models/%252e%252e/providers", "/v1/models;/../providers", "/v1/models%00", "/v1/models//",
		},
	} {
		for _, target := range targets {
			for major := range p.versions {
				p.stack.judged(t, want, p.ask(t, major, "GET", target, p.tokens["uma"]))
			}
		}
	}
}

func TestTheRulesOfTheREADMEAreThoseOfTheExample(t *testing.T) {
	config, _, _ := readmePolicy(t)
	example, err := os.ReadFile("examples/policy.Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	ofReadme, ofExample := firstHandler(t, config), firstHandler(t, string(example))
	for _, option := range []string{"rules", "public", "explain_header", "require"} {
		if !reflect.DeepEqual(ofReadme[option], ofExample[option]) {
			t.Errorf("%s of the README: %v\nof the example: %v", option, ofReadme[option], ofExample[option])
		}
	}
	if rules, _ := ofReadme["rules"].([]any); len(rules) < 4 || rules[0].(map[string]any)["effect"] != "forbid" {
		t.Errorf("rules are %v", ofReadme["rules"])
	}
}

// firstHandler returns the JSON of the first handler of the first site.
func firstHandler(t *testing.T, config string) map[string]any {
	t.Helper()
	raw, err := adapt(config)
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct {
		Apps struct {
			HTTP struct {
				Servers map[string]struct{ Routes []json.RawMessage }
			}
		}
	}
	if err := caddy.StrictUnmarshalJSON(raw, new(caddy.Config)); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &parsed); err != nil {
		t.Fatal(err)
	}
	handler := findHandler(t, parsed.Apps.HTTP.Servers["srv0"].Routes[0])
	if handler == nil {
		t.Fatalf("no stack_auth in %s", raw)
	}
	return handler
}

// findHandler returns the first stack_auth in a route, or in those inside of it.
func findHandler(t *testing.T, route json.RawMessage) map[string]any {
	t.Helper()
	var parsed struct {
		Handle []map[string]any
	}
	if err := json.Unmarshal(route, &parsed); err != nil {
		t.Fatal(err)
	}
	for _, handler := range parsed.Handle {
		if handler["handler"] == "stack_auth" {
			return handler
		}
		inner, _ := handler["routes"].([]any)
		for _, r := range inner {
			raw, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if found := findHandler(t, raw); found != nil {
				return found
			}
		}
	}
	return nil
}
