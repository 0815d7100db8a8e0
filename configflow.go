package stackauth

import "slices"

// flow tells what becomes of requests on their way through handlers, as far as
// the configuration says so without being loaded.
type flow struct {
	named   map[string]any   // the routes of the server that `invoke` runs
	blocks  map[string][]int // the stack_auth blocks in them, by their index
	invoked int              // how many of them the way leads through
	left    *int             // how many more are followed, for the outermost; nil outside
}

// flowOf returns the flow of a server.
func flowOf(server map[string]any) flow {
	named, _ := server["named_routes"].(map[string]any)
	return flow{named: named, blocks: make(map[string][]int)}
}

// maxInvoked is how deep named routes are followed, for one may invoke itself, and
// mostInvoked how many that one leads to, for several may invoke each other.
const (
	maxInvoked  = 8
	mostInvoked = 100
)

// into returns the named route that a handler invokes, and the flow in it; nil
// if there is none, or no end.
func (f flow) into(handler map[string]any) (any, flow) {
	name, _ := handler["name"].(string)
	if f.left == nil {
		left := mostInvoked
		f.left = &left
	}
	if f.invoked == maxInvoked || *f.left == 0 {
		return nil, f
	}
	*f.left--
	f.invoked++
	return f.named[name], f
}

// inProcess are handlers that ask nobody outside: they answer, or let requests
// go on. Of any other it is not known.
var inProcess = []string{
	"copy_response", "copy_response_headers", "encode", "error", "file_server", "headers", "log_append", "map", "metrics",
	"request_body", "rewrite", "stack_auth", "static_response", "templates", "tracing", "vars",
}

// mayLeave reports whether a request that comes to the node may go on to
// something outside this process.
func (f flow) mayLeave(node any) bool {
	switch v := node.(type) {
	case []any:
		return slices.ContainsFunc(v, f.mayLeave)
	case map[string]any:
		switch name, isHandler := v["handler"].(string); {
		case !isHandler:
			return f.mayLeave(v["handle"])
		case name == "subroute":
			return f.mayLeave(v["routes"]) || f.mayLeave(errorRoutes(v))
		case name == "invoke":
			route, inner := f.into(v)
			return inner.mayLeave(route)
		default:
			return !slices.Contains(inProcess, name)
		}
	}
	return false
}

func errorRoutes(object map[string]any) any {
	e, _ := object["errors"].(map[string]any)
	return e["routes"]
}

// answeredBy returns the handler that answers every request which comes to the
// node; empty if some may go on.
func (f flow) answeredBy(node any) string {
	switch v := node.(type) {
	case []any:
		var a answering
		for _, element := range v {
			a.add(f, element)
		}
		return a.by
	case map[string]any:
		switch name, _ := v["handler"].(string); name {
		case "":
			return f.answeredBy(v["handle"])
		case "subroute":
			return f.answeredBy(v["routes"])
		case "invoke":
			route, inner := f.into(v)
			if r, _ := route.(map[string]any); r["match"] == nil {
				return inner.answeredBy(route)
			}
		case "static_response", "error", "metrics":
			return name
		case "file_server", "reverse_proxy":
			if !letsPass(v) {
				return name
			}
		}
	}
	return ""
}

// answering goes through a list of handlers or routes until one answers all that
// is left.
type answering struct {
	by   string
	open map[string]bool // groups with a route that lets requests go on
}

func (a *answering) add(f flow, element any) {
	route, _ := element.(map[string]any)
	group, _ := route["group"].(string)
	by := f.answeredBy(element)
	switch _, isHandler := route["handler"]; {
	case a.by != "":
	case by != "" && (isHandler || route["match"] == nil) && !a.open[group]:
		a.by = by
	case by == "" && group != "":
		if a.open == nil {
			a.open = make(map[string]bool)
		}
		a.open[group] = true
	}
}

// local reports for each element of a list whether nothing that a request comes
// to behind it leaves this process. after: nothing behind the list does.
func (f flow) local(list []any, after bool) []bool {
	type kind struct{ leaves, answers bool }
	kinds := make([]kind, len(list))
	for i, element := range list {
		route, _ := element.(map[string]any)
		_, isHandler := route["handler"]
		alone := isHandler || route["match"] == nil && route["group"] == nil
		kinds[i] = kind{f.mayLeave(element), alone && f.answeredBy(element) != ""}
	}
	locals := make([]bool, len(list))
	for i, element := range list {
		locals[i] = after
		for j := i + 1; j < len(list) && !isTerminal(element); j++ {
			if excludes(element, list[j]) {
				continue
			}
			if kinds[j].leaves || kinds[j].answers {
				locals[i] = !kinds[j].leaves
				break
			}
		}
	}
	return locals
}

func isTerminal(route any) bool {
	r, _ := route.(map[string]any)
	return r["terminal"] == true
}
