package providers

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// cluster stands in for an API server. It says what it is told to say, and
// remembers what it was asked.
type cluster struct {
	mu     sync.Mutex
	answer http.HandlerFunc
	asked  []asked
}

type asked struct {
	host, method, path, authorization, body string
	header                                  http.Header
}

func newCluster(answer http.HandlerFunc) *cluster { return &cluster{answer: answer} }

func (c *cluster) says(answer http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

// questions returns what it was asked so far.
func (c *cluster) questions() []asked {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.asked = append(c.asked, asked{r.Host, r.Method, r.URL.EscapedPath(), r.Header.Get("Authorization"), string(body), r.Header})
	answer := c.answer
	c.mu.Unlock()
	answer(w, r)
}

const (
	clusterURL = "https://cluster.example"
	selfPath   = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
	tokenPath  = "/apis/authentication.k8s.io/v1/tokenreviews"
	robot      = "system:serviceaccount:team-red:robot"
	callers    = "callers-token-test-only"
	gateways   = "gateways-token-test-only"
)

// whose is the answer to a SelfSubjectReview, as an API server gives it.
func whose(userInfo string) http.HandlerFunc {
	return saying(http.StatusCreated, `{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1",`+
		`"metadata":{"creationTimestamp":"2026-11-01T10:00:00Z"},"status":{"userInfo":`+userInfo+`}}`)
}

// verdict is the answer to a TokenReview, as an API server gives it: with what
// it was sent.
func verdict(status string) http.HandlerFunc {
	return saying(http.StatusCreated, `{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","metadata":{},`+
		`"spec":{"token":"`+callers+`","audiences":["llama-stack"]},"status":`+status+`}`)
}

func good(user string) http.HandlerFunc {
	return verdict(`{"authenticated":true,"user":` + user + `,"audiences":["llama-stack"]}`)
}

const robotInfo = `{"username":"` + robot + `","uid":"5d0c9d7a","groups":["system:serviceaccounts",` +
	`"system:serviceaccounts:team-red","system:authenticated"],"extra":{"authentication.kubernetes.io/pod-name":["robot-0"]}}`

// selfSubject is a block that lets team-red's accounts in.
const selfSubject = "api_server_url " + clusterURL + "\nservice_accounts team-red/*\n"

// tokenReview is a block that asks with a token of its own.
func tokenReview(t testing.TB) string {
	t.Helper()
	return "api_server_url " + clusterURL + "\nreview token\naudiences llama-stack\ntoken_file " + ownTokenFile(t, gateways) + "\n"
}

func ownTokenFile(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// newKubernetes returns a provider that reaches the cluster, and nothing else.
func newKubernetes(t testing.TB, c *cluster, lines string) *Kubernetes {
	t.Helper()
	k := newKind[*Kubernetes](t, "kubernetes", lines)
	k.reaches(c)
	return k
}

func TestAServiceAccountIsWhoTheAPIServerSaysItIs(t *testing.T) {
	for review, lines := range map[string]string{"self_subject": selfSubject, "token": tokenReview(t)} {
		t.Run(review, func(t *testing.T) {
			c := newCluster(whose(robotInfo))
			if review == reviewToken {
				c.says(good(robotInfo))
			}
			k := newKubernetes(t, c, lines+"tenant_claim namespace")
			yes := wantYes(t, askKind(t, k, callers), robot)
			if got, want := yes.User.Attributes.JSON(), `{"namespaces":["team-red"]}`; got != want {
				t.Errorf("attributes are %s, want %s", got, want)
			}
			if yes.User.Tenant != "team-red" {
				t.Errorf("tenant is %q", yes.User.Tenant)
			}
		})
	}
}

// The question, to the letter: whose token goes where is the difference between
// the two reviews.
func TestASelfSubjectReviewIsAskedByTheCallerAlone(t *testing.T) {
	c := newCluster(whose(robotInfo))
	wantYes(t, askKind(t, newKubernetes(t, c, selfSubject), callers), robot)
	q := c.questions()
	if len(q) != 1 {
		t.Fatalf("%d questions, want 1", len(q))
	}
	if q[0].host != "cluster.example" || q[0].method != http.MethodPost || q[0].path != selfPath {
		t.Errorf("asked %s %s %s", q[0].method, q[0].host, q[0].path)
	}
	if q[0].authorization != "Bearer "+callers {
		t.Errorf("Authorization is %q", q[0].authorization)
	}
	if want := `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`; q[0].body != want {
		t.Errorf("sent %s, want %s", q[0].body, want)
	}
	wantJSONHeaders(t, q[0].header)
}

func TestATokenReviewIsAskedByTheGatewayAboutTheCaller(t *testing.T) {
	c := newCluster(good(robotInfo))
	wantYes(t, askKind(t, newKubernetes(t, c, tokenReview(t)+"audiences other-api"), callers), robot)
	q := c.questions()
	if len(q) != 1 {
		t.Fatalf("%d questions, want 1", len(q))
	}
	if q[0].host != "cluster.example" || q[0].method != http.MethodPost || q[0].path != tokenPath {
		t.Errorf("asked %s %s %s", q[0].method, q[0].host, q[0].path)
	}
	if q[0].authorization != "Bearer "+gateways {
		t.Errorf("Authorization is %q", q[0].authorization)
	}
	want := `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"` + callers +
		`","audiences":["llama-stack","other-api"]}}`
	if q[0].body != want {
		t.Errorf("sent %s, want %s", q[0].body, want)
	}
	wantJSONHeaders(t, q[0].header)
}

func wantJSONHeaders(t *testing.T, h http.Header) {
	t.Helper()
	for _, name := range []string{"Content-Type", "Accept"} {
		if got := h.Values(name); len(got) != 1 || got[0] != "application/json" {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// Without a token, and for one of another form, nobody is asked.
func TestOnlyTokensOfItsOwnFormAreShownToTheAPIServer(t *testing.T) {
	c := newCluster(whose(robotInfo))
	k := newKubernetes(t, c, selfSubject+"tokens jwt")
	wantNotMine(t, askKind(t, k, ""))
	wantNotMine(t, askKind(t, k, "opaque"))
	if n := len(c.questions()); n != 0 {
		t.Fatalf("%d questions", n)
	}
	wantYes(t, askKind(t, k, "a.b.c"), robot)
	for lines, want := range map[string]Scope{
		"":                  {JWT: true, Opaque: true},
		"tokens jwt":        {JWT: true},
		"tokens opaque":     {Opaque: true},
		"tokens prefix k8s": {JWT: true, Opaque: true, Prefixes: []string{"k8s"}},
	} {
		if got := newKubernetes(t, c, selfSubject+lines).Scope(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q: scope is %v, want %v", lines, got, want)
		}
	}
}

// Case 148, R11: what a SelfSubjectReview may say, and what follows.
func TestASelfSubjectReviewIsReadStrictly(t *testing.T) {
	const no, cannot = "no: ", "cannot tell: "
	in := func(status int) http.HandlerFunc {
		return saying(status, `{"status":{"userInfo":`+robotInfo+`}}`)
	}
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"200", in(200), "yes: " + robot},
		{"201", in(201), "yes: " + robot},
		{"401", saying(401, `{}`), no + "API server refuses the token"},
		{"401 that names somebody", in(401), no + "API server refuses the token"},
		{"403", in(403), cannot + "self subject review: status 403: the cluster's RBAC does not let the caller ask (the ClusterRole system:basic-user does)"},
		{"404", in(404), cannot + "self subject review: status 404: no API server, or one before Kubernetes 1.28"},
		{"202", in(202), cannot + "self subject review: status 202"},
		{"204", saying(204, ""), cannot + "self subject review: status 204"},
		{"400", in(400), cannot + "self subject review: status 400"},
		{"429", in(429), cannot + "self subject review: status 429"},
		{"500", in(500), cannot + "self subject review: status 500"},
		{"no JSON", saying(201, "<html>"), cannot + "self subject review: expected a JSON object"},
		{"an empty answer", saying(201, ""), cannot + "self subject review: expected a JSON object"},
		{"the question again", saying(201, `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`), cannot + "self subject review: status is not an object"},
		{"a failure as 200", saying(200, `{"kind":"Status","status":"Failure"}`), cannot + "self subject review: status is not an object"},
		{"no userInfo", saying(201, `{"status":{}}`), cannot + "self subject review: there is no user"},
		{"UserInfo", saying(201, `{"status":{"UserInfo":`+robotInfo+`}}`), cannot + "self subject review: there is no user"},
		{"a TokenReview's user", saying(201, `{"status":{"authenticated":true,"user":`+robotInfo+`}}`), cannot + "self subject review: there is no user"},
		{"null for a user", whose(`null`), cannot + "self subject review: there is no user"},
		{"a name for a user", whose(`"` + robot + `"`), cannot + "self subject review: there is no user"},
		{"two users", saying(201, `{"status":{"userInfo":`+robotInfo+`,"userInfo":{"username":"admin"}}}`), cannot + "self subject review: decoding JSON: a member name is there twice"},
		{"two names", whose(`{"username":"` + robot + `","user\u006eame":"admin"}`), cannot + "self subject review: decoding JSON: a member name is there twice"},
		{"no name", whose(`{"uid":"1"}`), cannot + "self subject review: username is not a string with something in it"},
		{"an empty name", whose(`{"username":""}`), cannot + "self subject review: username is not a string with something in it"},
		{"a number for a name", whose(`{"username":1}`), cannot + "self subject review: username is not a string with something in it"},
		{"Username", whose(`{"Username":"` + robot + `"}`), cannot + "self subject review: username is not a string with something in it"},
		{"broken UTF-8", whose("{\"username\":\"" + robot + "\xff\"}"), cannot + "self subject review: decoding JSON: syntax error at byte 194"},
		{"a number for uid", whose(`{"username":"` + robot + `","uid":1}`), cannot + "self subject review: uid is not a string"},
		{"no groups", whose(`{"username":"` + robot + `"}`), "yes: " + robot},
		{"null for groups", whose(`{"username":"` + robot + `","groups":null}`), cannot + "self subject review: groups is not a list of strings"},
		{"a string for groups", whose(`{"username":"` + robot + `","groups":"a b"}`), cannot + "self subject review: groups is not a list of strings"},
		{"a number among groups", whose(`{"username":"` + robot + `","groups":["a",1]}`), cannot + "self subject review: groups is not a list of strings"},
		{"a list among groups", whose(`{"username":"` + robot + `","groups":[["a"]]}`), cannot + "self subject review: groups is not a list of strings"},
		{"a list for extra", whose(`{"username":"` + robot + `","extra":[]}`), cannot + "self subject review: extra is not an object"},
		{"a string in extra", whose(`{"username":"` + robot + `","extra":{"a":"b"}}`), cannot + "self subject review: extra has something else than lists of strings"},
		{"somebody anonymous", whose(`{"username":"system:anonymous","groups":["system:unauthenticated"]}`), no + "API server takes the caller for anonymous"},
		{"anonymous by name only", whose(`{"username":"system:anonymous"}`), no + "API server takes the caller for anonymous"},
		{"anonymous by group only", whose(`{"username":"` + robot + `","groups":["a","system:unauthenticated"]}`), no + "API server takes the caller for anonymous"},
		{"another namespace", whose(`{"username":"system:serviceaccount:team-blue:robot"}`), no + "caller is none of service_accounts"},
		{"a person", whose(`{"username":"alice"}`), no + "caller is none of service_accounts"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(tc.answer)
			if got := describe(askKind(t, newKubernetes(t, c, selfSubject), callers)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if n := len(c.questions()); n != 1 {
				t.Errorf("%d questions", n)
			}
		})
	}
}

// Cases 143 and 144.
func TestATokenReviewIsReadStrictly(t *testing.T) {
	const no, cannot = "no: ", "cannot tell: token review: "
	const bad, unknown, elsewhere = no + "API server found the token bad", no + "API server does not know the token",
		no + "token is for none of the configured audiences"
	const mine = `"audiences":["llama-stack"]`
	const user = `"user":` + robotInfo
	in := func(status int) http.HandlerFunc {
		return saying(status, `{"status":{"authenticated":true,`+mine+`,`+user+`}}`)
	}
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"200", in(200), "yes: " + robot},
		{"201", in(201), "yes: " + robot},
		{"our token is refused", in(401), cannot + "status 401: API server refuses the gateway's own token (token_file)"},
		{"we may not ask", in(403), cannot + "status 403: the gateway's own service account (token_file) needs the ClusterRole system:auth-delegator"},
		{"404", in(404), cannot + "status 404"},
		{"202", in(202), cannot + "status 202"},
		{"500", in(500), cannot + "status 500"},
		{"no JSON", saying(201, "ok"), cannot + "expected a JSON object"},
		{"the question again", saying(201, `{"spec":{"token":"`+callers+`",`+mine+`}}`), cannot + "status is not an object"},
		{"an empty status", verdict(`{}`), unknown},
		{"not authenticated", verdict(`{"authenticated":false,` + mine + `,` + user + `}`), unknown},
		{"authenticated is missing", verdict(`{` + mine + `,` + user + `}`), unknown},
		{"Authenticated", verdict(`{"Authenticated":true,` + mine + `,` + user + `}`), unknown},
		{"authenticated is text", verdict(`{"authenticated":"true",` + mine + `,` + user + `}`), cannot + "authenticated is not a boolean"},
		{"authenticated is 1", verdict(`{"authenticated":1,` + mine + `,` + user + `}`), cannot + "authenticated is not a boolean"},
		{"authenticated is null", verdict(`{"authenticated":null,` + mine + `,` + user + `}`), cannot + "authenticated is not a boolean"},
		{"authenticated is both", verdict(`{"authenticated":false,"authenticated":true,` + mine + `,` + user + `}`), cannot + "decoding JSON: a member name is there twice"},
		{"an error", verdict(`{"error":"[invalid bearer token, token audiences [x] is invalid]"}`), bad},
		{"an error, and authenticated", verdict(`{"authenticated":true,"error":"x",` + mine + `,` + user + `}`), bad},
		{"an empty error", verdict(`{"authenticated":true,"error":"",` + mine + `,` + user + `}`), "yes: " + robot},
		{"an error that is none", verdict(`{"authenticated":true,"error":false,` + mine + `,` + user + `}`), cannot + "error is not a string"},
		{"an error that is null", verdict(`{"authenticated":true,"error":null,` + mine + `,` + user + `}`), cannot + "error is not a string"},
		{"audiences are missing", verdict(`{"authenticated":true,` + user + `}`), elsewhere},
		{"no audiences", verdict(`{"authenticated":true,"audiences":[],` + user + `}`), elsewhere},
		{"another audience", verdict(`{"authenticated":true,"audiences":["https://kubernetes.default.svc"],` + user + `}`), elsewhere},
		{"an audience in another case", verdict(`{"authenticated":true,"audiences":["Llama-Stack"],` + user + `}`), elsewhere},
		{"an audience that begins like ours", verdict(`{"authenticated":true,"audiences":["llama-stack-2","llama"],` + user + `}`), elsewhere},
		{"ours among others", verdict(`{"authenticated":true,"audiences":["x","llama-stack"],` + user + `}`), "yes: " + robot},
		{"a string for audiences", verdict(`{"authenticated":true,"audiences":"llama-stack",` + user + `}`), cannot + "audiences is not a list of strings"},
		{"null for audiences", verdict(`{"authenticated":true,"audiences":null,` + user + `}`), cannot + "audiences is not a list of strings"},
		{"a list among audiences", verdict(`{"authenticated":true,"audiences":["llama-stack",["x"]],` + user + `}`), cannot + "audiences is not a list of strings"},
		{"no user", verdict(`{"authenticated":true,` + mine + `}`), cannot + "there is no user"},
		{"a SelfSubjectReview's user", verdict(`{"authenticated":true,` + mine + `,"userInfo":` + robotInfo + `}`), cannot + "there is no user"},
		{"an empty name", good(`{"username":""}`), cannot + "username is not a string with something in it"},
		{"somebody anonymous", good(`{"username":"system:anonymous","groups":["system:unauthenticated"]}`), no + "API server takes the caller for anonymous"},
		{"a string for groups", good(`{"username":"alice","groups":"admin"}`), cannot + "groups is not a list of strings"},
		{"a person", good(`{"username":"alice"}`), "yes: alice"},
		{"a name that no principal can have", good(`{"username":"a\u0000b"}`), no + "principal has the unprintable character U+0000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(tc.answer)
			if got := describe(askKind(t, newKubernetes(t, c, tokenReview(t)), callers)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if n := len(c.questions()); n != 1 {
				t.Errorf("%d questions", n)
			}
		})
	}
}
