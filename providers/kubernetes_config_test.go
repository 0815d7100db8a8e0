package providers

import (
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func loadKubernetes(t testing.TB, config string) (*Kubernetes, error) {
	t.Helper()
	v, err := newContext(t, zap.NewNop()).LoadModuleByID(Namespace+".kubernetes", json.RawMessage(config))
	if err != nil {
		return nil, err
	}
	return v.(*Kubernetes), nil
}

// What the Caddyfile cannot say, and what only loading can tell. The others are
// in testdata/adapt.
func TestKubernetesConfigurationsThatCannotBeLoadedAreErrors(t *testing.T) {
	t.Setenv("STACK_AUTH_URL", "http://cluster.example/c2VjcmV0")
	t.Setenv("STACK_AUTH_QUERY", "https://cluster.example/?c2VjcmV0")
	t.Setenv("STACK_AUTH_FRAGMENT", "https://cluster.example/#")
	t.Setenv("STACK_AUTH_USER", "https://c2VjcmV0@cluster.example")
	const all = `,"service_accounts":["any"]}`
	for config, want := range map[string]string{
		`{}`:                                      "service_accounts is required with review self_subject",
		`{"service_accounts":[]}`:                 "service_accounts is required with review self_subject",
		`{"bogus":1` + all:                        `unknown field "bogus"`,
		`{"review":"Token"` + all:                 `review "Token": expected self_subject or token`,
		`{"audiences":["a"]` + all:                "audiences has no meaning with review self_subject",
		`{"token_file":"/a"` + all:                "token_file has no meaning with review self_subject",
		`{"review":"token"}`:                      "audiences is required with review token",
		`{"review":"token","audiences":[` + `]}`:  "audiences is required with review token",
		`{"review":"token","audiences":["a",""]}`: "audiences: one is empty",
		`{"review":"token","audiences":["a"],"service_accounts":[]}`:                  "service_accounts is empty",
		`{"review":"token","audiences":["{env.STACK_AUTH_UNSET}"]}`:                   "audiences: {env.STACK_AUTH_UNSET} is empty",
		`{"review":"token","audiences":["{http.request.host}"]}`:                      "audiences: {http.request.host}: expected",
		`{"review":"token","audiences":["a"],"token_file":"{env.STACK_AUTH_UNSET}"}`:  "token_file: {env.STACK_AUTH_UNSET} is empty",
		`{"review":"token","audiences":["a"],"token_file":"{http.request.uri.path}"}`: "token_file: {http.request.uri.path}: expected",
		`{"service_accounts":["any","a/b"]}`:                                          "any lets everybody in",
		`{"service_accounts":["a"]}`:                                                  `service_accounts "a": expected <namespace>/<name>`,
		`{"service_accounts":[""]}`:                                                   `service_accounts "": expected`,
		`{"service_accounts":["*/a"]}`:                                                `service_accounts "*/a": expected`,
		`{"service_accounts":["*/*"]}`:                                                `service_accounts "*/*": expected`,
		`{"service_accounts":["a/b*"]}`:                                               `service_accounts "a/b*": expected`,
		`{"service_accounts":["a/"]}`:                                                 `service_accounts "a/": expected`,
		`{"service_accounts":["/b"]}`:                                                 `service_accounts "/b": expected`,
		`{"service_accounts":["a/b/c"]}`:                                              `service_accounts "a/b/c": expected`,
		`{"service_accounts":["a:b"]}`:                                                `service_accounts "a:b": expected`,
		`{"service_accounts":["A/b"]}`:                                                `service_accounts "A/b": expected`,
		`{"service_accounts":["a.b/c"]}`:                                              `service_accounts "a.b/c": expected`,
		`{"service_accounts":["Any"]}`:                                                `service_accounts "Any": expected`,
		`{"service_accounts":["{env.X}/b"]}`:                                          `service_accounts "{env.X}/b": expected`,
		`{"service_accounts":["` + strings.Repeat("a", 64) + `/b"]}`:                  "expected <namespace>/<name>",
		`{"service_accounts":["a/` + strings.Repeat("b", 254) + `"]}`:                 "expected <namespace>/<name>",
		`{"system_groups":["masters"]` + all:                                          `system_groups "masters": expected the whole name`,
		`{"system_groups":["System:masters"]` + all:                                   `system_groups "System:masters": expected`,
		`{"system_groups":["system:"]` + all:                                          `system_groups "system:": expected`,
		`{"system_groups":["system:*"]` + all:                                         `system_groups "system:*": expected`,
		`{"api_server_url":"http://cluster.example"` + all:                            "expected https (plain http needs allow_http)",
		`{"api_server_url":"cluster.example:6443"` + all:                              "expected an absolute https URL",
		`{"api_server_url":"https://a:b@cluster.example"` + all:                       "expected a URL without credentials",
		`{"api_server_url":"https://cluster.example/?x=y"` + all:                      "expected a URL without a query",
		`{"api_server_url":"https://cluster.example/?"` + all:                         "expected a URL without a query",
		`{"api_server_url":"https://cluster.example/#"` + all:                         "expected a URL without credentials and fragment",
		`{"api_server_url":"{http.request.host}"` + all:                               "api_server_url: {http.request.host}: expected",
		`{"api_server_url":"https://{env.STACK_AUTH_UNSET}"` + all:                    "api_server_url: {env.STACK_AUTH_UNSET} is empty",
		`{"api_server_url":"{env.STACK_AUTH_URL}"` + all:                              "api_server_url {env.STACK_AUTH_URL}: expected it to give an absolute https URL",
		`{"api_server_url":"{env.STACK_AUTH_USER}"` + all:                             "api_server_url {env.STACK_AUTH_USER}: expected it to give an absolute https URL",
		`{"api_server_url":"{env.STACK_AUTH_QUERY}"` + all:                            "api_server_url {env.STACK_AUTH_QUERY}: expected it to give a URL without a query",
		`{"api_server_url":"{env.STACK_AUTH_FRAGMENT}"` + all:                         "api_server_url {env.STACK_AUTH_FRAGMENT}: expected it to give an absolute https URL without credentials",
		`{"principal_claim":[""]` + all:                                               "principal_claim: claim path is empty",
		`{"timeout":-1` + all:                                                         "timeout -1ns: expected more than zero",
		`{"cache_ttl":-1` + all:                                                       "cache_ttl -1ns: expected zero or more",
		`{"transport":{"protocol":"bogus"}` + all:                                     "loading transport: ",
		`{"transport":{"protocol":"http","tls":{"client_certificate_file":"/a","client_certificate_key_file":"/b"}}` + all: "transport: a client certificate with review self_subject",
		`{"transport":{"protocol":"http","tls":{"client_certificate_automate":"gateway"}}` + all:                           "transport: a client certificate with review self_subject",
		`{"transport":{"protocol":"http","TLS":{"Client_Certificate_Automate":"gateway"}}` + all:                           "transport: a client certificate with review self_subject",
	} {
		k, err := loadKubernetes(t, config)
		if err == nil || k != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nerror %v\nwant  %s", config, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%s: the error has the value: %v", config, err)
		}
	}
}

func TestPlaceholdersOfAKubernetesBlockAreResolvedAtLoadAndNotShown(t *testing.T) {
	t.Setenv("STACK_AUTH_URL", "https://cluster.example/k8s/clusters/c-1/")
	t.Setenv("STACK_AUTH_AUDIENCE", "llama-stack")
	t.Setenv("STACK_AUTH_FILE", ownTokenFile(t, gateways))
	c := newCluster(good(robotInfo))
	k := newKubernetes(t, c, "api_server_url {env.STACK_AUTH_URL}\nreview token\naudiences {env.STACK_AUTH_AUDIENCE}\ntoken_file {env.STACK_AUTH_FILE}")
	t.Setenv("STACK_AUTH_URL", "https://elsewhere.example")
	wantYes(t, askKind(t, k, callers), robot)
	if q := c.questions(); q[0].host != "cluster.example" || q[0].path != "/k8s/clusters/c-1"+tokenPath || q[0].authorization != "Bearer "+gateways {
		t.Errorf("asked %+v", q[0])
	}
	exported, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"cluster.example", "llama-stack", os.Getenv("STACK_AUTH_FILE")} {
		if strings.Contains(string(exported), value) {
			t.Errorf("%q shows in the configuration: %s", value, exported)
		}
	}
}

// A slash at the end, and paths below which a proxy has an API server.
func TestTheReviewsAreBelowTheAPIServersAddress(t *testing.T) {
	for address, want := range map[string]string{
		"https://cluster.example":                   selfPath,
		"https://cluster.example/":                  selfPath,
		"https://cluster.example//":                 selfPath,
		"https://cluster.example/k8s/c-1":           "/k8s/c-1" + selfPath,
		"https://cluster.example/k8s/c-1/":          "/k8s/c-1" + selfPath,
		"https://cluster.example/a%2Fb":             "/a%2Fb" + selfPath,
		"https://[fd00::1]:6443":                    selfPath,
		"http://127.0.0.1:8001":                     selfPath,
		"http://cluster.example\nallow_http":        selfPath,
		"https://cluster.example/x:y@z\ntimeout 1s": "/x:y@z" + selfPath,
	} {
		t.Run(address, func(t *testing.T) {
			c := newCluster(whose(robotInfo))
			wantYes(t, askKind(t, newKubernetes(t, c, "service_accounts any\napi_server_url "+address), callers), robot)
			u, err := url.Parse(strings.Fields(address)[0])
			if err != nil {
				t.Fatal(err)
			}
			if q := c.questions(); q[0].host != u.Host || q[0].path != want {
				t.Errorf("asked %s %s, want %s %s", q[0].host, q[0].path, u.Host, want)
			}
		})
	}
}

// Where nothing is said, a pod's environment says where the API server is.
func TestThePodsEnvironmentSaysWhereTheAPIServerIs(t *testing.T) {
	for _, tc := range []struct{ host, port, want string }{
		{"", "", "kubernetes.default.svc"},
		{"10.0.0.1", "", "kubernetes.default.svc"},
		{"", "443", "kubernetes.default.svc"},
		{"10.0.0.1", "443", "10.0.0.1:443"},
		{"fd00:10::1", "6443", "[fd00:10::1]:6443"},
		{"api.cluster.example", "443", "api.cluster.example:443"},
	} {
		t.Run(tc.host+" "+tc.port, func(t *testing.T) {
			t.Setenv("KUBERNETES_SERVICE_HOST", tc.host)
			t.Setenv("KUBERNETES_SERVICE_PORT", tc.port)
			c := newCluster(whose(robotInfo))
			wantYes(t, askKind(t, newKubernetes(t, c, "service_accounts any"), callers), robot)
			if q := c.questions(); q[0].host != tc.want || q[0].path != selfPath {
				t.Errorf("asked %s %s, want %s", q[0].host, q[0].path, tc.want)
			}
		})
	}
	for _, tc := range [][2]string{
		{"evil.example/x", "443"},
		{"10.0.0.1", "443@evil.example"},
		{"10.0.0.1", "443/x"},
		{"a@evil.example", "443"},
		{"10.0.0.1", "https"},
		{"10.0.0.1?", "443"},
		{"10.0.0.1#", "443"},
		{"10.0.0.1 ", "443"},
		{"[fd00::1]", "443"},
	} {
		t.Run(tc[0]+" "+tc[1], func(t *testing.T) {
			t.Setenv("KUBERNETES_SERVICE_HOST", tc[0])
			t.Setenv("KUBERNETES_SERVICE_PORT", tc[1])
			k, err := loadKubernetes(t, `{"service_accounts":["any"]}`)
			if err == nil || !strings.Contains(err.Error(), "are not a host and a port") {
				t.Errorf("loaded %v, error %v", k, err)
			}
		})
	}
}

// moveTo lets a test have a pod's files for its own.
func moveTo(t *testing.T, path *string, to string) {
	t.Helper()
	was := *path
	*path = to
	t.Cleanup(func() { *path = was })
}

// podOf makes this process a pod of the server's cluster.
func podOf(t *testing.T, server *httptest.Server) {
	t.Helper()
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", host)
	t.Setenv("KUBERNETES_SERVICE_PORT", port)
	ca := filepath.Join(t.TempDir(), "ca.crt")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	moveTo(t, &podCA, ca)
	moveTo(t, &podToken, ownTokenFile(t, gateways+"\n"))
}

// In a pod the block needs no address, no CA and no token file. That CA is
// trusted for that address, and for no other.
func TestInAPodTheClustersOwnCAIsTrustedForTheClusterAlone(t *testing.T) {
	c := newCluster(whose(robotInfo))
	server := httptest.NewUnstartedServer(c)
	server.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
	server.StartTLS()
	t.Cleanup(server.Close)
	podOf(t, server)

	k := newKind[*Kubernetes](t, "kubernetes", "service_accounts team-red/*")
	wantYes(t, askKind(t, k, callers), robot)
	exported, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(exported), "transport") || strings.Contains(string(exported), "ca.crt") {
		t.Errorf("what the pod knows shows in the configuration: %s", exported)
	}

	c.says(good(robotInfo))
	wantYes(t, askKind(t, newKind[*Kubernetes](t, "kubernetes", "review token\naudiences llama-stack"), callers), robot)
	q := c.questions()
	if len(q) != 2 || q[1].authorization != "Bearer "+gateways {
		t.Errorf("asked %+v", q)
	}

	for _, lines := range []string{"api_server_url " + server.URL, "transport http"} {
		wantCannotTell(t, askKind(t, newKind[*Kubernetes](t, "kubernetes", "service_accounts team-red/*\n"+lines), callers))
	}
	moveTo(t, &podCA, filepath.Join(t.TempDir(), "none"))
	wantCannotTell(t, askKind(t, newKind[*Kubernetes](t, "kubernetes", "service_accounts team-red/*"), callers))
	if n := len(c.questions()); n != 2 {
		t.Errorf("%d questions: a token went to a server that was not checked", n)
	}

	moveTo(t, &podCA, ownTokenFile(t, "not a certificate"))
	wantCannotTell(t, askKind(t, newKind[*Kubernetes](t, "kubernetes", "service_accounts team-red/*"), callers))
	if n := len(c.questions()); n != 2 {
		t.Errorf("%d questions: without a CA, any certificate will do", n)
	}
}

// The way in for everybody's nonsense: the API server takes the connection's
// certificate before the token.
func TestAClientCertificateIsForTokenReviewsOnly(t *testing.T) {
	for _, lines := range []string{
		"transport http {\n tls_client_auth /run/tls.crt /run/tls.key\n}", "transport http {\n tls_client_auth gateway.example\n}",
	} {
		_, err := parseKind("kubernetes", "service_accounts any\n"+lines)
		if err == nil || !strings.Contains(err.Error(), "makes every caller the gateway") {
			t.Errorf("%s: error is %v", lines, err)
		}
		if _, err := parseKind("kubernetes", "review token\naudiences a\n"+lines); err != nil {
			t.Errorf("%s: %v", lines, err)
		}
	}
}

// Whoever leaves the door open is told so, once, when the configuration is
// loaded.
func TestAnOpenDoorIsWarnedOf(t *testing.T) {
	for lines, want := range map[string]int{
		"service_accounts any":                                  1,
		"service_accounts a/*":                                  0,
		"review token\naudiences a":                             0,
		"review token\naudiences a\nservice_accounts any":       0,
		"review self_subject\nservice_accounts any\ntokens jwt": 1,
	} {
		core, logs := observer.New(zapcore.WarnLevel)
		if _, err := loadKind(t, newContext(t, zap.New(core)), "kubernetes", lines); err != nil {
			t.Fatal(err)
		}
		if n := logs.Len(); n != want {
			t.Errorf("%q: %d warnings, want %d: %v", lines, n, want, logs.All())
		}
	}
}

func TestLoadingAKubernetesBlockAsksNobody(t *testing.T) {
	s := newJudgeServer(t, func(http.ResponseWriter, *http.Request) {})
	k := newKind[*Kubernetes](t, "kubernetes", "review token\naudiences a\ntoken_file /does/not/exist\napi_server_url "+s.URL)
	if n := s.calls.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
	wantCannotTell(t, askKind(t, k, callers))
	if n := s.calls.Load(); n != 0 {
		t.Errorf("%d requests without a token of our own", n)
	}
}
