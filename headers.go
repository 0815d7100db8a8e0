package stackauth

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

// headerRules is a set of header names that are removed, however a server
// further on may spell them: names are compared in any case and with `_` and
// `.` for `-` (CVE-2025-64484 and its kin).
type headerRules struct {
	names    map[string]bool // folded; true: also what a trusted proxy sends
	prefixes []string        // folded

	// What all names have in common rules most headers out without a look-up.
	lengths  []bool    // by length
	initials [256]bool // by first byte, folded
}

// methodOverrides let a GET that was allowed become a DELETE behind us.
var methodOverrides = []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"}

// proxyHeaders say what a proxy in front of us saw. Caddy writes its own
// X-Forwarded-For, -Host and -Proto; these it passes on as they came.
var proxyHeaders = []string{
	"Forwarded", "X-Real-IP", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Prefix",
	"X-Original-URL", "X-Rewrite-URL", "X-Original-Uri", "X-Original-Method",
}

// identityRules are the names under which the stack is told who calls.
func identityRules(c *IdentityHeaders) *headerRules {
	g := &headerRules{names: make(map[string]bool)}
	g.add(defaultPrincipalHeader, defaultAttributesHeader, tenantHeader, explainHeaderName)
	for _, target := range c.targets() {
		g.add(target)
	}
	return g
}

// inboundRules are the request headers that never reach the stack.
func inboundRules(c *IdentityHeaders, more []string) *headerRules {
	g := identityRules(c)
	g.add(methodOverrides...)
	for _, name := range more {
		if prefix, ok := strings.CutSuffix(name, "*"); ok {
			g.prefixes = append(g.prefixes, providers.FoldHeader(prefix))
		} else {
			g.add(name)
		}
	}
	for _, name := range proxyHeaders {
		if folded := providers.FoldHeader(name); !g.names[folded] {
			g.set(folded, false)
		}
	}
	return g
}

func (g *headerRules) add(names ...string) {
	for _, name := range names {
		g.set(providers.FoldHeader(name), true)
	}
}

func (g *headerRules) set(folded string, always bool) {
	g.names[folded] = always
	for len(g.lengths) <= len(folded) {
		g.lengths = append(g.lengths, false)
	}
	g.lengths[len(folded)] = true
	g.initials[folded[0]] = true
}

// strip removes the headers from a request, and what the Connection header
// would let the client have removed later: our own, after they were set. What
// except names stays; nil names nothing. It returns what it removed, nil for
// nothing: a proxy that is trusted further on may have sent it.
func (g *headerRules) strip(r *http.Request, except *headerRules) (removed http.Header) {
	pruneConnection(r.Header)
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	for name := range r.Header {
		if g.removes(name, trusted) && (except == nil || !except.removes(name, true)) {
			if removed == nil {
				removed = make(http.Header)
			}
			removed[name] = r.Header[name]
			delete(r.Header, name)
		}
	}
	return removed
}

func (g *headerRules) removes(name string, trusted bool) bool {
	if g.hasPrefix(name) {
		return true
	}
	if name == "" || len(name) >= len(g.lengths) || !g.lengths[len(name)] || !g.initials[providers.FoldHeaderByte(name[0])] {
		return false
	}
	var buffer [64]byte
	folded := buffer[:0]
	for i := range len(name) {
		folded = append(folded, providers.FoldHeaderByte(name[i]))
	}
	always, there := g.names[string(folded)]
	return there && (always || !trusted)
}

func (g *headerRules) hasPrefix(name string) bool {
	for _, prefix := range g.prefixes {
		if len(name) >= len(prefix) && providers.SameHeader(name[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

// pruneConnection does now what the proxy would do later (RFC 9110, section
// 7.6.1): headers that the client names as its own hop's go, and so do their
// names. Left in place, `Connection: X-Auth-User-Id` would take off the header
// that we are about to set.
func pruneConnection(h http.Header) {
	lines := h["Connection"]
	if len(lines) == 0 || len(lines) == 1 && isConnectionOption(lines[0]) {
		return
	}
	var kept []string
	for _, line := range lines {
		for token := range strings.SplitSeq(line, ",") {
			token = strings.TrimSpace(token)
			switch {
			case isConnectionOption(token):
				kept = append(kept, token)
			case token != "":
				h.Del(token)
			}
		}
	}
	if len(kept) == 0 {
		delete(h, "Connection")
		return
	}
	h["Connection"] = []string{strings.Join(kept, ", ")}
}

func isConnectionOption(token string) bool {
	return providers.SameHeader(token, "keep-alive") || providers.SameHeader(token, "close") ||
		providers.SameHeader(token, "upgrade")
}
