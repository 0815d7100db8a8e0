package stackauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	stackauth "github.com/caddy-stack-auth/caddy-stack-auth"
	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// Caddy's matchers do not match a query that Go does not parse; Python's servers
// take out of it what they can read. One bad parameter must not hide another.
func TestMalloryHidesAQueryBehindOneThatNobodyReads(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	mallory := as(issuer, "mallory", "user")
	hidden := []string{"admin=1&x=%zz", "admin=1&a;b", "a;b&admin=1", "admin=1&%", "%&admin=1"}
	for name, rules := range map[string]string{
		"a forbid":                  "forbid {\nmatch {\nquery admin=*\n}\n}\npermit",
		"a permit for the others":   "permit {\nmatch {\nnot query admin=*\n}\n}",
		"a forbid by an expression": "forbid {\nmatch {\nexpression `{query.admin} == '1'`\n}\n}\npermit",
		"a forbid by a function":    "forbid {\nmatch {\nexpression `query({'admin': '1'})`\n}\n}\npermit",
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, protect(issuer, rules)+proxy(stack))
			stack.judged(t, passes, func() answer { return g.do(t, "GET", "/x?a=1%25", mallory) })
			stack.judged(t, forbidden, func() answer { return g.do(t, "GET", "/x?admin=1", mallory) })
			for _, query := range hidden {
				stack.judged(t, forbidden, func() answer { return g.raw(t, "GET /x?"+query+" HTTP/1.1\n"+mallory+"\n\n") })
			}
		})
	}
	t.Run("rules about something else do not mind", func(t *testing.T) {
		g := startGateway(t, protect(issuer, "permit {\nmatch {\nremote_ip private_ranges\n}\n}")+proxy(stack))
		stack.judged(t, passes, func() answer { return g.raw(t, "GET /x?a=%zz HTTP/1.1\n"+mallory+"\n\n") })
	})
	t.Run("a block for such queries", func(t *testing.T) {
		g := startGateway(t, "@admin query admin=*\n"+protect(issuer)+"stack_auth @admin {\nrequire roles admin\n}\n"+proxy(stack))
		stack.judged(t, passes, func() answer { return g.do(t, "GET", "/x?a=1", mallory) })
		for _, query := range append(hidden, "admin=1") {
			stack.judged(t, forbidden, func() answer { return g.raw(t, "GET /x?"+query+" HTTP/1.1\n"+mallory+"\n\n") })
			stack.judged(t, passes, func() answer {
				// It is decided, and not simply refused.
				return g.raw(t, "GET /x?"+query+" HTTP/1.1\n"+as(issuer, "anna", "admin")+"\n\n")
			})
		}
	})
}

// Over HTTP/2 and HTTP/3 a WebSocket has neither Upgrade nor Connection until
// reverse_proxy makes them, and rules must see it as they see one over HTTP/1.1.
func TestMatchersTellAWebSocketByItsHeadersOverEveryVersion(t *testing.T) {
	issuer := testissuer.New(t)
	token := issuer.Token("mallory", nil)
	ask := func(d *direct, major int) (int, *http.Request) {
		r := httptest.NewRequest("GET", "/v1/realtime", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		switch r.ProtoMajor = major; major {
		case 1:
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
			r.Header.Set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
		case 2:
			r.Method = "CONNECT"
			r.Header[":protocol"] = []string{"websocket"}
			r.Header.Set("Sec-WebSocket-Key", "of the caller")
		case 3:
			r.Method, r.Proto = "CONNECT", "websocket"
		}
		w, passed, err := d.serve(r)
		if err != nil {
			t.Fatal(err)
		}
		return w.Code, passed
	}
	for name, c := range map[string]struct {
		rules  string
		status int
	}{
		"a forbid by Upgrade":         {"forbid {\nmatch {\nheader Upgrade websocket\n}\n}\npermit", 403},
		"a forbid by Connection":      {"forbid {\nmatch {\nheader Connection *Upgrade*\n}\n}\npermit", 403},
		"a forbid by the key":         {"forbid {\nmatch {\nheader Sec-WebSocket-Key *\n}\n}\npermit", 403},
		"a forbid by an expression":   {"forbid {\nmatch {\nexpression `{http.request.header.Upgrade} == 'websocket'`\n}\n}\npermit", 403},
		"a permit for all the others": {"permit {\nmatch {\nnot header Upgrade *\n}\n}", 403},
		"a permit for WebSockets":     {"permit {\nmatch {\nmethod GET\nheader Upgrade websocket\n}\n}", 200},
		"a forbid of something else":  {"forbid {\nmatch {\nheader Upgrade h2c\n}\n}\npermit", 200},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirect(t, protect(issuer, c.rules))
			for _, major := range []int{1, 2, 3} {
				status, passed := ask(d, major)
				if status != c.status || (passed != nil) != (c.status == 200) {
					t.Errorf("HTTP/%d: got %d, passed %v", major, status, passed != nil)
				}
				if passed != nil && major > 1 && (passed.Header["Upgrade"] != nil || passed.Header["Connection"] != nil || passed.Method != "CONNECT") {
					t.Errorf("HTTP/%d: went on as %s %v", major, passed.Method, passed.Header)
				}
				if passed != nil && major > 1 && (passed.Header.Get("Sec-WebSocket-Key") == "of the caller") != (major == 2) {
					t.Errorf("HTTP/%d: went on with the key %q", major, passed.Header["Sec-Websocket-Key"])
				}
			}
		})
	}
}

// What one rule reads as a GET, the next one must see as it came.
func TestARuleThatReadsAHEADAsAGETLeavesItToTheNextAsItIs(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "forbid {\nmatch {\nheader X-None 1\n}\n}",
		"forbid {\nmatch {\nexpression `{http.request.method} == 'HEAD'`\n}\n}\npermit")+proxy(stack))
	anna := as(issuer, "anna")
	stack.judged(t, passes, func() answer { return g.do(t, "GET", "/x", anna) })
	stack.judged(t, forbidden, func() answer { return g.do(t, "HEAD", "/x", anna) })
}

// A block for WebSockets is for those over HTTP/2 and HTTP/3 too: without it they
// would go on undecided.
func TestABlockForWebSocketsIsForThoseOfEveryVersion(t *testing.T) {
	h := &stackauth.Handler{
		Match:   caddyhttp.RawMatcherSets{{"header": []byte(`{"Connection":["*Upgrade*"],"Upgrade":["websocket"]}`)}},
		Require: []abac.Requirement{{Attribute: "roles", Values: []string{"admin"}}},
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	if err := h.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	d := &direct{Handler: h}
	for major, proto := range map[int]string{2: "HTTP/2.0", 3: "websocket"} {
		r := httptest.NewRequest("CONNECT", "/", nil)
		r.URL.Path, r.ProtoMajor, r.Proto = "/v1/realtime", major, proto
		r.Header[":protocol"] = []string{"websocket"}
		if w, passed, err := d.serve(r); err != nil || w.Code != 401 || passed != nil {
			t.Errorf("HTTP/%d: got %d, passed %v, %v", major, w.Code, passed != nil, err)
		}
	}
	r := httptest.NewRequest("GET", "/v1/models", nil)
	if _, passed, err := d.serve(r); err != nil || passed == nil {
		t.Errorf("another request is not for it: passed %v, %v", passed != nil, err)
	}
}

// example, as bcrypt has it at its lowest cost.
const exampleHash = "$2a$04$cDJpdYfD2NYSHbm2s6cf4uVSxBBr3Zvdu/xRjwXcDUHw3q3iHBPMO"

// Another plugin's admin need not be ours.
func TestMatchersOfRulesAskForOurUserAndNotAnotherPlugins(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	key := func(principal string) string { return "X-Api-Key: " + issuer.Token(principal, nil) }
	const basic = "basic_auth {\nadmin " + exampleHash + "\n}\n"
	g := startGateway(t, "route {\n"+basic+protect(issuer, "token_source header X-Api-Key",
		"permit {\nmatch {\nexpression `{http.auth.user.id} == 'admin'`\n}\n}")+proxy(stack)+"}\n")
	stack.judged(t, passes, func() answer { return g.do(t, "GET", "/x", key("admin"), "Authorization: Basic YWRtaW46ZXhhbXBsZQ==") })
	stack.judged(t, forbidden, func() answer {
		return g.do(t, "GET", "/x", key("mallory"), "Authorization: Basic YWRtaW46ZXhhbXBsZQ==")
	})
}

// What a template, a deletion by the admin API or a YAML file without a value
// leaves behind must not make a rule for everybody.
func TestRulesThatAreLeftEmptyAreErrors(t *testing.T) {
	const (
		rule    = `{"effect":"permit","paths":["/v1/x"],"when":[{"op":"user_with_in","value":"admin","attribute":"roles"}]}`
		matcher = `{"effect":"permit","match":[{"method":["GET"],%}]}`
	)
	with := func(raw string) string { return `"rules":[` + strings.Replace(matcher, "%", raw, 1) + `]` }
	for name, c := range map[string]struct{ options, err string }{
		"whole rule":             {`"rules":[` + rule + `]`, ""},
		"no rule left":           {`"rules":[]`, "rules is empty"},
		"no requirement left":    {`"require":[]`, "require is empty, and would require nothing"},
		"require is null":        {`"require":null`, "require is empty"},
		"requirement is null":    {`"require":[null]`, "attribute"},
		"when is null":           {`"rules":[{"effect":"permit","when":null}]`, "when is null"},
		"unless is null":         {`"rules":[{"effect":"forbid","unless":null}]`, "unless is null"},
		"paths is null":          {`"rules":[{"effect":"permit","paths":null}]`, "paths is null"},
		"methods is null":        {`"rules":[{"effect":"permit","methods":null}]`, "methods is null"},
		"match is null":          {`"rules":[{"effect":"permit","match":null}]`, "match is null"},
		"effect is null":         {`"rules":[{"effect":null}]`, "effect is null"},
		"rule is null":           {`"rules":[null]`, "effect"},
		"in another case":        {`"rules":[{"effect":"permit","When":null}]`, "When is null"},
		"unknown option":         {`"rules":[{"effect":"permit","whan":[]}]`, "unknown field"},
		"headers":                {with(`"header":{"X-A":["b"]}`), ""},
		"no header":              {with(`"header":{}`), "header is empty"},
		"no header expression":   {with(`"header_regexp":{}`), "header_regexp is empty"},
		"no path expression":     {with(`"path_regexp":{}`), "path_regexp is empty"},
		"a path expression":      {with(`"path_regexp":{"pattern":"^/v1/"}`), ""},
		"an empty expression":    {with(`"path_regexp":{"name":"a","pattern":""}`), "path_regexp is empty"},
		"no variable":            {with(`"vars":{}`), "vars is empty"},
		"no variable expression": {with(`"vars_regexp":{}`), "vars_regexp is empty"},
		"not something":          {with(`"not":[{"path":["/a"]}]`), ""},
		"not nothing":            {with(`"not":[]`), "match is empty"},
		"not null":               {with(`"not":null`), "match is empty"},
		"not an empty set":       {with(`"not":[{}]`), "match is empty"},
		"not no header":          {with(`"not":[{"header":{}}]`), "header is empty"},
		"not not nothing":        {with(`"not":[{"not":[]}]`), "match is empty"},
		"a path":                 {with(`"path":["/a",""]`), ""},
		"no path":                {with(`"path":[]`), "path is empty"},
		"a path without one":     {with(`"path":[""]`), "path is empty"},
		"no host":                {with(`"host":null`), "host is empty"},
		"no protocol":            {with(`"protocol":""`), "protocol is empty"},
		"not no path":            {with(`"not":[{"path":[]}]`), "path is empty"},
		"an address":             {with(`"client_ip":{"ranges":["192.0.2.1"]}`), ""},
		"no address":             {with(`"client_ip":{}`), "client_ip is empty"},
		"no peer":                {with(`"remote_ip":{"ranges":[]}`), "remote_ip is empty"},
		"not no address":         {with(`"not":[{"client_ip":{}}]`), "client_ip is empty"},
		"no query at all":        {with(`"query":{}`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			config := `{"admin":{"disabled":true},"apps":{"http":{"servers":{"a":{"listen":["` + freeAddress(t) +
				`"],"routes":[{"handle":[{"handler":"stack_auth",` + c.options + `}]}]}}}}}`
			t.Cleanup(func() { _ = caddy.Stop() })
			err := caddy.Load([]byte(config), true)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
	}
	// As an environment variable that is not set leaves it.
	for matcher, want := range map[string]string{
		"not {\n}":  "match is empty",
		"path":      "path is empty",
		"not path":  "path is empty",
		"method":    "method is empty",
		"client_ip": "client_ip is empty",
	} {
		t.Run("in a Caddyfile: "+matcher, func(t *testing.T) {
			_, err := adapt(site("forbid {\nmatch {\n" + matcher + "\n}\n}"))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The method may be another one than the block at the site has seen.
func TestAMethodThatBecameAnUnknownOneIsRefusedFurtherIn(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer)+"route {\nmethod {query.m}\nstack_auth {\nforbid {\nmethods DELETE\n}\npermit\n}\n"+proxy(stack)+"}\n")
	anna := as(issuer, "anna")
	stack.judged(t, passes, func() answer { return g.do(t, "GET", "/x?m=post", anna) })
	stack.judged(t, forbidden, func() answer { return g.do(t, "GET", "/x?m=delete", anna) })
	for _, method := range []string{"TRACE", "CONNECT", "PURGE", "DELETE%20", "%C5%BF"} {
		stack.isUntouched(t, func() { g.do(t, "GET", "/x?m="+method, anna).is(t, 405, "method_not_allowed") })
	}
}

// Nobody has been asked who sends a preflight: as a GET it must not read anything.
func TestAPreflightThatBecameSomethingElseIsAskedForACredentialFurtherIn(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "allow_preflight")+"route {\nmethod {query.m}\nstack_auth {\npermit\n}\n"+proxy(stack)+"}\n")
	preflight := []string{"Origin: https://a.example", "Access-Control-Request-Method: GET"}
	stack.judged(t, passes, func() answer { return g.do(t, "OPTIONS", "/x?m=options", preflight...) })
	for _, method := range []string{"get", "delete"} {
		stack.judged(t, unknown, func() answer { return g.do(t, "OPTIONS", "/x?m="+method, preflight...) })
	}
}

// countingMatcher counts how often it is asked, and never matches.
type countingMatcher struct{}

var timesAsked atomic.Int64

func init() { caddy.RegisterModule(new(countingMatcher)) }

func (*countingMatcher) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.matchers.stack_auth_test_counting", New: func() caddy.Module { return new(countingMatcher) }}
}

func (*countingMatcher) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return nil }

// MatchWithError implements caddyhttp.RequestMatcherWithError.
func (*countingMatcher) MatchWithError(*http.Request) (bool, error) {
	timesAsked.Add(1)
	return false, nil
}

// Why each rule did not apply is only for the log. Whoever is refused all the
// time must not cost twice what others cost.
func TestAFloodOfRefusalsIsNotExplained(t *testing.T) {
	issuer := testissuer.New(t)
	for name, options := range map[string]string{"enforced": "", "in shadow": "shadow"} {
		t.Run(name, func(t *testing.T) {
			d := newDirect(t, protect(issuer, options, "log_levels {\npolicy info\n}", "permit {\nmatch {\nstack_auth_test_counting\n}\n}"))
			token := issuer.Token("mallory", nil)
			ask := func() int64 {
				before := timesAsked.Load()
				r := httptest.NewRequest("GET", "/x", nil)
				r.Header.Set("Authorization", "Bearer "+token)
				if w, _, err := d.serve(r); err != nil || options == "" && w.Code != 403 {
					t.Fatal(w.Code, err)
				}
				return timesAsked.Load() - before
			}
			if n := ask(); n != 2 {
				t.Errorf("the first is asked for %d times, want once to decide and once to say why", n)
			}
			const flood = 1000
			total := int64(0)
			for range flood {
				total += ask()
			}
			if total > flood+flood/2 {
				t.Errorf("asked %d times for %d requests", total, flood)
			}
		})
	}
}

var (
	_ caddyhttp.RequestMatcherWithError = (*countingMatcher)(nil)
	_ caddyfile.Unmarshaler             = (*countingMatcher)(nil)
)
