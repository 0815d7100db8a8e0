package stackauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// stop is a place on the way of a request, in front of a handler or instead of
// it.
type stop struct {
	kind    stopKind
	Handler string `json:"handler"`
	Target  string `json:"target,omitempty"`
	block   int
}

type stopKind uint8

const (
	blockFollows  stopKind = iota // a stack_auth
	answerFollows                 // a handler that answers out of itself, and is run
	answers                       // in place of one that would have answered
	hangsUp                       // in place of one that closes the connection
	passes                        // in place of one that lets requests pass
)

// How handlers of Caddy are staged. All others pass: what they would do, only
// they know.
var (
	// asTheyAre change what matchers and rules further on see, and nothing else.
	asTheyAre = []string{"vars", "map", "rewrite", "headers", "invoke"}

	// outOfThemselves answer with what the configuration says.
	outOfThemselves = []string{"static_response", "error"}

	// fromOutside answer with what something else says.
	fromOutside = []string{"reverse_proxy", "file_server", "metrics"}

	// looksInto are the options on which it depends how some are staged.
	looksInto = map[string][]string{
		"static_response": {"abort"},
		"file_server":     {"pass_thru"},
		"reverse_proxy":   {"handle_response"},
	}
)

// stage returns the `http` app of a configuration as it is rehearsed.
func (r *rehearsal) stage(tree map[string]any) (json.RawMessage, error) {
	number := 0
	eachBlock(tree, func(block map[string]any) {
		number++
		block[blockMark] = number
	})
	apps, _ := tree["apps"].(map[string]any)
	app, _ := apps["http"].(map[string]any)
	servers, _ := app["servers"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		server, ok := servers[name].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("server %s is not an object", name)
		}
		s := newRehearsedServer(name, server, app)
		eachBlock(server, func(block map[string]any) {
			if h := r.blocks[block[blockMark].(int)-1].Handler; s.first == nil && len(h.ProvidersRaw) > 0 {
				s.first = h
			}
		})
		r.servers = append(r.servers, s)
		if err := r.stageServer(name, server); err != nil {
			return nil, fmt.Errorf("server %s: %w", name, err)
		}
	}
	staged := map[string]any{"servers": servers}
	for _, key := range []string{"http_port", "https_port"} {
		if v, there := app[key]; there {
			staged[key] = v
		}
	}
	return json.Marshal(staged)
}

// withoutShadow returns the configuration with every block enforced.
func withoutShadow(config []byte) ([]byte, error) {
	var tree any
	d := json.NewDecoder(bytes.NewReader(config))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	eachBlock(tree, func(block map[string]any) {
		maps.DeleteFunc(block, func(key string, _ any) bool { return strings.EqualFold(key, "shadow") }) // as Caddy reads it
	})
	return json.Marshal(tree)
}

// blockMark is where a block has its number until it is staged.
const blockMark = "\x00block"

// eachBlock goes through the blocks in the order in which findBlocks does.
func eachBlock(node any, do func(block map[string]any)) {
	switch v := node.(type) {
	case []any:
		for _, element := range v {
			eachBlock(element, do)
		}
	case map[string]any:
		if isBlock(v) {
			do(v)
			return
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			eachBlock(v[key], do)
		}
	}
}

// stageServer leaves of a server what decides about requests.
func (r *rehearsal) stageServer(name string, server map[string]any) error {
	removed := []string{"logs", "metrics", "tls_connection_policies", "listener_wrappers", "packet_conn_wrappers"}
	kept := []string{"automatic_https", "read_idle_timeout", "write_idle_timeout", "trusted_proxies", "routes", "errors", "named_routes"}
	if err := checkKeys(server, slices.Concat(removed, kept)...); err != nil {
		return err
	}
	for _, key := range removed {
		delete(server, key)
	}
	server["automatic_https"] = map[string]any{"disable": true}
	// The time that bodies may take: there is no connection to set a deadline on.
	server["read_idle_timeout"], server["write_idle_timeout"] = -1, -1
	if source, _ := server["trusted_proxies"].(map[string]any); source != nil && source["source"] != "static" && r.madeUp {
		delete(server, "trusted_proxies") // may be fetched from somewhere
		r.omitted = append(r.omitted, fmt.Sprintf("trusted_proxies %v of server %s", source["source"], name))
	}
	if err := r.stageRoutesOf(server); err != nil {
		return err
	}
	named, _ := server["named_routes"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(named)) {
		if err := r.stageRoutes([]any{named[key]}); err != nil {
			return err
		}
	}
	return nil
}

// stageRoutesOf stages the routes of a server or a subroute, and those for its
// errors.
func (r *rehearsal) stageRoutesOf(object map[string]any) error {
	if err := checkKeys(object, "routes", "errors"); err != nil {
		return err
	}
	if err := r.stageRoutes(object["routes"]); err != nil {
		return err
	}
	e, _ := object["errors"].(map[string]any)
	if err := checkKeys(e, "routes"); err != nil {
		return err
	}
	return r.stageRoutes(e["routes"])
}

// checkKeys refuses keys that Caddy would take for one of these, for it reads
// them in any case. What is staged is looked for as it is documented: the rest
// would be run, and could ask anybody.
func checkKeys(object map[string]any, known ...string) error {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		for _, name := range known {
			if key != name && strings.EqualFold(key, name) {
				return fmt.Errorf("key %q: expected it to be written %s", key, name)
			}
		}
	}
	return nil
}

func (r *rehearsal) stageRoutes(routes any) error {
	list, _ := routes.([]any)
	for _, element := range list {
		route, _ := element.(map[string]any)
		if err := checkKeys(route, "handle"); err != nil {
			return err
		}
		handlers, ok := route["handle"].([]any)
		if !ok {
			continue
		}
		var staged []any
		for _, h := range handlers {
			list, err := r.stageHandler(h)
			if err != nil {
				return err
			}
			staged = append(staged, list...)
		}
		route["handle"] = staged
	}
	return nil
}

// stageHandler returns what stands for a handler.
func (r *rehearsal) stageHandler(node any) ([]any, error) {
	handler, _ := node.(map[string]any)
	name, _ := handler["handler"].(string)
	if err := checkKeys(handler, looksInto[name]...); err != nil {
		return nil, err
	}
	switch {
	case name == "stack_auth":
		number, _ := handler[blockMark].(int)
		delete(handler, blockMark)
		return []any{r.stop(stop{kind: blockFollows, block: number}), handler}, nil
	case name == "subroute":
		return []any{handler}, r.stageRoutesOf(handler)
	case slices.Contains(asTheyAre, name):
		return []any{handler}, nil
	case name == "static_response" && handler["abort"] == true:
		return []any{r.stop(stop{kind: hangsUp, Handler: "abort"})}, nil
	case slices.Contains(outOfThemselves, name):
		return []any{r.stop(stop{kind: answerFollows, Handler: name}), handler}, nil
	case slices.Contains(fromOutside, name) && !letsPass(handler):
		return []any{r.stop(stop{kind: answers, Handler: name, Target: targetOf(handler)})}, nil
	}
	return []any{r.stop(stop{kind: passes, Handler: name, Target: targetOf(handler)})}, nil
}

// letsPass reports whether a handler that answers from outside may let a request
// go on instead: forward_auth does, which is a reverse_proxy that does something
// else with good answers than to copy them.
func letsPass(handler map[string]any) bool {
	if handler["pass_thru"] == true {
		return true
	}
	responses, _ := handler["handle_response"].([]any)
	return slices.ContainsFunc(responses, func(node any) bool {
		response, _ := node.(map[string]any)
		match, _ := response["match"].(map[string]any)
		codes, selective := match["status_code"].([]any)
		good := slices.ContainsFunc(codes, func(code any) bool { return strings.HasPrefix(fmt.Sprint(code), "2") })
		raw, err := json.Marshal(response["routes"])
		return (good || !selective) && err == nil && !strings.Contains(string(raw), `"handler":"copy_response"`)
	})
}

// targetOf says where a handler would have asked.
func targetOf(handler map[string]any) string {
	var dials []string
	upstreams, _ := handler["upstreams"].([]any)
	for _, node := range upstreams {
		upstream, _ := node.(map[string]any)
		if dial, ok := upstream["dial"].(string); ok {
			dials = append(dials, dial)
		}
	}
	return strings.Join(dials, " ")
}

func (r *rehearsal) stop(s stop) any {
	r.stops = append(r.stops, s)
	return map[string]any{"handler": "stack_auth_rehearsal", "stop": len(r.stops) - 1}
}

// rehearsalStop is the handler at a stop. It becomes a module when a rehearsal
// begins, so that a Caddy which serves does not have it; and it cannot be loaded
// but as a part of one.
type rehearsalStop struct {
	Stop int `json:"stop"`

	rehearsal *rehearsal
}

var registerStop = sync.OnceFunc(func() { caddy.RegisterModule(new(rehearsalStop)) })

// CaddyModule implements caddy.Module.
func (*rehearsalStop) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.stack_auth_rehearsal",
		New: func() caddy.Module { return new(rehearsalStop) },
	}
}

// Provision implements caddy.Provisioner.
func (s *rehearsalStop) Provision(ctx caddy.Context) error {
	s.rehearsal, _ = ctx.Value(rehearsalKey{}).(*rehearsal)
	if s.rehearsal == nil {
		return errors.New("not a handler for configurations")
	}
	// Handlers are loaded in the order of their list: the block comes next.
	s.rehearsal.entering = s.rehearsal.stops[s.Stop].block
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (s *rehearsalStop) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	p, here := s.rehearsal.now, &s.rehearsal.stops[s.Stop]
	switch here.kind {
	case blockFollows:
	case passes:
		p.passed = append(p.passed, *here)
	case answerFollows:
		p.answer = here
	case hangsUp:
		p.answer, p.aborts = here, true
		return nil
	case answers:
		p.answer = here
		w.WriteHeader(http.StatusOK)
		return nil
	}
	return next.ServeHTTP(w, r)
}

var (
	_ caddy.Provisioner           = (*rehearsalStop)(nil)
	_ caddyhttp.MiddlewareHandler = (*rehearsalStop)(nil)
)
