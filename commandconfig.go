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
	// way to the block, whatever the request, and of some when it has passed, on
	// their way out of this process.
	Before, After []pathChange

	// Answered is the handler before it that answers every request; empty if
	// there is none.
	Answered string

	// Beside is a proxy that gets requests past the block, because of their path;
	// empty if none does for sure.
	Beside string

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
	number := 0
	eachBlock(tree, func(block map[string]any) {
		number++
		block[blockMark] = number
	})
	f := &blockFinder{}
	if _, err := f.walk(tree, chain{}); err != nil {
		return nil, err
	}
	for block, proxy := range unguarded(tree) {
		f.found[block-1].Beside = proxy
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
	flow      flow
	answered  string // the handler that no request gets past
	local     bool   // nothing that comes after it leaves this process
	fails     bool   // but routes for its errors do
}

// passed is what a node is to what comes after it.
type passed struct {
	outer   int
	before  []pathChange // of every request
	changes []pathChange // of some
	blocks  []int        // in it, by their index
}

// walk goes through lists in their order and objects in that of their names.
func (f *blockFinder) walk(node any, c chain) (passed, error) {
	switch v := node.(type) {
	case []any:
		return f.walkList(v, c)
	case map[string]any:
		switch {
		case isBlock(v):
			outer, err := f.add(v, c)
			return passed{outer: outer, before: c.before, blocks: []int{len(f.found) - 1}}, err
		case v["handler"] == "invoke":
			return f.walkInvoked(v, c)
		}
		return f.walkObject(v, c)
	}
	return passed{outer: c.outer, before: c.before}, nil
}

func (f *blockFinder) walkObject(v map[string]any, c chain) (passed, error) {
	p := passed{outer: c.outer}
	p.before, p.changes = changesOf(v, c.before)
	if c.local && !c.fails {
		p.changes = nil
	}
	c.place = c.place.into(v)
	c.before = p.before
	if v["named_routes"] != nil {
		c.flow = flowOf(v)
	}
	// What a route's own handlers establish holds for the routes that come after
	// it, too; what is further in does not.
	for _, key := range slices.Sorted(maps.Keys(v)) {
		next, err := f.walkMember(key, v, c)
		if err != nil {
			return p, err
		}
		p.changes = append(p.changes, next.changes...)
		p.blocks = append(p.blocks, next.blocks...)
		if key == "handle" {
			p.outer = next.outer
			if v["match"] == nil {
				p.before = next.before
			}
		}
	}
	return p, nil
}

func (f *blockFinder) walkMember(key string, v map[string]any, c chain) (passed, error) {
	switch key {
	case "named_routes", "errors", "handle_response":
		c.elsewhere, c.answered = true, ""
		if key == "errors" {
			c.place = c.place.within("handle_errors")
		}
	case "routes":
		// Where a server's own routes for errors begin, the request is as it came.
		c.fails = c.fails || v["handler"] == "subroute" && c.flow.mayLeave(errorRoutes(v))
	}
	named, _ := v[key].(map[string]any)
	if key != "named_routes" || named == nil {
		return f.walk(v[key], c)
	}
	outside := c.place
	for _, name := range slices.Sorted(maps.Keys(named)) {
		c.place = outside.within("&(" + name + ")")
		next, err := f.walk(named[name], c)
		if err != nil {
			return next, err
		}
		c.flow.blocks[name] = next.blocks
	}
	return passed{}, nil // what is in them happens where they are invoked
}

// walkInvoked goes through a named route for what it changes. Its blocks have
// been found before, where it is written.
func (f *blockFinder) walkInvoked(v map[string]any, c chain) (passed, error) {
	if p, err := f.walkObject(v, c); err != nil { // where nothing belongs, but every block has its number
		return p, err
	}
	name, _ := v["name"].(string)
	p := passed{outer: c.outer, before: c.before, blocks: c.flow.blocks[name]}
	route, inner := c.flow.into(v)
	c.flow, c.flow.blocks = inner, nil
	next, err := new(blockFinder).walk(route, c)
	p.changes = next.changes
	return p, err
}

// walkList goes through routes or handlers. What changes the path in a later one
// does so after the blocks of an earlier one, unless a request never gets into
// both.
func (f *blockFinder) walkList(list []any, c chain) (passed, error) {
	p := passed{outer: c.outer, before: c.before}
	type stretch struct {
		element any
		blocks  []int
	}
	var earlier []stretch
	var a answering
	locals := c.flow.local(list, c.local)
	for i, element := range list {
		c.outer, c.before, c.local = p.outer, p.before, locals[i]
		if c.answered == "" {
			c.answered = a.by
		}
		next, err := f.walk(element, c)
		if err != nil {
			return p, err
		}
		a.add(c.flow, element)
		for _, s := range earlier {
			if len(next.changes) == 0 || excludes(s.element, element) {
				continue
			}
			for _, block := range s.blocks {
				f.changeAfter(block, next.changes)
			}
		}
		if len(next.blocks) > 0 && !isTerminal(element) {
			earlier = append(earlier, stretch{element, next.blocks})
		}
		p.outer, p.before = next.outer, next.before
		p.changes = append(p.changes, next.changes...)
		p.blocks = append(p.blocks, next.blocks...)
	}
	return p, nil
}

// changeAfter adds changes after a block. One in a named route may have the same
// after it more than once.
func (f *blockFinder) changeAfter(block int, changes []pathChange) {
	b := &f.found[block]
	for _, change := range changes {
		if !slices.Contains(b.After, change) {
			b.After = append(b.After, change)
		}
	}
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
	delete(object, blockMark)
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
		Number: len(f.found) + 1, Outer: c.outer, Place: c.place.of(h), Elsewhere: c.elsewhere, Answered: c.answered,
		Before: slices.Clone(c.before), Handler: h,
	})
	if len(h.ProvidersRaw) > 0 {
		return len(f.found), nil
	}
	return c.outer, nil
}
