package providers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

const (
	reviewVersion = "authentication.k8s.io/v1"
	reviewsPath   = "/apis/" + reviewVersion
)

// apiServer is who is asked, with placeholders resolved.
type apiServer struct {
	address   string // without a slash at the end
	audiences []string
	tokenFile string
}

// review is a SelfSubjectReview or a TokenReview.
type review struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Spec       *reviewSpec `json:"spec,omitempty"`
}

type reviewSpec struct {
	Token     string   `json:"token"`
	Audiences []string `json:"audiences"`
}

// askWhose asks the API server whose token this is, as the caller.
func (k *Kubernetes) askWhose(ctx context.Context, token string) Answer {
	reply, err := k.post(ctx, "/selfsubjectreviews", token, review{APIVersion: reviewVersion, Kind: "SelfSubjectReview"})
	if err != nil {
		return &CannotTell{Err: err}
	}
	return k.readSelfSubjectReview(reply)
}

// askWhetherGood asks the API server about the token, as the gateway.
func (k *Kubernetes) askWhetherGood(ctx context.Context, own, token string) Answer {
	reply, err := k.post(ctx, "/tokenreviews", own, review{
		APIVersion: reviewVersion, Kind: "TokenReview", Spec: &reviewSpec{Token: token, Audiences: k.apiServer.audiences},
	})
	if err != nil {
		return &CannotTell{Err: err}
	}
	return k.readTokenReview(reply)
}

// readOwnToken reads the gateway's token. It is read each time: the kubelet
// replaces it before it expires.
func readOwnToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading token_file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 2*maxCredential))
	if err != nil {
		return "", fmt.Errorf("reading token_file: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if err := checkToken(token); err != nil {
		return "", fmt.Errorf("reading token_file %s: %w", path, err)
	}
	return token, nil
}

func (k *Kubernetes) post(ctx context.Context, path, bearer string, r review) (*Reply, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, errors.New("encoding review")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.apiServer.address+reviewsPath+path, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("preparing request to the API server")
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	return k.Fetch(replayable(req))
}

func (k *Kubernetes) readSelfSubjectReview(reply *Reply) Answer {
	switch reply.Status {
	case http.StatusOK, http.StatusCreated:
	case http.StatusUnauthorized:
		return &No{Reason: "API server refuses the token"}
	case http.StatusForbidden:
		// Whoever it is, the API server knows them: that is about the cluster.
		return Unusable(reply, "self subject review: status 403: the cluster's RBAC does not let the caller ask "+
			"(the ClusterRole system:basic-user does)")
	case http.StatusNotFound:
		return Unusable(reply, "self subject review: status 404: no API server, or one before Kubernetes 1.28")
	default:
		return Unusable(reply, "self subject review: status %d", reply.Status)
	}
	status, err := reviewStatus(reply.Body)
	if err != nil {
		return Unusable(reply, "self subject review: %w", err)
	}
	user, err := readKubernetesUser(status["userInfo"])
	if err != nil {
		return Unusable(reply, "self subject review: %w", err)
	}
	return k.admit(user)
}

func (k *Kubernetes) readTokenReview(reply *Reply) Answer {
	switch reply.Status {
	case http.StatusOK, http.StatusCreated:
	case http.StatusUnauthorized:
		// That is about us, and not about the caller.
		return Unusable(reply, "token review: status 401: API server refuses the gateway's own token (token_file)")
	case http.StatusForbidden:
		return Unusable(reply, "token review: status 403: the gateway's own service account (token_file) "+
			"needs the ClusterRole system:auth-delegator")
	default:
		return Unusable(reply, "token review: status %d", reply.Status)
	}
	status, err := reviewStatus(reply.Body)
	if err != nil {
		return Unusable(reply, "token review: %w", err)
	}
	good, reason, err := readVerdict(status, k.apiServer.audiences)
	if err != nil {
		return Unusable(reply, "token review: %w", err)
	}
	if !good {
		return &No{Reason: reason}
	}
	user, err := readKubernetesUser(status["user"])
	if err != nil {
		return Unusable(reply, "token review: %w", err)
	}
	return k.admit(user)
}

// reviewStatus returns the part of a review that the API server fills in. What
// was sent is not in it, so that an echo of the question is no answer.
func reviewStatus(body []byte) (map[string]any, error) {
	all, err := strictjson.Object(body)
	if err != nil {
		return nil, err
	}
	status, ok := all["status"].(map[string]any)
	if !ok {
		return nil, errors.New("status is not an object")
	}
	return status, nil
}

// readVerdict says whether the token is good for one of our audiences, or why
// it is not. An API server that knows nothing of audiences leaves them out, and
// has then not looked at the token's.
func readVerdict(status map[string]any, ours []string) (good bool, reason string, err error) {
	if v, there := status["error"]; there && v != "" {
		if _, ok := v.(string); !ok {
			return false, "", errors.New("error is not a string")
		}
		return false, "API server found the token bad", nil
	}
	v, there := status["authenticated"]
	good, ok := v.(bool)
	switch {
	case there && !ok:
		return false, "", errors.New("authenticated is not a boolean")
	case !good:
		return false, "API server does not know the token", nil
	}
	theirs, err := stringsOf(status, "audiences")
	if err != nil {
		return false, "", err
	}
	if !slices.ContainsFunc(theirs, func(a string) bool { return slices.Contains(ours, a) }) {
		return false, "token is for none of the configured audiences", nil
	}
	return true, "", nil
}

// kubernetesUser is a userInfo of the API server.
type kubernetesUser struct {
	username string
	uid      string
	groups   []string
	extra    map[string]any
}

func readKubernetesUser(v any) (*kubernetesUser, error) {
	info, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("there is no user")
	}
	u := new(kubernetesUser)
	if u.username, _ = info["username"].(string); u.username == "" {
		return nil, errors.New("username is not a string with something in it")
	}
	if uid, there := info["uid"]; there {
		if u.uid, ok = uid.(string); !ok {
			return nil, errors.New("uid is not a string")
		}
	}
	var err error
	if u.groups, err = stringsOf(info, "groups"); err != nil {
		return nil, err
	}
	if extra, there := info["extra"]; there {
		if u.extra, ok = extra.(map[string]any); !ok {
			return nil, errors.New("extra is not an object")
		}
	}
	for name := range u.extra {
		if _, err := stringsOf(u.extra, name); err != nil {
			return nil, errors.New("extra has something else than lists of strings")
		}
	}
	return u, nil
}

// stringsOf returns a member that is a list of strings, nil if it is not there.
// With anything else in it nobody knows what was left out.
func stringsOf(object map[string]any, name string) ([]string, error) {
	v, there := object[name]
	if !there {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%s is not a list of strings", name)
	}
	texts := make([]string, 0, len(list))
	for _, element := range list {
		text, ok := element.(string)
		if !ok {
			return nil, fmt.Errorf("%s is not a list of strings", name)
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// admit says who a user of the cluster is here, or that they may not come in.
func (k *Kubernetes) admit(u *kubernetesUser) Answer {
	// A proxy in between that loses the credential makes everybody anonymous.
	if u.username == "system:anonymous" || slices.Contains(u.groups, "system:unauthenticated") {
		return &No{Reason: "API server takes the caller for anonymous"}
	}
	if !k.gate.admits(u) {
		return &No{Reason: "caller is none of service_accounts"}
	}
	user, err := k.Identify(u.claims(k.SystemGroups, k.CompatOGX() && len(k.SystemGroups) == 0))
	if err != nil {
		return &No{Reason: err.Error()}
	}
	return &Yes{User: user}
}

// claims are what the options of all providers are about. The namespace is
// ours, from the user name; a member of that name is never looked at.
func (u *kubernetesUser) claims(systemGroups []string, all bool) map[string]any {
	claims := map[string]any{"username": u.username, "groups": keptGroups(u.groups, systemGroups, all)}
	if u.uid != "" {
		claims["uid"] = u.uid
	}
	if u.extra != nil {
		claims["extra"] = u.extra
	}
	if namespace, _, is := serviceAccount(u.username); is {
		claims["namespace"] = namespace
	}
	return claims
}
