package stackauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

const (
	bareChallenge    = `Bearer realm="stack"`
	invalidChallenge = `Bearer realm="stack", error="invalid_token", error_description="The token is not valid."`
	formChallenge    = `Bearer realm="stack", error="invalid_request", error_description="The credential does not have the form of one."`
	twiceChallenge   = `Bearer realm="stack", error="invalid_request", error_description="The request has more than one credential."`
)

// security.md, group A: what clients write into Authorization, as bytes.
func TestTheAuthorizationHeaderIsReadInOneWayOnly(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer)+proxy(stack))
	token := issuer.Token("alice", nil)
	keepSecret("Authorization", token)
	for _, c := range []struct {
		name, lines string
		status      int
		code        string
		challenge   string
	}{
		{"no header", "", 401, "missing_credential", bareChallenge},
		{"an empty header", "Authorization:\n", 400, "ambiguous_request", formChallenge},
		{"blanks only", "Authorization:   \t \n", 400, "ambiguous_request", formChallenge},
		{"a scheme alone", "Authorization: Bearer\n", 400, "ambiguous_request", formChallenge},
		{"a scheme and a blank", "Authorization: Bearer \n", 400, "ambiguous_request", formChallenge},
		{"a scheme and two tabs", "Authorization: Bearer\t\t\n", 400, "ambiguous_request", formChallenge},
		{"a lower-case scheme", "Authorization: bearer " + token + "\n", 200, "", ""},
		{"an upper-case scheme", "Authorization: BEARER " + token + "\n", 200, "", ""},
		{"a scheme in mixed case", "Authorization: BeArEr " + token + "\n", 200, "", ""},
		{"a lower-case header name", "authorization: Bearer " + token + "\n", 200, "", ""},
		{"a tab for the blank", "Authorization: Bearer\t" + token + "\n", 400, "ambiguous_request", formChallenge},
		{"two blanks", "Authorization: Bearer  " + token + "\n", 200, "", ""},
		{"no blank", "Authorization: Bearer" + token + "\n", 401, "missing_credential", bareChallenge},
		{"blanks around the value", "Authorization:  \t Bearer " + token + " \t\n", 200, "", ""},
		{"a word behind the token", "Authorization: Bearer " + token + " extra\n", 400, "ambiguous_request", formChallenge},
		{"two tokens in a list", "Authorization: Bearer " + token + ", Bearer x\n", 400, "ambiguous_request", formChallenge},
		{"two tokens with a comma", "Authorization: Bearer " + token + ",x\n", 400, "ambiguous_request", formChallenge},
		{"Basic and Bearer in a list", "Authorization: Basic eDp5, Bearer " + token + "\n", 400, "ambiguous_request", formChallenge},
		{"a quoted token", "Authorization: Bearer \"" + token + "\"\n", 400, "ambiguous_request", formChallenge},
		{"a bare token", "Authorization: " + token + "\n", 401, "missing_credential", bareChallenge},
		{"no scheme but a quote", "Authorization: \"" + token + "\"\n", 400, "ambiguous_request", formChallenge},
		{"two lines, the good one first", "Authorization: Bearer " + token + "\nAuthorization: Bearer x\n", 400, "duplicate_credential", twiceChallenge},
		{"two lines, the good one last", "Authorization: Basic x\nAuthorization: Bearer " + token + "\n", 400, "duplicate_credential", twiceChallenge},
		{"two lines, both good", "Authorization: Bearer " + token + "\nauthorization: Bearer " + token + "\n", 400, "duplicate_credential", twiceChallenge},
		{"two lines, one empty", "Authorization: Bearer " + token + "\nAuthorization:\n", 400, "duplicate_credential", twiceChallenge},
		{"Basic", "Authorization: Basic YWxpY2U6c2VjcmV0\n", 401, "missing_credential", bareChallenge},
		{"Digest", "Authorization: Digest username=\"alice\", realm=\"x\"\n", 401, "missing_credential", bareChallenge},
		{"Negotiate", "Authorization: Negotiate YIIB\n", 401, "missing_credential", bareChallenge},
		{"DPoP", "Authorization: DPoP " + token + "\n", 401, "missing_credential", bareChallenge},
		{"Proxy-Authorization", "Proxy-Authorization: Bearer " + token + "\n", 401, "missing_credential", bareChallenge},
		{"folded over two lines", "Authorization: Bearer\n " + token + "\n", 200, "", ""},
		{"fifteen thousand dots", "Authorization: Bearer " + strings.Repeat(".", 15000) + "\n", 401, "invalid_token", invalidChallenge},
		{"JSON serialization", "Authorization: Bearer {\"payload\":\"x\",\"signatures\":[]}\n", 400, "ambiguous_request", formChallenge},
		{"characters beyond ASCII", "Authorization: Bearer \xc3\xa9\n", 400, "ambiguous_request", formChallenge},
		{"an opaque token that nobody takes", "Authorization: Bearer sk-1234567890\n", 401, "invalid_token", invalidChallenge},
		{"a health checker's user agent", "User-Agent: kube-probe/1.30\n", 401, "missing_credential", bareChallenge},
		{"a load balancer's user agent", "User-Agent: GoogleHC/1.0\n", 401, "missing_credential", bareChallenge},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := stack.count()
			a := g.raw(t, "GET /v1/models HTTP/1.1\n"+c.lines+"\n")
			a.is(t, c.status, c.code)
			if got := a.Header.Get("WWW-Authenticate"); got != c.challenge {
				t.Errorf("WWW-Authenticate is %s, want %s", got, c.challenge)
			}
			if c.status != 200 {
				if stack.count() != before {
					t.Error("the request reached the stack")
				}
				return
			}
			got := stack.last(t)
			got.identity(t, "alice")
			got.isWithout(t, token)
		})
	}
	if n := issuer.Fetches(); n > 1 {
		t.Errorf("keys were fetched %d times", n)
	}
}

// What net/http refuses by itself has to stay refused.
func TestBrokenHeadersNeverReachTheHandler(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public *")+proxy(stack))
	for name, line := range map[string]string{
		"a NUL in the value":            "Authorization: Bearer a\x00b\r\n",
		"a bare CR in the value":        "Authorization: Bearer a\rb\r\n",
		"a blank before the colon":      "Authorization : Bearer a\r\n",
		"a name that is not ASCII":      "Authoriz\xc3\xa4tion: Bearer a\r\n",
		"a first line that is a folded": " Authorization: Bearer a\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			stack.isUntouched(t, func() {
				if a := g.raw(t, "GET / HTTP/1.1\r\nHost: x\r\n"+line+"\r\n"); a.StatusCode != 400 {
					t.Errorf("got %d %s", a.StatusCode, a.body)
				}
			})
		})
	}
}

func TestATokenBeyond32KiBIsRefusedBeforeItIsRead(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGatewayWith(t, "servers {\nmax_header_size 1MiB\n}", protect(issuer)+proxy(stack))
	huge := "e." + strings.Repeat("A", 33<<10) + ".e"
	started := time.Now()
	stack.isUntouched(t, func() {
		g.do(t, "GET", "/", bearer(huge)).is(t, 401, "invalid_token")
	})
	if took := time.Since(started); took > timeout {
		t.Errorf("took %s", took)
	}
}

func TestCaddyRefusesMoreThan16KiBOfHeaders(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer)+proxy(stack))
	stack.isUntouched(t, func() {
		if a := g.raw(t, "GET / HTTP/1.1\nAuthorization: Bearer "+strings.Repeat("A", 40<<10)+"\n\n"); a.StatusCode != 431 {
			t.Errorf("got %d", a.StatusCode)
		}
	})
}
