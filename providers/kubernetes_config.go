package providers

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Where a pod has its service account. Tests move them.
var (
	podCA    = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
	podToken = "/var/run/secrets/kubernetes.io/serviceaccount/token" //nolint:gosec // G101: a path
)

// clusterAddress is the API server where the environment does not tell.
const clusterAddress = "https://kubernetes.default.svc"

// UnmarshalCaddyfile reads
//
//	kubernetes [<name>] {
//	    api_server_url   <url>
//	    review           self_subject | token
//	    audiences        <audience>...
//	    token_file       <path>
//	    service_accounts <namespace>/<name> | <namespace>/* | any ...
//	    system_groups    <group>...
//	    # and the options of Common and Network
//	}
func (k *Kubernetes) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	if err := k.UnmarshalBlock(d, k.unmarshalOption, k.UnmarshalNetworkOption); err != nil {
		return err
	}
	return Located(d, k.check())
}

func (k *Kubernetes) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "api_server_url":
		if err := TextOption(d, &k.APIServerURL); err != nil {
			return err
		}
		// Whether plain http is allowed is known at the end of the block.
		return Located(d, checkAPIServerURL(k.APIServerURL, true))
	case "review":
		if err := TextOption(d, &k.Review); err != nil {
			return err
		}
		return Located(d, checkReviewName(k.Review))
	case "audiences":
		return ListOption(d, &k.Audiences)
	case "token_file":
		return TextOption(d, &k.TokenFile)
	case "service_accounts":
		if err := ListOption(d, &k.ServiceAccounts); err != nil {
			return err
		}
		return Located(d, checkServiceAccounts(k.ServiceAccounts))
	case "system_groups":
		if err := ListOption(d, &k.SystemGroups); err != nil {
			return err
		}
		return Located(d, checkSystemGroups(k.SystemGroups))
	}
	return d.Errf("unrecognized option %q of provider kubernetes", d.Val())
}

// check finds what is wrong with the options as they are written. Values with
// placeholders are looked at again when they are expanded.
func (k *Kubernetes) check() error {
	if err := checkReviewName(k.Review); err != nil {
		return err
	}
	review := k.checkSelfSubject
	if k.reviewsTokens() {
		review = k.checkTokenReview
	}
	if err := review(); err != nil {
		return err
	}
	if err := checkServiceAccounts(k.ServiceAccounts); err != nil {
		return err
	}
	if err := checkSystemGroups(k.SystemGroups); err != nil {
		return err
	}
	return checkAPIServerURL(k.APIServerURL, k.AllowHTTP)
}

func checkReviewName(name string) error {
	if name != "" && name != reviewSelfSubject && name != reviewToken {
		return fmt.Errorf("review %q: expected self_subject or token", name)
	}
	return nil
}

func (k *Kubernetes) checkSelfSubject() error {
	switch {
	case len(k.Audiences) > 0:
		return errors.New("audiences has no meaning with review self_subject, which knows none: expected review token")
	case k.TokenFile != "":
		return errors.New("token_file has no meaning with review self_subject, which is asked with the caller's token: expected review token")
	case len(k.ServiceAccounts) == 0:
		return errors.New("service_accounts is required with review self_subject, which knows no audience (any opts out)")
	case presentsCertificate(k.TransportRaw):
		// The API server would take the connection's certificate before the
		// token, and tell the gateway's name for everybody's, nonsense included.
		return errors.New("transport: a client certificate with review self_subject makes every caller the gateway: expected review token")
	}
	return nil
}

func (k *Kubernetes) checkTokenReview() error {
	switch {
	case len(k.Audiences) == 0:
		return errors.New("audiences is required with review token: any service that receives another's token could use it here")
	case slices.Contains(k.Audiences, ""):
		return errors.New("audiences: one is empty")
	}
	for _, audience := range k.Audiences {
		if err := CheckPlaceholders("audiences", audience); err != nil {
			return err
		}
	}
	return CheckPlaceholders("token_file", k.TokenFile)
}

// presentsCertificate reports whether the transport is configured to show a
// client certificate. It reads as Caddy does, which folds the case of names.
func presentsCertificate(transport json.RawMessage) bool {
	var shown struct {
		TLS struct {
			File     string `json:"client_certificate_file"`
			Automate string `json:"client_certificate_automate"`
		} `json:"tls"`
	}
	// What is not JSON, or no transport, is found when it is loaded.
	_ = json.Unmarshal(transport, &shown)
	return shown.TLS.File != "" || shown.TLS.Automate != ""
}

func checkAPIServerURL(value string, allowHTTP bool) error {
	if err := CheckAddress("api_server_url", value, allowHTTP); err != nil {
		return err
	}
	if !HasPlaceholder(value) && !isBase(value) {
		return fmt.Errorf("api_server_url %q: expected a URL without a query", value)
	}
	return nil
}

// isBase reports whether a path can be put behind the URL.
func isBase(value string) bool { return !strings.ContainsAny(value, "?#") }

// expanded resolves what may have placeholders.
func (k *Kubernetes) expanded() (*apiServer, error) {
	s := new(apiServer)
	address, err := k.address()
	if err != nil {
		return nil, err
	}
	s.address = strings.TrimRight(address, "/")
	for _, audience := range k.Audiences {
		a, err := Expand("audiences", audience)
		if err != nil {
			return nil, err
		}
		s.audiences = append(s.audiences, a)
	}
	if s.tokenFile, err = Expand("token_file", k.TokenFile); err != nil {
		return nil, err
	}
	if s.tokenFile == "" {
		s.tokenFile = podToken
	}
	return s, nil
}

func (k *Kubernetes) address() (string, error) {
	if k.APIServerURL == "" {
		return addressInPod()
	}
	address, err := Expand("api_server_url", k.APIServerURL)
	if err != nil || !HasPlaceholder(k.APIServerURL) {
		return address, err
	}
	if err := checkExpanded("api_server_url", k.APIServerURL, address, k.AllowHTTP); err != nil {
		return "", err
	}
	if !isBase(address) {
		return "", fmt.Errorf("api_server_url %s: expected it to give a URL without a query", k.APIServerURL)
	}
	return address, nil
}

// addressInPod returns the address that Kubernetes puts into the environment
// of every pod, or else the one that its DNS knows.
func addressInPod() (string, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return clusterAddress, nil
	}
	authority := net.JoinHostPort(host, port)
	// Anything but a host and a port would be a path, or somebody's password.
	u, err := url.Parse("https://" + authority)
	if err != nil || u.Host != authority {
		return "", errors.New("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not a host and a port: set api_server_url")
	}
	return u.String(), nil
}

// setUpNetwork prepares the client, which trusts the cluster's CA where all of
// it is left to the pod. That belongs to where Caddy runs now, so it must not
// show in the configuration.
func (k *Kubernetes) setUpNetwork(ctx caddy.Context) error {
	if k.APIServerURL != "" || k.TransportRaw != nil {
		return k.SetUpNetwork(ctx)
	}
	if _, err := os.Stat(podCA); err != nil {
		return k.SetUpNetwork(ctx) // not in a pod
	}
	transport, err := json.Marshal(map[string]any{
		"protocol": "http",
		"tls":      map[string]any{"ca": map[string]any{"provider": "file", "pem_files": []string{podCA}}},
	})
	if err != nil {
		return fmt.Errorf("encoding transport: %w", err)
	}
	k.TransportRaw = transport // Caddy takes it away when it loads the module
	return k.SetUpNetwork(ctx)
}
