package stackauth_test

import (
	"regexp"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

var matchersFailed = regexp.MustCompile(`^(anonymous: )?matchers of (permit 2 “large numbers”|forbid 3) failed$`)

func TestAMatcherThatFailsDeniesWhateverItsRuleWouldDo(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	const fails = "match {\nexpression `int({http.request.header.X-Number}) > 5`\n}\n"
	g := startGateway(t, protect(issuer, `
		allow_anonymous
		permit /first
		permit /permit {
			when user with user in roles
			`+fails+`
			description "large numbers"
		}
		forbid /forbid {
			unless user with admin in roles
			methods GET
			`+fails+`
		}
		permit`)+proxy(stack))
	user, admin := as(issuer, "uma", "user"), as(issuer, "anna", "admin")
	for _, c := range []struct {
		name, method, path, who, number string
		want                            verdict
		rule                            string
	}{
		{"a permit that matches", "GET", "/permit", user, "7", passes, ""},
		{"a permit that does not, and one behind it", "GET", "/permit", user, "3", passes, ""},
		{"a permit that cannot tell, with one behind it", "GET", "/permit", user, "many", forbidden, "large numbers"},
		{"a permit that cannot tell of a HEAD", "HEAD", "/permit", user, "many", forbidden, "large numbers"},
		{"a forbid that matches", "GET", "/forbid", user, "7", forbidden, ""},
		{"a forbid that does not", "GET", "/forbid", user, "3", passes, ""},
		{"a forbid that cannot tell", "GET", "/forbid", user, "", forbidden, "forbid 3"},
		{"a forbid that cannot tell of a HEAD", "HEAD", "/forbid", user, "", forbidden, "forbid 3"},
		{"of another path nobody asks it", "GET", "/other", user, "many", passes, ""},
		{"nor of another method", "POST", "/forbid", user, "many", passes, ""},
		{"nor where when does not hold", "GET", "/permit", admin, "many", passes, ""},
		{"nor where unless holds", "GET", "/forbid", admin, "many", passes, ""},
		{"nor behind a rule that applies", "GET", "/first", user, "many", passes, ""},
		{"of somebody anonymous it is 401", "GET", "/forbid", "X-None: x", "many", unknown, "forbid 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := len(refusals(t))
			stack.judged(t, c.want, func() answer { return g.do(t, c.method, c.path, c.who, "X-Number: "+c.number) })
			if c.rule == "" {
				return
			}
			line := refusals(t)[n]
			// Which rule it is, and nothing of the matcher's words: they may have a header.
			if !matchersFailed.MatchString(line.text("reason")) || line.text("rule") != c.rule {
				t.Errorf("line is %v", line)
			}
		})
	}
}

func TestMatchersAreThereBesideWhatTheRuleSaysItself(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, `
		permit /v1/chat* {
			when user with user in roles
			match {
				client_ip 127.0.0.0/8
				header X-Purpose batch
			}
		}
		permit /v1/inside {
			match {
				client_ip 10.0.0.0/8
			}
		}
		permit /v1/admin* {
			match {
				stack_auth roles admin
			}
		}
		permit /v1/both {
			match {
				expression `+"`stack_auth({'roles': ['admin']}) && {http.auth.user.id} == 'anna'`"+`
			}
		}
		permit /v1/header {
			match {
				header X-Auth-User-Id admin
			}
		}
		permit /v1/header {
			match {
				header X-Auth-Attributes *admin*
			}
		}
		permit /v1/token {
			match {
				header Authorization *
			}
		}`)+proxy(stack))
	user, admin := as(issuer, "uma", "user"), as(issuer, "anna", "admin")
	for _, c := range []struct {
		name, path string
		headers    []string
		want       verdict
	}{
		{"all of it", "/v1/chat", []string{user, "X-Purpose: batch"}, passes},
		{"without one of the matchers", "/v1/chat", []string{user}, forbidden},
		{"without the condition", "/v1/chat", []string{admin, "X-Purpose: batch"}, forbidden},
		{"not from where it must be", "/v1/inside", []string{user}, forbidden},
		{"and a header does not bring anybody there", "/v1/inside", []string{user, "X-Forwarded-For: 10.0.0.1", "X-Real-Ip: 10.0.0.1"}, forbidden},
		{"our own matcher knows the caller", "/v1/admin", []string{admin}, passes},
		{"and who is another", "/v1/admin", []string{user}, forbidden},
		{"in an expression, too", "/v1/both", []string{admin}, passes},
		{"with all of it", "/v1/both", []string{as(issuer, "otto", "admin")}, forbidden},
		{"forged identity is gone before a rule looks", "/v1/header", []string{user, "X-Auth-User-Id: admin", `X-Auth-Attributes: {"roles":["admin"]}`}, forbidden},
		{"and so is the credential", "/v1/token", []string{user}, forbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			stack.judged(t, c.want, func() answer { return g.do(t, "GET", c.path, c.headers...) })
		})
	}
}
