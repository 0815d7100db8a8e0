package providers

import (
	"context"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() {
	caddy.RegisterModule(new(Kubernetes))
}

// kubernetesCacheTTL is as long as the API server itself remembers a good
// token: a deleted account is believed for these two times together.
const kubernetesCacheTTL = 10 * time.Second

const (
	reviewSelfSubject = "self_subject"
	reviewToken       = "token"
)

// Kubernetes accepts tokens of a Kubernetes cluster, service accounts' above
// all, by asking the cluster's API server about each.
//
// A token is good if the API server says whose it is, that is not the anonymous
// user, and `service_accounts` has it. With `review token` it must also have
// been issued for one of `audiences`. The principal is the user name
// (`system:serviceaccount:<namespace>:<name>`); groups are roles, and a service
// account's namespace is its namespaces. Loading the configuration asks nobody.
type Kubernetes struct {
	Common
	Network

	// The API server. Must be https, unless it is loopback or `allow_http` is
	// set. A path is kept, for API servers behind a proxy; the proxy must not
	// add credentials of its own. Default: in a pod, the address that
	// KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT give, otherwise
	// https://kubernetes.default.svc; then, without a `transport`, the cluster's
	// CA is trusted that a pod finds at
	// /var/run/secrets/kubernetes.io/serviceaccount/ca.crt.
	APIServerURL string `json:"api_server_url,omitempty"`

	// How the API server is asked. `self_subject`: whose token is this, asked
	// with the caller's token (SelfSubjectReview); the gateway needs no rights,
	// and only tokens that are good for the API server itself are. `token`: is
	// this token good for `audiences`, asked with the gateway's own token
	// (TokenReview). Default: self_subject.
	Review string `json:"review,omitempty"`

	// The audiences of which the token must have one. Required with `review
	// token`, and without meaning otherwise.
	Audiences []string `json:"audiences,omitempty"`

	// A file with the gateway's own token, for `review token`, read for each
	// question. Its service account needs the ClusterRole
	// system:auth-delegator. Default:
	// /var/run/secrets/kubernetes.io/serviceaccount/token.
	TokenFile string `json:"token_file,omitempty"`

	// Who may come in: `<namespace>/<name>`, `<namespace>/*`, or `any` alone,
	// for whoever the API server knows, people too. Required with `review
	// self_subject`, which knows no audience: every pod's usual token is good
	// for the API server. Default with `review token`: any.
	ServiceAccounts []string `json:"service_accounts,omitempty"`

	// Which groups that begin with `system:` are kept. Default: none. They are
	// the cluster's own, and everybody has some of them.
	SystemGroups []string `json:"system_groups,omitempty"`

	apiServer *apiServer
	gate      *accountGate
}

// CaddyModule implements caddy.Module.
func (*Kubernetes) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  Namespace + ".kubernetes",
		New: func() caddy.Module { return new(Kubernetes) },
	}
}

// Provision implements caddy.Provisioner.
func (k *Kubernetes) Provision(ctx caddy.Context) error {
	if err := k.SetUp(ctx, kubernetesDefaults()); err != nil {
		return err
	}
	// Before the network: Caddy takes the transport's configuration away when it
	// is loaded, and check wants to see it.
	if err := k.check(); err != nil {
		return err
	}
	server, err := k.expanded()
	if err != nil {
		return err
	}
	if err := k.setUpNetwork(ctx); err != nil {
		return err
	}
	k.apiServer, k.gate = server, newAccountGate(k.ServiceAccounts)
	if !k.reviewsTokens() && k.gate.open {
		k.Logger().Warn("service_accounts any: every pod of the cluster is let in, by the token that it has for the API server")
	}
	return k.SetUpJudge(&k.Common, Judge{
		Address:  server.address,
		CacheTTL: kubernetesCacheTTL,
		Shape: struct {
			ReviewsTokens                           bool
			Audiences, ServiceAccounts, SystemGroup []string
			TokenFile                               string
		}{k.reviewsTokens(), server.audiences, k.ServiceAccounts, k.SystemGroups, server.tokenFile},
	})
}

func kubernetesDefaults() Defaults {
	return Defaults{
		Type:           "kubernetes",
		Mapping:        []ClaimMapping{{"groups", "roles"}, {"namespace", "namespaces"}},
		OGX:            []ClaimMapping{{"username", "roles"}, {"groups", "roles"}},
		PrincipalClaim: []string{"username"},
	}
}

// Cleanup implements caddy.CleanerUpper.
func (k *Kubernetes) Cleanup() error { return k.CleanUpJudge() }

// Scope implements Provider. The API server takes tokens of any form, from
// webhooks and files, too.
func (k *Kubernetes) Scope() Scope { return k.Narrow(Scope{JWT: true, Opaque: true}) }

// Authenticate implements Provider.
func (k *Kubernetes) Authenticate(r *http.Request, c Credential) Answer {
	if c.Token == "" {
		return NotMine{}
	}
	if !k.Takes(c.Token) {
		return ofAnotherForm
	}
	question := Question{Token: c.Token}
	if known := k.Known(question); known != nil {
		return known
	}
	if !k.reviewsTokens() {
		return k.Ask(r, question, func(ctx context.Context) Answer { return k.askWhose(ctx, c.Token) })
	}
	own, err := readOwnToken(k.apiServer.tokenFile)
	if err != nil {
		// Not within Ask: nothing follows about the API server, whom others may
		// be able to ask.
		return &CannotTell{Err: err}
	}
	return k.Ask(r, question, func(ctx context.Context) Answer { return k.askWhetherGood(ctx, own, c.Token) })
}

func (k *Kubernetes) reviewsTokens() bool { return k.Review == reviewToken }

var (
	_ caddy.Provisioner     = (*Kubernetes)(nil)
	_ caddy.CleanerUpper    = (*Kubernetes)(nil)
	_ caddyfile.Unmarshaler = (*Kubernetes)(nil)
	_ Provider              = (*Kubernetes)(nil)
)
