package providers

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	anyAccount   = "any"
	systemPrefix = "system:"
)

// The names of namespaces (a DNS label) and of service accounts (a DNS
// subdomain), as Kubernetes has them.
var (
	namespaceName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	accountName   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
)

func isAccountName(name string) bool { return len(name) <= 253 && accountName.MatchString(name) }

func checkServiceAccounts(list []string) error {
	if list != nil && len(list) == 0 {
		return errors.New("service_accounts is empty: expected <namespace>/<name>, <namespace>/* or any")
	}
	if len(list) > 1 && slices.Contains(list, anyAccount) {
		return errors.New("service_accounts: any lets everybody in, so it stands alone")
	}
	for _, entry := range list {
		namespace, name, _ := strings.Cut(entry, "/")
		if entry != anyAccount && (!namespaceName.MatchString(namespace) || name != "*" && !isAccountName(name)) {
			return fmt.Errorf("service_accounts %q: expected <namespace>/<name>, <namespace>/* or any", entry)
		}
	}
	return nil
}

func checkSystemGroups(list []string) error {
	for _, name := range list {
		rest, found := strings.CutPrefix(name, systemPrefix)
		if !found || rest == "" || strings.HasSuffix(rest, "*") {
			return fmt.Errorf("system_groups %q: expected the whole name of a group that begins with %s", name, systemPrefix)
		}
	}
	return nil
}

// accountGate says who of those that the API server knows may come in.
type accountGate struct {
	open bool // everybody
	list map[string]struct{}
}

func newAccountGate(entries []string) *accountGate {
	g := &accountGate{open: len(entries) == 0 || slices.Contains(entries, anyAccount), list: make(map[string]struct{})}
	for _, entry := range entries {
		g.list[entry] = struct{}{}
	}
	return g
}

func (g *accountGate) admits(u *kubernetesUser) bool {
	if g.open {
		return true
	}
	namespace, name, is := serviceAccount(u.username)
	if !is {
		return false
	}
	_, one := g.list[namespace+"/"+name]
	_, all := g.list[namespace+"/*"]
	return one || all
}

// serviceAccount takes the user name of a service account apart. It must be of
// the form that Kubernetes gives and of no other: the namespace decides, as an
// attribute and perhaps as the tenant, and others than service accounts may
// have names that only begin that way.
func serviceAccount(username string) (namespace, name string, is bool) {
	rest, found := strings.CutPrefix(username, "system:serviceaccount:")
	if !found {
		return "", "", false
	}
	namespace, name, found = strings.Cut(rest, ":")
	if !found || !namespaceName.MatchString(namespace) || !isAccountName(name) {
		return "", "", false
	}
	return namespace, name, true
}

// keptGroups returns the groups without the cluster's own, unless they are
// named, or all are kept as OGX does. Names are compared byte for byte, as
// Kubernetes does: `System:masters` is somebody's ordinary group, gives no right
// in the cluster, and is not system:masters in a rule here either. To drop it
// would be no safer: a `forbid` may be about it.
func keptGroups(groups, named []string, all bool) []any {
	kept := make([]any, 0, len(groups))
	for _, group := range groups {
		if all || !strings.HasPrefix(group, systemPrefix) || slices.Contains(named, group) {
			kept = append(kept, group)
		}
	}
	return kept
}
