//go:build integration

package integration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kubernetes is a kube-apiserver. No controllers run, so nothing is there or
// cleaned up that it does not do itself. Its url is also its issuer, and the
// audience that its tokens have unless they are asked for another.
type kubernetes struct {
	*part
	caFile string // what its certificate is checked with
	dir    string
	client *http.Client
	admin  string // a token that may do everything
}

func newKubernetes(ctx context.Context, dir string) (*kubernetes, error) {
	etcdPort, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	p, _, err := newPart(ctx, "kube/kube.sh", "STACK_KUBE", "kube", dir, "STACK_KUBE_ETCD_PORT="+strconv.Itoa(etcdPort))
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "kube")
	return &kubernetes{part: p, dir: dir, caFile: filepath.Join(dir, "ca.crt")}, nil
}

func (k *kubernetes) start(ctx context.Context) error {
	if err := k.part.start(ctx); err != nil {
		return err
	}
	admin, err := os.ReadFile(filepath.Join(k.dir, "admin.token"))
	if err != nil {
		return err
	}
	k.admin = strings.TrimSpace(string(admin))
	ca, err := os.ReadFile(k.caFile)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return fmt.Errorf("reading %s: no certificate", k.caFile)
	}
	k.client = &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
	}
	return nil
}

// token makes a service account, and its namespace, unless they are there, and
// gets a token of it: for the server itself, or for these audiences instead.
func (k *kubernetes) token(t *testing.T, namespace, account string, audiences ...string) string {
	t.Helper()
	k.ensure(t, "/api/v1/namespaces", namespace)
	k.ensure(t, "/api/v1/namespaces/"+namespace+"/serviceaccounts", account)
	return k.mint(t, namespace, account, audiences...)
}

func (k *kubernetes) mint(t *testing.T, namespace, account string, audiences ...string) string {
	t.Helper()
	// the shortest life that it gives
	spec := object{"expirationSeconds": 600}
	if len(audiences) > 0 {
		spec["audiences"] = audiences
	}
	var got struct{ Status struct{ Token string } }
	path := "/api/v1/namespaces/" + namespace + "/serviceaccounts/" + account + "/token"
	k.must(t, http.MethodPost, path, object{"spec": spec}).decode(t, &got)
	if got.Status.Token == "" {
		t.Fatalf("kubernetes gave no token to %s/%s", namespace, account)
	}
	remember(got.Status.Token)
	return got.Status.Token
}

// tokenFile puts such a token into a file, as a pod has it.
func (k *kubernetes) tokenFile(t *testing.T, namespace, account string, audiences ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(k.token(t, namespace, account, audiences...)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// deleteServiceAccount makes its tokens bad: those that the server was not
// shown in the last ten seconds at once, the others when ten seconds are over.
func (k *kubernetes) deleteServiceAccount(t *testing.T, namespace, account string) {
	t.Helper()
	// The server looks into a copy of its accounts, which is a moment behind,
	// and what it lets through in that moment it lets through for ten seconds.
	// So it is asked about each of these once.
	probes := make([]string, 25)
	for i := range probes {
		probes[i] = k.mint(t, namespace, account)
	}
	k.must(t, http.MethodDelete, "/api/v1/namespaces/"+namespace+"/serviceaccounts/"+account, nil)
	within(t, 10*time.Second, "the server knows that the account is gone", func() bool {
		if len(probes) == 0 {
			return false
		}
		probe := probes[0]
		probes = probes[1:]
		return k.asks(t, http.MethodPost, selfSubjectReviews, probe, object{}).status == http.StatusUnauthorized
	})
}

// delegate lets a service account ask for token reviews, as a gateway does.
func (k *kubernetes) delegate(t *testing.T, namespace, account string) {
	t.Helper()
	const group = "rbac.authorization.k8s.io"
	k.create(t, "/apis/"+group+"/v1/clusterrolebindings", object{
		"metadata": object{"name": "delegate:" + namespace + ":" + account},
		"roleRef":  object{"apiGroup": group, "kind": "ClusterRole", "name": "system:auth-delegator"},
		"subjects": []object{{"kind": "ServiceAccount", "namespace": namespace, "name": account}},
	})
	// the server learns of its own bindings a moment later
	within(t, 10*time.Second, "the account may ask for token reviews", func() bool {
		var got struct{ Status struct{ Allowed bool } }
		k.must(t, http.MethodPost, "/apis/authorization.k8s.io/v1/subjectaccessreviews", object{"spec": object{
			"user":               "system:serviceaccount:" + namespace + ":" + account,
			"resourceAttributes": object{"group": "authentication.k8s.io", "resource": "tokenreviews", "verb": "create"},
		}}).decode(t, &got)
		return got.Status.Allowed
	})
}

// down stops it, until back is called or the test ends.
func (k *kubernetes) down(t *testing.T) (back func()) {
	t.Helper()
	returned := false
	back = func() {
		if returned {
			return
		}
		returned = true
		// the test's own context is over when it is cleaned up
		if _, err := script(context.WithoutCancel(t.Context()), k.env, k.script, "resume"); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(back)
	if err := k.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	return back
}

// object is a piece of what Kubernetes is sent.
type object = map[string]any

// do is a request to the server with this token, or none.
func (k *kubernetes) do(ctx context.Context, method, path, token string, body object) (answer, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	if body == nil {
		raw = nil
	}
	return ask(ctx, k.client, method, k.url+path, header, string(raw))
}

// must is for what an administrator may do in any case.
func (k *kubernetes) must(t *testing.T, method, path string, body object) answer {
	t.Helper()
	a, err := k.do(t.Context(), method, path, k.admin, body)
	if err != nil {
		t.Fatal(err)
	}
	if a.status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	return a
}

func (k *kubernetes) ensure(t *testing.T, collection, name string) {
	t.Helper()
	k.create(t, collection, object{"metadata": object{"name": name}})
}

// create makes something unless it is there.
func (k *kubernetes) create(t *testing.T, collection string, body object) {
	t.Helper()
	a, err := k.do(t.Context(), http.MethodPost, collection, k.admin, body)
	if err != nil {
		t.Fatal(err)
	}
	if a.status != http.StatusCreated && a.status != http.StatusConflict {
		t.Fatalf("creating in %s: %d %s", collection, a.status, a.body)
	}
}

const (
	selfSubjectReviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
	tokenReviews       = "/apis/authentication.k8s.io/v1/tokenreviews"
)

// asks is what a gateway does: a request with a service account's token.
func (k *kubernetes) asks(t *testing.T, method, path, token string, body object) answer {
	t.Helper()
	a, err := k.do(t.Context(), method, path, token, body)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestKubeTellsACallerWhoTheyAre(t *testing.T) {
	a := kube.asks(t, http.MethodPost, selfSubjectReviews, kube.token(t, "default", "my-user"), object{})
	wantStatus(t, a, http.StatusCreated)
	var got struct {
		Status struct {
			UserInfo struct {
				Username, UID string
				Groups        []string
			}
		}
	}
	a.decode(t, &got)
	user := got.Status.UserInfo
	groups := []string{"system:authenticated", "system:serviceaccounts", "system:serviceaccounts:default"}
	if user.Username != "system:serviceaccount:default:my-user" || user.UID == "" ||
		!slices.Equal(slices.Sorted(slices.Values(user.Groups)), groups) {
		t.Errorf("it said %s", a.body)
	}
	for name, token := range map[string]string{
		"a token for another audience": kube.token(t, "default", "my-user", "llama-stack"),
		"nonsense":                     "nonsense-test-only",
	} {
		t.Run(name, func(t *testing.T) {
			wantStatus(t, kube.asks(t, http.MethodPost, selfSubjectReviews, token, object{}), http.StatusUnauthorized)
		})
	}
}

func TestKubeReviewsTokensForWhomItDelegatesTo(t *testing.T) {
	gateway := kube.token(t, "gateways", "gateway")
	review := func(token string, audiences ...string) object {
		return object{"spec": object{"token": token, "audiences": audiences}}
	}
	caller := kube.token(t, "team-red", "caller", "llama-stack")
	stranger := kube.token(t, "gateways", "stranger")
	wantStatus(t, kube.asks(t, http.MethodPost, tokenReviews, stranger, review(caller, "llama-stack")), http.StatusForbidden)
	kube.delegate(t, "gateways", "gateway")
	for _, tc := range []struct {
		name, token, audience string
		good                  bool
	}{
		{"the right audience", caller, "llama-stack", true},
		{"another audience", caller, "other-api", false},
		{"nonsense", "nonsense-test-only", "llama-stack", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := kube.asks(t, http.MethodPost, tokenReviews, gateway, review(tc.token, tc.audience))
			wantStatus(t, a, http.StatusCreated)
			var got struct {
				Status struct {
					Authenticated bool
					Audiences     []string
					Error         string
					User          struct{ Username string }
				}
			}
			a.decode(t, &got)
			s := got.Status
			if s.Authenticated != tc.good || (s.Error == "") != tc.good {
				t.Fatalf("it said %s", a.body)
			}
			if tc.good && (!slices.Equal(s.Audiences, []string{tc.audience}) || s.User.Username != "system:serviceaccount:team-red:caller") {
				t.Errorf("it said %s", a.body)
			}
		})
	}
}

func TestKubeShowsItsKeysToServiceAccountsOnly(t *testing.T) {
	const keys = "/openid/v1/jwks"
	wantStatus(t, kube.asks(t, http.MethodGet, keys, "", nil), http.StatusForbidden)
	token, err := os.ReadFile(kube.tokenFile(t, "gateways", "reader"))
	if err != nil {
		t.Fatal(err)
	}
	a := kube.asks(t, http.MethodGet, keys, string(token), nil)
	wantStatus(t, a, http.StatusOK)
	if kid := kidOf(t, string(token)); !strings.Contains(a.body, `"kid":"`+kid+`"`) {
		t.Errorf("the key %s is not in %s", kid, a.body)
	}
}

func TestKubeTokensNameTheirAccount(t *testing.T) {
	claims := claimsOf(t, kube.token(t, "team-red", "caller", "llama-stack", "other-api"))
	if claims["iss"] != kube.url || claims["sub"] != "system:serviceaccount:team-red:caller" {
		t.Errorf("iss is %v, sub is %v", claims["iss"], claims["sub"])
	}
	if aud := fmt.Sprint(claims["aud"]); aud != "[llama-stack other-api]" {
		t.Errorf("aud is %s", aud)
	}
	about, _ := claims["kubernetes.io"].(object)
	account, _ := about["serviceaccount"].(object)
	if about["namespace"] != "team-red" || account["name"] != "caller" {
		t.Errorf("kubernetes.io is %v", about)
	}
}

func TestKubeRefusesTokensOfADeletedAccount(t *testing.T) {
	token := kube.token(t, "default", "leaver")
	kube.deleteServiceAccount(t, "default", "leaver")
	wantStatus(t, kube.asks(t, http.MethodPost, selfSubjectReviews, token, object{}), http.StatusUnauthorized)
	t.Run("also when there is another of that name", func(t *testing.T) {
		again := kube.token(t, "default", "leaver")
		wantStatus(t, kube.asks(t, http.MethodPost, selfSubjectReviews, token, object{}), http.StatusUnauthorized)
		wantStatus(t, kube.asks(t, http.MethodPost, selfSubjectReviews, again, object{}), http.StatusCreated)
	})
}

func TestKubeComesBackAsItWas(t *testing.T) {
	token := kube.token(t, "default", "patient")
	back := kube.down(t)
	if a, err := kube.do(t.Context(), http.MethodPost, selfSubjectReviews, token, object{}); err == nil {
		t.Errorf("it answered %d %s", a.status, a.body)
	}
	back()
	wantStatus(t, kube.asks(t, http.MethodPost, selfSubjectReviews, token, object{}), http.StatusCreated)
}
