package ogximport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is more than any run file has.
const maxFile = 4 << 20

// maxNodes is how many nodes are looked at: aliases in aliases are a bomb.
const maxNodes = 1 << 18

// value is a node of the file, and where it is.
type value struct {
	node *yaml.Node
	path string
}

// parseYAML reads the file as one document. yaml.v3 panics for some broken
// files; that is broken too.
func parseYAML(file []byte) (root value, err error) {
	if len(file) > maxFile {
		return value{}, fmt.Errorf("the file has %d bytes, more than %d", len(file), maxFile)
	}
	defer func() {
		if v := recover(); v != nil {
			root, err = value{}, fmt.Errorf("reading YAML: %v", v)
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(file))
	var document, more yaml.Node
	switch err := d.Decode(&document); {
	case errors.Is(err, io.EOF):
		return value{}, errors.New("the file is empty")
	case err != nil:
		return value{}, fmt.Errorf("reading YAML: %w", withoutNames(err))
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return value{}, errors.New("the file has more than one document, or is broken behind the first: expected the YAML of a run file")
	}
	left := maxNodes
	if err := checkTree(&document, 0, &left); err != nil {
		return value{}, err
	}
	return value{document.Content[0], ""}, nil
}

// withoutNames takes the name out of an error about an anchor: to YAML a password
// that begins with a star is one.
func withoutNames(err error) error {
	if strings.Contains(err.Error(), "anchor '") {
		return errors.New("an alias of what is not there: a text that begins with * has to be in quotes")
	}
	return err
}

// checkTree refuses what has no end, or nearly none.
func checkTree(n *yaml.Node, depth int, left *int) error {
	if *left--; *left < 0 || depth > 200 {
		return errors.New("the file is nested too deeply, or its aliases are")
	}
	if n.Kind == yaml.AliasNode {
		return checkTree(n.Alias, depth+1, left)
	}
	for _, child := range n.Content {
		if err := checkTree(child, depth+1, left); err != nil {
			return err
		}
	}
	return nil
}

func (v value) line() int { return v.node.Line }

// target returns the node that an alias stands for.
func (v value) target() *yaml.Node {
	n := v.node
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// isList and isMapping leave out what a tag makes something else of, such as a
// set.
func (v value) isList() bool {
	n := v.target()
	return n.Kind == yaml.SequenceNode && n.ShortTag() == "!!seq"
}

func (v value) isMapping() bool {
	n := v.target()
	return n.Kind == yaml.MappingNode && n.ShortTag() == "!!map"
}

func (v value) isNull() bool {
	n := v.target()
	return n.Kind == yaml.ScalarNode && scalarKind(n) == kindNull
}

// items returns the elements of a list.
func (v value) items() []value {
	list := make([]value, 0, len(v.target().Content))
	for i, n := range v.target().Content {
		list = append(list, value{n, fmt.Sprintf("%s[%d]", v.path, i)})
	}
	return list
}

// object is a mapping of which it is known which keys were asked for.
type object struct {
	keys   []string
	values map[string]value
	asked  map[string]bool
}

// mapping returns the mapping that a value is. What YAML says twice counts as
// OGX reads it: the last.
func (im *importer) mapping(v value) (*object, bool) {
	if !v.isMapping() {
		im.refuse(v, "expected keys and values")
		return nil, false
	}
	o := &object{values: map[string]value{}, asked: map[string]bool{}}
	im.collect(v, v.target(), o, map[string]bool{})
	return o, true
}

// collect adds the pairs of a mapping, and of those merged into it (<<), which
// never override its own. Of several << the last counts, and of a list in one the
// first: so does PyYAML.
func (im *importer) collect(v value, n *yaml.Node, o *object, taken map[string]bool) {
	own := map[string]bool{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := value{n.Content[i], v.path}
		if k := key.target(); k.Kind == yaml.ScalarNode && k.Value == "<<" && (k.Tag == "!!merge" || k.Style == 0) {
			merged = append(merged, n.Content[i+1])
			continue
		}
		name, ok := im.keyName(key)
		if !ok || taken[name] {
			continue
		}
		child := value{n.Content[i+1], joinPath(v.path, name)}
		if own[name] {
			im.note(o.values[name], "is there twice: OGX reads the last, and so does this")
		} else {
			o.keys = append(o.keys, name)
		}
		own[name] = true
		o.values[name] = child
	}
	for name := range own {
		taken[name] = true
	}
	for _, m := range slices.Backward(merged) {
		from := value{m, v.path}
		sources := []value{from}
		if from.isList() {
			sources = from.items()
		}
		for _, source := range sources {
			if !source.isMapping() {
				im.refuse(from, "<< without keys and values")
				continue
			}
			im.collect(value{source.node, v.path}, source.target(), o, taken)
		}
	}
}

func (im *importer) keyName(key value) (string, bool) {
	n := key.target()
	if n.Kind != yaml.ScalarNode || scalarKind(n) != kindText {
		im.refuse(key, "a key that is not a text")
		return "", false
	}
	return n.Value, true
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// get returns the value of a key.
func (o *object) get(name string) (value, bool) {
	o.asked[name] = true
	v, there := o.values[name]
	return v, there
}

func (o *object) has(name string) bool {
	_, there := o.values[name]
	return there
}

// unknown refuses the keys that nobody asked for. OGX passes over them; whoever
// wrote them meant something.
func (im *importer) unknown(o *object, of string) {
	for _, name := range o.keys {
		if !o.asked[name] {
			im.refuse(o.values[name], "is not known in %s, and OGX passes over it", of)
		}
	}
}

// oneLine returns a text as it can stand in a comment or a message.
func oneLine(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == 0x85 || c == 0x2028 || c == 0x2029 {
			return ' '
		}
		return c
	}, text)
}
