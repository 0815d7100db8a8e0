package stackauth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/pflag"
)

// configFlags say which configuration a command is about, as `caddy adapt` has
// them.
type configFlags struct{ file, adapter string }

func (c *configFlags) bind(flags *pflag.FlagSet) {
	flags.StringVarP(&c.file, "config", "c", "", "Configuration file (default: Caddyfile in this folder)")
	flags.StringVarP(&c.adapter, "adapter", "a", "", "Adapter of the configuration (default: by the file's name)")
}

// load returns the configuration as JSON. Nothing of it is started.
func (c *configFlags) load() ([]byte, error) {
	raw, _, _, err := caddycmd.LoadConfig(c.file, c.adapter)
	if err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, fmt.Errorf("no configuration: name one with --config")
	}
	return raw, nil
}

// configBlock is a stack_auth block of a configuration.
type configBlock struct {
	// Number counts the blocks in the order in which they are written, from 1.
	Number int

	// Outer is the number of the block with providers that stands before it in
	// the same chain of handlers, or further out; 0 without one.
	Outer int

	// Place says where it is, for people: `:8080, handle /v1/admin*`.
	Place string

	// Elsewhere: it is where the chain of handlers before it cannot be seen: in a
	// named route, in routes for errors or answers.
	Elsewhere bool

	// Before and After are the handlers that change the path of a request on its
	// way to the block, whatever the request, and of some when it has passed.
	Before, After []pathChange

	Handler *Handler
}

// findBlocks returns the stack_auth blocks of a configuration. They are read,
// and not provisioned.
func findBlocks(config []byte) ([]configBlock, error) {
	var tree any
	d := json.NewDecoder(bytes.NewReader(config))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	f := &blockFinder{}
	if _, err := f.walk(tree, chain{}); err != nil {
		return nil, err
	}
	return f.found, nil
}

type blockFinder struct{ found []configBlock }

// chain is what a request has passed before it comes to a node.
type chain struct {
	outer     int // the block that holds
	place     configPlace
	elsewhere bool
	before    []pathChange
}

// passed is what a node is to what comes after it.
type passed struct {
	outer   int
	before  []pathChange // of every request
	changes []pathChange // of some
}

// walk goes through lists in their order and objects in that of their names.
func (f *blockFinder) walk(node any, c chain) (passed, error) {
	p := passed{outer: c.outer, before: c.before}
	switch v := node.(type) {
	case []any:
		return f.walkList(v, c)
	case map[string]any:
		if isBlock(v) {
			var err error
			p.outer, err = f.add(v, c)
			return p, err
		}
		p.before, p.changes = changesOf(v, c.before)
		c.place = c.place.into(v)
		c.before = p.before
		// What a route's own handlers establish holds for the routes that come after
		// it, too; what is further in does not.
		for _, key := range slices.Sorted(maps.Keys(v)) {
			inner := c
			inner.elsewhere = c.elsewhere || key == "named_routes" || key == "errors" || key == "handle_response"
			next, err := f.walk(v[key], inner)
			if err != nil {
				return p, err
			}
			p.changes = append(p.changes, next.changes...)
			if key == "handle" {
				p.outer = next.outer
				if v["match"] == nil {
					p.before = next.before
				}
			}
		}
	}
	return p, nil
}

// walkList goes through routes or handlers. What changes the path in a later one
// does so after the blocks of an earlier one, unless a request never gets into
// both.
func (f *blockFinder) walkList(list []any, c chain) (passed, error) {
	p := passed{outer: c.outer, before: c.before}
	type stretch struct {
		element  any
		from, to int // in found
	}
	var earlier []stretch
	for _, element := range list {
		from := len(f.found)
		c.outer, c.before = p.outer, p.before
		next, err := f.walk(element, c)
		if err != nil {
			return p, err
		}
		for _, s := range earlier {
			if excludes(s.element, element) {
				continue
			}
			for i := s.from; i < s.to; i++ {
				f.found[i].After = append(f.found[i].After, next.changes...)
			}
		}
		earlier = append(earlier, stretch{element, from, len(f.found)})
		p.outer, p.before = next.outer, next.before
		p.changes = append(p.changes, next.changes...)
	}
	return p, nil
}

// excludes reports whether a request that gets into the one route does not get
// into the other, later one.
func excludes(route, later any) bool {
	a, _ := route.(map[string]any)
	b, _ := later.(map[string]any)
	group, _ := a["group"].(string)
	return a["terminal"] == true || group != "" && group == b["group"]
}

func isBlock(node any) bool {
	object, _ := node.(map[string]any)
	return object["handler"] == "stack_auth"
}

func (f *blockFinder) add(object map[string]any, c chain) (int, error) {
	object = maps.Clone(object)
	delete(object, "handler")
	raw, err := json.Marshal(object)
	if err != nil {
		return c.outer, err
	}
	h := new(Handler)
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(h); err != nil {
		return c.outer, fmt.Errorf("reading stack_auth block %d: %w", len(f.found)+1, err)
	}
	f.found = append(f.found, configBlock{
		Number: len(f.found) + 1, Outer: c.outer, Place: c.place.of(h), Elsewhere: c.elsewhere,
		Before: slices.Clone(c.before), Handler: h,
	})
	if len(h.ProvidersRaw) > 0 {
		return len(f.found), nil
	}
	return c.outer, nil
}
