package stackauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// security.md, group B, without any token_source: only Authorization counts.
func TestACredentialInAnotherPlaceThanAuthorizationIsNone(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer)+proxy(stack))
	token := issuer.Token("alice", nil)
	keepSecret("Authorization", token)
	form := "POST /v1/x HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\nContent-Length: " // + length
	body := "access_token=" + token
	for name, request := range map[string]string{
		"query":       "GET /v1/x?access_token=" + token + " HTTP/1.1\n\n",
		"form":        form + itoa(len(body)) + "\n\n" + body,
		"cookie":      "GET /v1/x HTTP/1.1\nCookie: access_token=" + token + "\n\n",
		"x-api-key":   "GET /v1/x HTTP/1.1\nX-Api-Key: " + token + "\n\n",
		"api-key":     "GET /v1/x HTTP/1.1\nApi-Key: " + token + "\n\n",
		"subprotocol": "GET /v1/x HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Protocol: openai-insecure-api-key." + token + "\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			stack.isUntouched(t, func() {
				a := g.raw(t, request)
				a.is(t, 401, "missing_credential")
				if got := a.Header.Get("WWW-Authenticate"); got != bareChallenge {
					t.Errorf("WWW-Authenticate is %s", got)
				}
			})
		})
	}
}

const allSources = `token_source header Authorization Bearer
	token_source header X-Api-Key
	token_source query key
	token_source cookie session
	token_source websocket_protocol openai-insecure-api-key.`

func TestEveryConfiguredPlaceIsReadAndEmptied(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, allSources)+proxy(stack))
	token := issuer.Token("alice", nil)
	for _, c := range []struct {
		name, method, path string
		headers            []string
		left               func(*testing.T, reached)
	}{
		{"Authorization", "GET", "/v1/x", []string{bearer(token)}, nil},
		{"x-api-key", "GET", "/v1/x", []string{"X-Api-Key: " + token}, nil},
		{"x-api-key in another case", "GET", "/v1/x", []string{"x-api-KEY: " + token}, nil},
		{"query", "GET", "/v1/x?a=1&key=" + token + "&b=2", nil, func(t *testing.T, r reached) {
			if r.URL.RawQuery != "a=1&b=2" {
				t.Errorf("query is %s", r.URL.RawQuery)
			}
		}},
		{"query with an encoded name", "GET", "/v1/x?%6bey=" + token, nil, func(t *testing.T, r reached) {
			if r.URL.RawQuery != "" {
				t.Errorf("query is %s", r.URL.RawQuery)
			}
		}},
		{"cookie", "GET", "/v1/x", []string{"Cookie: a=1; session=" + token + "; b=2"}, func(t *testing.T, r reached) {
			if got := r.Header.Get("Cookie"); got != "a=1; b=2" {
				t.Errorf("cookies are %q", got)
			}
		}},
		{"the only cookie", "GET", "/v1/x", []string{"Cookie: session=" + token}, func(t *testing.T, r reached) {
			if _, there := r.Header["Cookie"]; there {
				t.Error("an empty Cookie header is left")
			}
		}},
		{"Authorization of another scheme beside it", "GET", "/v1/x", []string{"X-Api-Key: " + token, "Authorization: Basic eDp5"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := stack.count()
			g.do(t, c.method, c.path, c.headers...).is(t, 200, "")
			if stack.count() != before+1 {
				t.Fatal("not one request reached the stack")
			}
			r := stack.last(t)
			r.identity(t, "alice")
			r.isWithout(t, token)
			r.isWithout(t, "eDp5")
			if c.left != nil {
				c.left(t, r)
			}
		})
	}
}

func TestACredentialInTwoPlacesIsRefused(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, allSources)+proxy(stack))
	token := issuer.Token("alice", nil)
	for _, c := range []struct {
		name, path string
		headers    []string
	}{
		{"header and query", "/v1/x?key=" + token, []string{bearer(token)}},
		{"header and access_token, which is not configured", "/v1/x?access_token=" + token, []string{bearer(token)}},
		{"header and an empty access_token", "/v1/x?access_token=", []string{bearer(token)}},
		{"header and an encoded access_token", "/v1/x?access%5Ftoken=x", []string{bearer(token)}},
		{"header and an access_token behind a semicolon", "/v1/x?a=b;access_token=x", []string{bearer(token)}},
		{"header and cookie", "/v1/x", []string{bearer(token), "Cookie: session=" + token}},
		{"header and x-api-key", "/v1/x", []string{bearer(token), "X-Api-Key: " + token}},
		{"x-api-key twice", "/v1/x", []string{"X-Api-Key: " + token, "X-Api-Key: " + token}},
		{"x-api-key twice in different case", "/v1/x", []string{"X-Api-Key: " + token, "x-api-key: " + token}},
		{"query twice", "/v1/x?key=" + token + "&key=" + token, nil},
		{"query twice, once encoded", "/v1/x?key=" + token + "&%6Bey=x", nil},
		{"cookie twice", "/v1/x", []string{"Cookie: session=" + token + "; session=x"}},
		{"cookie in two lines", "/v1/x", []string{"Cookie: session=" + token, "Cookie: session=x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			stack.isUntouched(t, func() {
				a := g.do(t, "GET", c.path, c.headers...)
				a.is(t, 400, "duplicate_credential")
				if got := a.Header.Get("WWW-Authenticate"); got != twiceChallenge {
					t.Errorf("WWW-Authenticate is %s", got)
				}
			})
		})
	}
}

func TestABadCredentialInAConfiguredPlaceIsRefused(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, allSources)+proxy(stack))
	for _, c := range []struct {
		name, path, header string
		status             int
		code               string
	}{
		{"empty query parameter", "/v1/x?key=", "A: b", 400, "ambiguous_request"},
		{"query parameter without a value", "/v1/x?key", "A: b", 400, "ambiguous_request"},
		{"empty cookie", "/v1/x", "Cookie: session=", 400, "ambiguous_request"},
		{"empty x-api-key", "/v1/x", "X-Api-Key: ", 400, "ambiguous_request"},
		{"x-api-key with a scheme", "/v1/x", "X-Api-Key: Bearer x", 400, "ambiguous_request"},
		{"x-api-key that is nobody's", "/v1/x", "X-Api-Key: sk-1", 401, "invalid_token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stack.isUntouched(t, func() { g.do(t, "GET", c.path, c.header).is(t, c.status, c.code) })
		})
	}
}

// A page of another site makes a browser send our cookie along.
func TestACookieIsOnlyTakenFromTheSameSite(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "token_source cookie session\ntoken_source header Authorization Bearer")+proxy(stack))
	token := issuer.Token("alice", nil)
	cookie := "Cookie: session=" + token
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-Websocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-Websocket-Version: 13"}
	for _, c := range []struct {
		name, method string
		headers      []string
		status       int
	}{
		{"a read without Origin", "GET", nil, 200},
		{"a read from anywhere", "GET", []string{"Origin: https://evil.example"}, 200},
		{"a write without Origin", "POST", nil, 403},
		{"a write from another site", "POST", []string{"Origin: https://evil.example"}, 403},
		{"a write from a page without origin", "DELETE", []string{"Origin: null"}, 403},
		{"a write with two origins", "POST", []string{"Origin: " + g.URL, "Origin: https://evil.example"}, 403},
		{"a write from another port", "POST", []string{"Origin: http://127.0.0.1:1"}, 403},
		{"a write from a host that begins alike", "POST", []string{"Origin: " + g.URL + ".evil.example"}, 403},
		{"a write from the same site", "POST", []string{"Origin: " + g.URL}, 200},
		{"a WebSocket without Origin", "GET", upgrade, 403},
		{"a WebSocket from another site", "GET", append([]string{"Origin: https://evil.example"}, upgrade...), 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := stack.count()
			a := g.do(t, c.method, "/v1/x", append([]string{cookie}, c.headers...)...)
			if c.status == 200 {
				a.is(t, 200, "")
				return
			}
			a.is(t, c.status, "origin_mismatch")
			if stack.count() != before || a.Header.Get("WWW-Authenticate") != "" {
				t.Errorf("%d requests reached the stack; challenge %q", stack.count()-before, a.Header.Get("WWW-Authenticate"))
			}
		})
	}
	t.Run("a header needs no Origin", func(t *testing.T) {
		g.do(t, "POST", "/v1/x", bearer(token)).is(t, 200, "")
	})
}

// A cookie through which another site opens a WebSocket is a story of its own
// with `Connection: Origin`, which takes the Origin off before anybody looks.
func TestAConnectionTokenCannotTakeTheOriginOffACookie(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "token_source cookie session")+proxy(stack))
	stack.isUntouched(t, func() {
		g.do(t, "POST", "/v1/x", "Cookie: session="+issuer.Token("alice", nil), "Connection: Origin", "Origin: https://evil.example").
			is(t, 403, "origin_mismatch")
	})
}

func TestForwardTokenSendsItOnInOneForm(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "forward_token", allSources)+proxy(stack))
	token := issuer.Token("alice", nil)
	for _, c := range []struct{ name, path, header string }{
		{"as it is", "/v1/x", bearer(token)},
		{"lower case", "/v1/x", "Authorization: bearer " + token},
		{"two blanks", "/v1/x", "Authorization: BEARER  " + token},
		{"x-api-key", "/v1/x", "X-Api-Key: " + token},
		{"cookie", "/v1/x", "Cookie: session=" + token},
		{"query", "/v1/x?key=" + token, "A: b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g.do(t, "GET", c.path, c.header).is(t, 200, "")
			r := stack.last(t)
			r.identity(t, "alice")
			if got := r.Header["Authorization"]; len(got) != 1 || got[0] != "Bearer "+token {
				t.Errorf("Authorization is there %d times, or in another form", len(got))
			}
			r.Header.Del("Authorization")
			r.isWithout(t, token)
		})
	}
	t.Run("a refused one is not sent anywhere", func(t *testing.T) {
		stack.isUntouched(t, func() { g.do(t, "GET", "/v1/x", bearer(token+"x")).is(t, 401, "invalid_token") })
	})
}

// The access log shows the URI and all headers but four.
func TestASourceThatTheAccessLogShowsIsWarnedAbout(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	startGateway(t, protect(issuer, allSources)+proxy(stack))
	warned := make(map[string]string)
	for _, line := range logs.lines(t, "http.handlers.stack_auth.auth") {
		if line.text("level") == "warn" {
			warned[line.text("token_source")] = line.text("filter")
		}
	}
	for source, filter := range map[string]string{
		"header X-Api-Key": "request>headers>X-Api-Key delete",
		"query key":        "request>uri query {\n\treplace key REDACTED\n}",
		"websocket_protocol openai-insecure-api-key.": "request>headers>Sec-Websocket-Protocol delete",
	} {
		if warned[source] != filter {
			t.Errorf("%s: filter is %q", source, warned[source])
		}
		delete(warned, source)
	}
	if len(warned) != 0 {
		t.Errorf("warned about more: %v", warned)
	}
}

// What the warning says to write has to work.
func TestTheLogFilterOfTheWarningKeepsTheTokenOutOfTheAccessLog(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, allSources)+`
	log {
		output stack_auth_test
		format filter {
			wrap json
			request>uri query {
				replace key REDACTED
			}
			request>headers>X-Api-Key delete
			request>headers>Sec-Websocket-Protocol delete
		}
	}
	`+proxy(stack))
	token := issuer.Token("alice", nil)
	keepSecret("Authorization", token)
	g.do(t, "GET", "/v1/x?key="+token).is(t, 200, "")
	g.do(t, "GET", "/v1/x", "X-Api-Key: "+token).is(t, 200, "")
	g.do(t, "GET", "/v1/x", "Cookie: session="+token).is(t, 200, "")
	eventually(t, timeout, "three lines of access log", func() bool {
		return strings.Count(logs.text(), "http.log.access") >= 3
	})
	if strings.Contains(logs.text(), token[len(token)-40:]) {
		t.Error("the token is in the log")
	}
}

func TestASubprotocolIsTakenOffAndTheOthersStay(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	stack.answerWith(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUpgradeRequired) })
	g := startGateway(t, protect(issuer, allSources)+proxy(stack))
	token := issuer.Token("alice", nil)
	g.do(t, "GET", "/v1/realtime", "Connection: Upgrade", "Upgrade: websocket",
		"Sec-Websocket-Protocol: realtime, openai-insecure-api-key."+token+", openai-beta.realtime-v1")
	r := stack.last(t)
	r.identity(t, "alice")
	r.isWithout(t, token)
	if got := r.Header.Get("Sec-Websocket-Protocol"); got != "realtime, openai-beta.realtime-v1" {
		t.Errorf("subprotocols are %q", got)
	}
}
