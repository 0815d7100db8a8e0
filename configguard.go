package stackauth

import (
	"maps"
	"slices"
	"strings"
)

// unguarded returns, by the number of a block, a proxy that gets requests which
// do not come to it, because the block is inside a `handle` for some paths. Only
// what is sure is said: the proxy is one that also gets requests from the block,
// and nothing else is in front of it that could refuse them.
func unguarded(tree any) map[int]string {
	root, _ := tree.(map[string]any)
	apps, _ := root["apps"].(map[string]any)
	app, _ := apps["http"].(map[string]any)
	servers, _ := app["servers"].(map[string]any)
	found := make(map[int]string)
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		server, _ := servers[name].(map[string]any)
		if asksForCertificates(server) {
			continue
		}
		for _, site := range sitesOf(server) {
			g := &guards{behind: make(map[string]int)}
			g.list(site, stand{flow: flowOf(server)})
			for _, p := range g.open {
				for _, block := range g.blocksBeside(p) {
					found[block] = p.text
				}
			}
		}
	}
	return found
}

// asksForCertificates: whoever has none may not get as far as any handler.
func asksForCertificates(server map[string]any) bool {
	return slices.ContainsFunc(mapsOf(server["tls_connection_policies"]), func(p map[string]any) bool {
		return p["client_authentication"] != nil
	})
}

// sitesOf returns the lists of routes that are one site each: those with
// matchers by themselves, for hosts, and what is left together.
func sitesOf(server map[string]any) [][]any {
	var sites [][]any
	var rest []any
	for _, route := range mapsOf(server["routes"]) {
		handlers, _ := route["handle"].([]any)
		if sets := mapsOf(route["match"]); len(sets) > 0 && !slices.ContainsFunc(sets, func(set map[string]any) bool {
			return len(set) != 1 || set["host"] == nil
		}) {
			sites = append(sites, handlers)
			continue
		}
		rest = append(rest, route)
	}
	return append(sites, rest)
}

// guards are what a site has of blocks and proxies.
type guards struct {
	behind map[string]int // upstreams that get requests from a block for some paths, and its number
	open   []openProxy
}

// openProxy gets requests that no block has seen.
type openProxy struct {
	text   string
	dials  []string
	blocks []int // which requests for some paths have passed on their way to it
}

func (g *guards) blocksBeside(p openProxy) []int {
	blocks := p.blocks
	for _, dial := range p.dials {
		if block := g.behind[dial]; block > 0 {
			blocks = append(blocks, block)
		}
	}
	return blocks
}

// stand is how it stands with the requests at one point of the way.
type stand struct {
	flow   flow
	block  int   // that all of them have passed; 0 for none
	passed []int // that those for some paths have passed
	path   bool  // they are only those for some paths
	other  bool  // they are only some, and it is not known which
	unsure bool  // something may have refused them
	ended  bool  // there are none left
}

// list goes through handlers or routes, and returns how it stands behind them.
func (g *guards) list(list []any, s stand) stand {
	for i := 0; i < len(list) && !s.ended; {
		element, _ := list[i].(map[string]any)
		group, grouped := element["group"].(string)
		n := 1
		for grouped && i+n < len(list) {
			if next, _ := list[i+n].(map[string]any); next["group"] != group {
				break
			}
			n++
		}
		if name, isHandler := element["handler"].(string); isHandler {
			s = g.handler(name, element, s)
		} else {
			s = g.routes(mapsOf(list[i:i+n]), s)
		}
		i += n
	}
	return s
}

func (g *guards) handler(name string, handler map[string]any, s stand) stand {
	switch name {
	case "stack_auth":
		switch providers, _ := handler["providers"].([]any); {
		case len(providers) == 0: // enforces, if anything, and finds out nothing
		case handler["match"] != nil:
			s.unsure = true // said of the block itself
		default:
			s.block, _ = handler[blockMark].(int)
		}
	case "subroute":
		list, _ := handler["routes"].([]any)
		return g.list(list, s)
	case "invoke":
		route, inner := s.flow.into(handler)
		if route == nil {
			s.unsure = true // who knows what is in it
			break
		}
		outer := s.flow
		s.flow = inner
		s = g.list([]any{route}, s)
		s.flow = outer
	case "reverse_proxy":
		if letsPass(handler) {
			s.unsure = true // it may be forward_auth
			break
		}
		g.proxy(handler, s)
		s.ended = true
	default:
		s.ended = flow{}.answeredBy(handler) != ""
		s.unsure = s.unsure || !slices.Contains(inProcess, name)
	}
	return s
}

func (g *guards) proxy(handler map[string]any, s stand) {
	dials := strings.Fields(targetOf(handler))
	switch {
	case s.block > 0 && s.path && !s.other:
		for _, dial := range dials {
			if !strings.Contains(dial, "{") {
				g.behind[dial] = s.block
			}
		}
	case s.block == 0 && !s.path && !s.other && !s.unsure:
		text := strings.TrimSpace("reverse_proxy " + strings.Join(dials, " "))
		g.open = append(g.open, openProxy{text, dials, s.passed})
	}
}

// routes goes through a route, or through several of which a request gets into
// one: which, their matchers say.
func (g *guards) routes(group []map[string]any, before stand) stand {
	s := before // of requests that get into none
	for _, route := range group {
		path, other := whatMatches(route)
		handlers, _ := route["handle"].([]any)
		inner := before
		inner.path, inner.other = inner.path || path, inner.other || other
		after := g.list(handlers, inner)
		after.path, after.other = before.path, before.other
		switch {
		case !path && !other: // all that are left
			after.passed = append(slices.Clip(s.passed), after.passed...)
			after.unsure = after.unsure || s.unsure
			return g.together(after, before)
		case other:
			s.unsure = s.unsure || after.ended || after.unsure || after.block != before.block
		case after.block != before.block && !after.ended:
			s.passed = append(slices.Clip(s.passed), after.block)
		}
	}
	return s
}

// together is how it stands behind a route for all that earlier ones of its
// group have left, which may have let theirs go on.
func (g *guards) together(s, before stand) stand {
	if s.ended && len(s.passed) > len(before.passed) {
		s.ended, s.unsure = false, true // what is left has passed a block
	}
	return s
}

// whatMatches reports whether a route is for some paths, or for requests of
// which it cannot be told which they are.
func whatMatches(route map[string]any) (path, other bool) {
	sets := mapsOf(route["match"])
	for _, set := range sets {
		paths := stringsOf(set["path"])
		all := slices.ContainsFunc(paths, func(p string) bool { return p == "*" || p == "/*" })
		switch {
		case all && len(set) == 1:
			return false, false
		case len(paths) == 0 || all:
			other = true
		}
	}
	return len(sets) > 0, other
}
