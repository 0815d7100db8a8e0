package stackauth

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// rehearsedServer is a server of the configuration.
type rehearsedServer struct {
	name   string
	listen []string
	hosts  []string // of its routes with a stack_auth; an empty one for any
	first  *Handler // the first block that has providers
	blocks bool
	tls    bool
	server *caddyhttp.Server
}

func newRehearsedServer(name string, server, app map[string]any) *rehearsedServer {
	s := &rehearsedServer{name: name, listen: texts(server["listen"])}
	routes, _ := server["routes"].([]any)
	named := false
	for _, node := range routes {
		route, _ := node.(map[string]any)
		hosts := hostsOf(route)
		named = named || !slices.Contains(hosts, "")
		if hasBlock(route) || invokes(route, server["named_routes"]) {
			s.blocks = true
			s.hosts = append(s.hosts, hosts...)
		}
	}
	slices.Sort(s.hosts)
	s.hosts = slices.Compact(s.hosts)
	s.tls = usesTLS(s, server, app, named)
	return s
}

// usesTLS reports whether Caddy would serve the server over TLS.
func usesTLS(s *rehearsedServer, server, app map[string]any, named bool) bool {
	if policies, _ := server["tls_connection_policies"].([]any); len(policies) > 0 {
		return true
	}
	auto, _ := server["automatic_https"].(map[string]any)
	if auto["disable"] == true {
		return false
	}
	all := func(port string) bool {
		return !slices.ContainsFunc(s.ports(), func(p string) bool { return p != port })
	}
	skipped := texts(auto["skip"])
	left := slices.ContainsFunc(s.hosts, func(host string) bool { return host != "" && !slices.Contains(skipped, host) })
	return all(portOf(app, "https_port", "443")) || named && left && !all(portOf(app, "http_port", "80"))
}

func portOf(app map[string]any, key, otherwise string) string {
	if port, there := app[key]; there {
		return fmt.Sprint(port)
	}
	return otherwise
}

// ports are the ports that the server listens on.
func (s *rehearsedServer) ports() []string {
	var ports []string
	for _, address := range s.listen {
		if a, err := caddy.ParseNetworkAddress(caddy.NewReplacer().ReplaceAll(address, "")); err == nil && a.StartPort > 0 {
			ports = append(ports, strconv.FormatUint(uint64(a.StartPort), 10))
		}
	}
	return ports
}

// hostsOf returns the hosts of a route's matchers, with an empty one for any.
func hostsOf(route map[string]any) []string {
	sets, _ := route["match"].([]any)
	if len(sets) == 0 {
		return []string{""}
	}
	var hosts []string
	for _, node := range sets {
		set, _ := node.(map[string]any)
		if own := texts(set["host"]); len(own) > 0 {
			hosts = append(hosts, own...)
			continue
		}
		hosts = append(hosts, "")
	}
	return hosts
}

// invokes reports whether a named route with a block is invoked anywhere in the
// node, as far as that can be told from its name.
func invokes(node, named any) bool {
	switch v := node.(type) {
	case []any:
		return slices.ContainsFunc(v, func(element any) bool { return invokes(element, named) })
	case map[string]any:
		if v["handler"] == "invoke" {
			routes, _ := named.(map[string]any)
			name, _ := v["name"].(string)
			return hasBlock(routes[name])
		}
		for _, element := range v {
			if invokes(element, named) {
				return true
			}
		}
	}
	return false
}

func hasBlock(node any) bool {
	switch v := node.(type) {
	case []any:
		return slices.ContainsFunc(v, hasBlock)
	case map[string]any:
		if isBlock(v) {
			return true
		}
		for _, element := range v {
			if hasBlock(element) {
				return true
			}
		}
	}
	return false
}

func texts(node any) []string {
	list, _ := node.([]any)
	var out []string
	for _, element := range list {
		if text, ok := element.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

// serverFor returns the server that a request for the host comes to, and the
// host as a client writes it. Without one it is the only one that there is.
func (r *rehearsal) serverFor(host string) (*rehearsedServer, string, error) {
	var servers []*rehearsedServer
	for _, s := range r.servers {
		if s.blocks {
			servers = append(servers, s)
		}
	}
	if len(servers) == 0 {
		return nil, "", errors.New("no HTTP server of the configuration has a stack_auth block")
	}
	if host == "" {
		var err error
		if host, err = onlyHost(servers); err != nil {
			return nil, "", err
		}
	}
	servers = narrowed(servers, host)
	switch {
	case len(servers) == 0:
		return nil, "", fmt.Errorf("host %s: no server of the configuration that has a stack_auth block is for it", plain(host))
	case len(servers) > 1:
		var names []string
		for _, s := range servers {
			names = append(names, strings.Join(s.listen, " "))
		}
		return nil, "", fmt.Errorf("host %s: several servers are for it, listening on %s: add the port to the host",
			plain(host), strings.Join(names, ", "))
	}
	return servers[0], withPort(servers[0], host), nil
}

// onlyHost returns the host that all blocks are for.
func onlyHost(servers []*rehearsedServer) (string, error) {
	var hosts []string
	for _, s := range servers {
		hosts = append(hosts, s.hosts...)
	}
	slices.Sort(hosts)
	hosts = slices.Compact(hosts)
	switch {
	case len(hosts) == 1 && hosts[0] == "":
		return "localhost", nil
	case len(hosts) == 1 && !strings.ContainsAny(hosts[0], "*{"):
		return hosts[0], nil
	case hosts[0] == "":
		hosts[0] = "any other"
	}
	return "", fmt.Errorf("the configuration is for several hosts (%s): say which, as the host", strings.Join(hosts, ", "))
}

// narrowed returns those of the servers that listen on the host's port, and
// have routes for the host.
func narrowed(servers []*rehearsedServer, host string) []*rehearsedServer {
	name, port := splitPort(host)
	if port != "" {
		servers = slices.DeleteFunc(servers, func(s *rehearsedServer) bool { return !slices.Contains(s.ports(), port) })
	}
	if len(servers) < 2 {
		return servers
	}
	var named []*rehearsedServer
	for _, s := range servers {
		if slices.ContainsFunc(s.hosts, func(pattern string) bool { return hostFits(pattern, name) }) {
			named = append(named, s)
		}
	}
	return named
}

// hostFits is only about which server is asked; its own matchers decide.
func hostFits(pattern, host string) bool {
	if pattern == "" || strings.Contains(pattern, "{") || strings.EqualFold(pattern, host) {
		return true
	}
	rest, wild := strings.CutPrefix(pattern, "*.")
	_, parent, found := strings.Cut(host, ".")
	return wild && found && strings.EqualFold(rest, parent)
}

func splitPort(host string) (name, port string) {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return host, ""
	}
	return name, port
}

// withPort adds the port that a client would write.
func withPort(s *rehearsedServer, host string) string {
	ports := s.ports()
	if _, port := splitPort(host); port != "" || len(ports) == 0 {
		return host
	}
	usual := "80"
	if s.tls {
		usual = "443"
	}
	if slices.Contains(ports, usual) {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), ports[0])
}
