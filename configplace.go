package stackauth

import (
	"encoding/json"
	"maps"
	"net"
	"slices"
	"strings"
)

// configPlace is where in a configuration something is, in words.
type configPlace struct {
	listen []string // addresses
	hosts  []string
	inner  []string // routes, the outermost first
}

// within returns the place further in, by what it is called there.
func (p configPlace) within(name string) configPlace {
	p.inner = append(slices.Clone(p.inner), name)
	return p
}

// into returns the place within a server or a route.
func (p configPlace) into(object map[string]any) configPlace {
	if _, isServer := object["routes"].([]any); isServer && object["listen"] != nil {
		return configPlace{listen: stringsOf(object["listen"])}
	}
	if _, isRoute := object["handle"].([]any); !isRoute {
		return p
	}
	var matchers []string
	for _, set := range mapsOf(object["match"]) {
		hosts := stringsOf(set["host"])
		p.hosts = append(slices.Clone(p.hosts), hosts...)
		if text := describeMatchers(set); text != "" && text != "*" {
			matchers = append(matchers, text)
		}
	}
	if matchers != nil {
		p = p.within("handle " + strings.Join(matchers, " or "))
	}
	return p
}

// of returns the place of a block, as text.
func (p configPlace) of(h *Handler) string {
	site := p.listen
	if len(p.hosts) > 0 {
		site = nil
		for _, host := range p.hosts {
			site = append(site, host+unusualPort(p.listen))
		}
	}
	parts := []string{strings.Join(site, " ")}
	if len(site) == 0 {
		parts = nil
	}
	parts = append(parts, p.inner...)
	matchers := make([]string, 0, len(h.Match))
	for _, set := range h.Match {
		object := make(map[string]any, len(set))
		for name, raw := range set {
			var v any
			_ = json.Unmarshal(raw, &v) // was read as JSON before
			object[name] = v
		}
		matchers = append(matchers, describeMatchers(object))
	}
	if len(matchers) > 0 {
		parts = append(parts, "stack_auth "+strings.Join(matchers, " or "))
	}
	return strings.Join(parts, ", ")
}

// unusualPort returns the port of the addresses as a site has it in a Caddyfile.
func unusualPort(listen []string) string {
	if len(listen) != 1 {
		return ""
	}
	_, port, err := net.SplitHostPort(listen[0])
	if err != nil || port == "443" || port == "80" {
		return ""
	}
	return ":" + port
}

// describeMatchers names a set of matchers: paths as they are, others by their
// names.
func describeMatchers(set map[string]any) string {
	words := stringsOf(set["path"])
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if name != "path" && name != "host" {
			words = append(words, name)
		}
	}
	return strings.Join(words, " ")
}

func stringsOf(node any) []string {
	list, _ := node.([]any)
	var texts []string
	for _, v := range list {
		if text, ok := v.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

func mapsOf(node any) []map[string]any {
	list, _ := node.([]any)
	var objects []map[string]any
	for _, v := range list {
		if object, ok := v.(map[string]any); ok {
			objects = append(objects, object)
		}
	}
	return objects
}

// pathChange is a handler that changes the path of requests.
type pathChange struct {
	// Text is how it is written.
	Text string

	// Prefix is what it takes off the front; empty if it does something else.
	Prefix string

	// Method is the method that it gives them instead; empty if it is about the
	// path.
	Method string
}

// changesPath reports whether a rewrite to the URI may give a request another
// path.
func changesPath(uri string) bool {
	path, _, _ := strings.Cut(uri, "?")
	return path != "" && path != "{http.request.uri}" && path != "{http.request.uri.path}"
}

// changesOf returns what a node changes in paths and methods by itself: every
// path that gets there, added to what was before; and any.
func changesOf(object map[string]any, before []pathChange) (always, some []pathChange) {
	always = before
	rewrite := object
	proxies := object["handler"] == "reverse_proxy"
	if proxies {
		rewrite, _ = object["rewrite"].(map[string]any)
		if rewrite["method"] == "GET" && letsPass(object) {
			return always, nil // forward_auth asks with another request, and this one goes on as it was
		}
	} else if object["handler"] != "rewrite" {
		return always, nil
	}
	text := func(key string) string { v, _ := rewrite[key].(string); return v }
	if prefix := text("strip_path_prefix"); prefix != "" {
		change := pathChange{Text: "uri strip_prefix " + prefix, Prefix: prefix}
		if strings.Contains(prefix, "{") {
			change.Prefix = ""
		}
		some = append(some, change)
	}
	if suffix := text("strip_path_suffix"); suffix != "" {
		some = append(some, pathChange{Text: "uri strip_suffix " + suffix})
	}
	if uri := text("uri"); changesPath(uri) {
		some = append(some, pathChange{Text: "rewrite " + uri})
	}
	for _, key := range []string{"uri_substring", "path_regexp"} {
		if rewrite[key] != nil {
			some = append(some, pathChange{Text: map[string]string{"uri_substring": "uri replace", "path_regexp": "uri path_regexp"}[key]})
		}
	}
	if !proxies {
		always = slices.Concat(before, some)
	}
	if method := text("method"); method != "" && method != "{http.request.method}" && (!proxies || !letsPass(object)) {
		some = append(some, pathChange{Text: "method " + method, Method: method})
	}
	return always, some
}
