package stackauth_test

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

const module = "http.handlers.stack_auth"

func TestLevelsByCategory(t *testing.T) {
	// What the test can see: a refusal is info of auth, new keys are debug of
	// providers, and a caller without the role is info of policy.
	const refusal, keys, policy = "auth: request refused", "providers: key set is new", "policy: request refused"
	for _, c := range []struct {
		name, variable, options, log string
		shown, hidden                []string
	}{
		{"by default refusals show", "", "", "level INFO", []string{refusal, policy}, []string{keys}},
		{"debug of one category, below the level of the log", "providers=debug", "", "level INFO", []string{refusal, keys, policy}, nil},
		{"in any case, with commas and blanks", " ProVIDers = DeBUG , auth=Error", "", "level INFO", []string{keys, policy}, []string{refusal}},
		{"with semicolons, and some too many", ";;policy=error;;providers=debug;", "", "level INFO", []string{refusal, keys}, []string{policy}},
		{"all of them", "all=debug", "", "level ERROR", []string{refusal, keys, policy}, nil},
		{"all of them, but one", "all=debug;policy=error", "", "level ERROR", []string{refusal, keys}, []string{policy}},
		{"a higher level than the log's", "all=error", "", "level DEBUG", nil, []string{refusal, keys, policy}},
		{"in the block", "", "log_levels {\nproviders debug\nauth ERROR\n}", "level INFO", []string{keys, policy}, []string{refusal}},
		{"the variable goes before the block", "providers=info;auth=info", "log_levels {\nproviders debug\nauth error\n}", "level INFO", []string{refusal, policy}, []string{keys}},
		{"and leaves what it does not name", "providers=debug", "log_levels {\nauth error\n}", "level INFO", []string{keys, policy}, []string{refusal}},
		{"all of the variable goes before anything of the block", "all=info", "log_levels {\nproviders debug\nauth error\n}", "level INFO", []string{refusal, policy}, []string{keys}},
		{"a log that excludes a category", "all=debug", "", "level INFO\nexclude " + module + ".auth", []string{keys, policy}, []string{refusal}},
		{"a log that excludes everything of ours", "all=debug", "", "level INFO\nexclude " + module, nil, []string{refusal, keys, policy}},
		{"a log that includes something else", "all=debug", "", "level INFO\ninclude http.log.access", nil, []string{refusal, keys, policy}},
		{"a log that includes one category", "all=debug", "", "level INFO\ninclude " + module + ".providers", []string{keys}, []string{refusal, policy}},
		{"unknown parts are ignored, the rest applies", "nonsense;tokens=debug;auth=loud;providers=debug", "", "level INFO", []string{refusal, keys, policy}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("STACK_AUTH_LOGGING", c.variable)
			issuer, stack := testissuer.New(t), newStack(t)
			g := startGatewayWith(t, "log {\noutput stack_auth_test\nformat json\n"+c.log+"\n}",
				protect(issuer, "require roles user", c.options)+proxy(stack))
			g.do(t, "GET", "/", bearer(issuer.Token("alice", nil))).is(t, 403, "insufficient_permissions")
			g.do(t, "GET", "/").is(t, 401, "missing_credential")
			seen := make(map[string]int)
			for _, line := range logs.lines(t, module) {
				seen[strings.TrimPrefix(line.text("logger"), module+".")+": "+line.text("msg")]++
			}
			for _, want := range c.shown {
				if seen[want] != 1 {
					t.Errorf("%q is there %d times", want, seen[want])
				}
			}
			for _, hidden := range c.hidden {
				if seen[hidden] != 0 {
					t.Errorf("%q is there", hidden)
				}
			}
		})
	}
}

func TestWhatIsWrongInTheVariableIsNamed(t *testing.T) {
	t.Setenv("STACK_AUTH_LOGGING", "nonsense;tokens=debug,auth=loud;policy=fatal;providers=debug")
	issuer, stack := testissuer.New(t), newStack(t)
	startGateway(t, protect(issuer)+proxy(stack))
	var warned []string
	for _, line := range logs.lines(t, module) {
		if line.text("level") == "warn" {
			warned = append(warned, line.text("reason"))
		}
	}
	all := strings.Join(warned, "\n")
	for _, name := range []string{`"nonsense"`, `"tokens"`, `"loud"`, `"fatal"`} {
		if !strings.Contains(all, name) {
			t.Errorf("nothing says %s is wrong: %s", name, all)
		}
	}
	if len(warned) != 4 {
		t.Errorf("%d warnings: %s", len(warned), all)
	}
}

// Debug lines that were asked for have no place in an audit file.
func TestOtherLogsKeepTheirLevels(t *testing.T) {
	t.Setenv("STACK_AUTH_LOGGING", "all=debug")
	audit.reset()
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGatewayWith(t, `
		log {
			output stack_auth_test
			format json
			level ERROR
		}
		log audit {
			output stack_auth_test audit
			format json
			level INFO
		}`, protect(issuer)+proxy(stack))
	g.do(t, "GET", "/", bearer(issuer.Token("alice", nil))).is(t, 200, "")
	g.do(t, "GET", "/").is(t, 401, "missing_credential")
	count := func(l *memoryLog, level string) (n int) {
		for _, line := range l.lines(t, module) {
			if line.text("level") == level {
				n++
			}
		}
		return n
	}
	if count(audit, "debug") != 0 || count(audit, "info") != 1 {
		t.Errorf("the audit log has %d debug and %d info lines", count(audit, "debug"), count(audit, "info"))
	}
	if count(logs, "debug") == 0 || count(logs, "info") != 1 {
		t.Errorf("the default log has %d debug and %d info lines", count(logs, "debug"), count(logs, "info"))
	}
}

func TestARefusalIsOneLineWithItsReason(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "require roles user")+proxy(stack))
	for _, c := range []struct {
		header string
		want   map[string]any
	}{
		{"A: b", map[string]any{"logger": module + ".auth", "level": "info", "status": 401.0, "code": "missing_credential", "reason": "no credential"}},
		{bearer(issuer.Token("alice", map[string]any{"exp": 1000})), map[string]any{
			"logger": module + ".auth", "status": 401.0, "code": "expired_token", "reason": "token has expired", "provider": "oauth2_token",
		}},
		{bearer(issuer.Token("alice", map[string]any{"aud": "x"})), map[string]any{
			"code": "invalid_token", "reason": "aud has none of the configured audiences", "provider": "oauth2_token",
		}},
		{bearer(issuer.Token("bob", nil)), map[string]any{
			"logger": module + ".policy", "status": 403.0, "code": "insufficient_permissions", "principal": "bob", "rule": "require 1",
			"reason": "caller does not have any of the required roles", "provider": "oauth2_token",
		}},
	} {
		before := len(refusals(t))
		g.do(t, "GET", "/v1/x", c.header)
		lines := refusals(t)[before:]
		if len(lines) != 1 {
			t.Fatalf("%d lines", len(lines))
		}
		c.want["method"], c.want["path"], c.want["client_ip"] = "GET", "/v1/x", "127.0.0.1"
		for key, want := range c.want {
			if lines[0][key] != want {
				t.Errorf("%s is %v, want %v", key, lines[0][key], want)
			}
		}
	}
}

func TestASuccessIsNothingAboveDebug(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public /public")+proxy(stack))
	for range 3 {
		g.do(t, "GET", "/", bearer(issuer.Token("alice", nil))).is(t, 200, "")
		g.do(t, "GET", "/public").is(t, 200, "")
	}
	for _, line := range logs.lines(t, module) {
		if line.text("level") != "debug" {
			t.Errorf("line: %v", line)
		}
	}
}

// A flood of refusals must not fill the disk, and must not go uncounted.
func TestAFloodOfRefusalsIsCountedAndNotWritten(t *testing.T) {
	const flood, others = 400, 3
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer)+proxy(stack))
	for range flood {
		g.do(t, "GET", "/").is(t, 401, "missing_credential")
	}
	for range others { // another code has an allowance of its own
		g.do(t, "TRACE", "/").is(t, 405, "method_not_allowed")
	}
	if err := caddy.Stop(); err != nil { // flushes what is held back
		t.Fatal(err)
	}
	written, counted, other := 0, 0, 0
	for _, line := range logs.lines(t, module) {
		switch {
		case line.text("code") == "method_not_allowed":
			other++
			continue
		case line.text("msg") == "request refused":
			written++
		}
		if n, ok := line["suppressed"].(float64); ok {
			counted += int(n)
		}
	}
	if written+counted != flood {
		t.Errorf("%d written and %d counted of %d", written, counted, flood)
	}
	if written < 50 || written > 150 {
		t.Errorf("%d lines were written", written)
	}
	if other != others {
		t.Errorf("%d lines of another code", other)
	}
}
