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
	if _, err := f.walk(tree, 0); err != nil {
		return nil, err
	}
	return f.found, nil
}

type blockFinder struct{ found []configBlock }

// walk goes through lists in their order and objects in that of their names,
// and returns the number of the block that holds for what comes after.
func (f *blockFinder) walk(node any, outer int) (int, error) {
	switch v := node.(type) {
	case []any:
		for _, element := range v {
			next, err := f.walk(element, outer)
			if err != nil {
				return outer, err
			}
			outer = next
		}
	case map[string]any:
		if isBlock(v) {
			return f.add(v, outer)
		}
		// What a route's own handlers establish holds for the routes that come after
		// it, too; what is further in does not.
		inner := outer
		for _, key := range slices.Sorted(maps.Keys(v)) {
			next, err := f.walk(v[key], outer)
			if err != nil {
				return outer, err
			}
			if key == "handle" {
				inner = next
			}
		}
		return inner, nil
	}
	return outer, nil
}

func isBlock(node any) bool {
	object, _ := node.(map[string]any)
	return object["handler"] == "stack_auth"
}

func (f *blockFinder) add(object map[string]any, outer int) (int, error) {
	object = maps.Clone(object)
	delete(object, "handler")
	raw, err := json.Marshal(object)
	if err != nil {
		return outer, err
	}
	h := new(Handler)
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(h); err != nil {
		return outer, fmt.Errorf("reading stack_auth block %d: %w", len(f.found)+1, err)
	}
	f.found = append(f.found, configBlock{Number: len(f.found) + 1, Outer: outer, Handler: h})
	if len(h.ProvidersRaw) > 0 {
		outer = len(f.found)
	}
	return outer, nil
}
