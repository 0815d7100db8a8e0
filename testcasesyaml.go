package stackauth

import (
	"go.yaml.in/yaml/v3"
)

// reader takes the value of a field.
type reader func(*yaml.Node) error

// resolved returns what an alias stands for, and what a document holds.
func resolved(n *yaml.Node) *yaml.Node {
	for {
		switch {
		case n.Kind == yaml.AliasNode:
			n = n.Alias
		case n.Kind == yaml.DocumentNode && len(n.Content) == 1:
			n = n.Content[0]
		default:
			return n
		}
	}
}

// readMapping reads an object whose fields are known.
func readMapping(n *yaml.Node, what string, fields map[string]reader) error {
	return eachPair(n, what, func(key, value *yaml.Node) error {
		read, known := fields[key.Value]
		if !known {
			return wrongAt(key, "%s has no field %q: expected some of %s", what, key.Value, expectedFields(fields))
		}
		return read(value)
	})
}

// eachPair goes through an object, in which every name is there once.
func eachPair(n *yaml.Node, what string, do func(key, value *yaml.Node) error) error {
	at := n
	if n = resolved(n); n.Kind != yaml.MappingNode {
		return wrongAt(at, "%s: expected names with values", what)
	}
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := resolved(n.Content[i])
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			return wrongAt(key, "%s: a name is not a text: put it in quotes", what)
		}
		if line, again := seen[key.Value]; again {
			return wrongAt(key, "%s: %q is there twice, first in line %d", what, key.Value, line)
		}
		seen[key.Value] = key.Line
		if err := do(key, n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func listOf(n *yaml.Node) ([]*yaml.Node, error) {
	at := n
	if n = resolved(n); n.Kind != yaml.SequenceNode {
		return nil, wrongAt(at, "expected a list")
	}
	return n.Content, nil
}

// textInto reads a text that is not empty.
func textInto(to *string) reader {
	return func(n *yaml.Node) error {
		n = resolved(n)
		switch {
		case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str":
			return wrongAt(n, "expected a text: put it in quotes")
		case n.Value == "":
			return wrongAt(n, "expected a text that is not empty")
		}
		*to = n.Value
		return nil
	}
}

// textsOf reads a text, or a list of them.
func textsOf(n *yaml.Node) ([]string, error) {
	nodes := []*yaml.Node{n}
	if r := resolved(n); r.Kind == yaml.SequenceNode {
		nodes = r.Content
	}
	list := make([]string, len(nodes))
	for i, node := range nodes {
		if err := textInto(&list[i])(node); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// decodeInto reads a value of the YAML type.
func decodeInto(n *yaml.Node, tag string, to any) error {
	n = resolved(n)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != tag || n.Decode(to) != nil {
		return wrongAt(n, "value %q: expected %s", n.Value, map[string]string{"!!bool": "true or false", "!!int": "a whole number"}[tag])
	}
	return nil
}
