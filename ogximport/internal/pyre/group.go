package pyre

import "strings"

// group reads what follows a (. It returns nil for what matches nothing and is
// nothing: comments, and flags for the whole.
func (p *parser) group(f flags, first bool) (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, &UnsupportedError{"groups lie too deeply in one another"}
	}
	defer func() { p.depth-- }()
	if !p.take('?') {
		p.count++
		return p.inside(f)
	}
	if !p.more() {
		return nil, invalid("a group ends too early")
	}
	c := p.peek()
	p.pos++
	switch c {
	case ':':
		return p.inside(f)
	case 'P':
		return p.named(f)
	case '#':
		for p.more() {
			if p.unit() == ")" {
				return nil, nil
			}
		}
		return nil, invalid("a comment is not closed")
	case '>':
		return p.other("an atomic group", f)
	case '=', '!':
		return p.other("a look-ahead (write a rule of its own in front of this one)", f)
	case '<':
		if !p.take('=') && !p.take('!') {
			return nil, invalid("(?< begins a look-behind in Python, and a named group is (?P<…>")
		}
		return p.other("a look-behind (write a rule of its own in front of this one)", f)
	case '(':
		return p.conditional(f)
	}
	if c == '-' || strings.ContainsRune(flagLetters, c) {
		return p.flags(c, f, first)
	}
	return nil, invalid("(?%c is unknown", c)
}

// inside reads up to the ) of a group.
func (p *parser) inside(f flags) (*node, error) {
	n, err := p.alternatives(f, false)
	if err != nil {
		return nil, err
	}
	if !p.take(')') {
		return nil, invalid("a ( is not closed")
	}
	return wrap(n), nil
}

// other reads a group that RE2 has not.
func (p *parser) other(name string, f flags) (*node, error) {
	if _, err := p.inside(f); err != nil {
		return nil, err
	}
	return p.refuse(name), nil
}

func (p *parser) named(f flags) (*node, error) {
	switch {
	case p.take('<'):
		name, err := p.until('>')
		if err != nil {
			return nil, err
		}
		if !isIdentifier(name) {
			return nil, invalid("a group cannot have the name %q", name)
		}
		if p.groups[name] {
			return nil, invalid("two groups have the name %s", name)
		}
		p.groups[name] = true
		p.count++
		return p.inside(f)
	case p.take('='):
		name, err := p.until(')')
		if err != nil {
			return nil, err
		}
		if !p.groups[name] {
			return nil, invalid("no group has the name %q", name)
		}
		return p.refuse("a back-reference"), nil
	}
	return nil, invalid("(?P is followed by neither < nor =")
}

// conditional reads what follows (?( . Its parts are not told apart: it is
// refused whatever they are.
func (p *parser) conditional(f flags) (*node, error) {
	if _, err := p.until(')'); err != nil {
		return nil, err
	}
	return p.other("a conditional group", f)
}

func (p *parser) until(end rune) (string, error) {
	start := p.pos
	for p.more() {
		if p.unit() == string(end) {
			if name := string(p.source[start : p.pos-1]); name != "" {
				return name, nil
			}
			break
		}
	}
	return "", invalid("a group has no name")
}

const flagLetters = "iLmsxau"

// flags reads the flags of a group, of which the first letter is read.
func (p *parser) flags(c rune, f flags, first bool) (*node, error) {
	on, off := map[rune]bool{}, map[rune]bool{}
	for c != '-' {
		if c == 'L' {
			return nil, invalid("the flag L is for bytes")
		}
		on[c] = true
		if on['a'] && on['u'] {
			return nil, invalid("the flags a and u exclude one another")
		}
		if c = p.next(); c == ')' || c == ':' || c == '-' {
			break
		}
		if c < 0 || !strings.ContainsRune(flagLetters, c) {
			return nil, invalid("a flag is unknown")
		}
	}
	if c == ')' {
		if !first {
			return nil, invalid("flags for the whole do not stand at its start")
		}
		p.globals = p.globals.with(on, nil)
		return nil, nil
	}
	if c == '-' {
		for c = p.next(); ; c = p.next() {
			if c < 0 || !strings.ContainsRune(flagLetters, c) || strings.ContainsRune("aLu", c) {
				return nil, invalid("a flag cannot be turned off")
			}
			off[c] = true
			if p.take(':') {
				break
			}
		}
	}
	for letter := range on {
		if off[letter] {
			return nil, invalid("a flag is turned on and off")
		}
	}
	return p.inside(f.with(on, off))
}

func (p *parser) next() rune {
	c := p.peek()
	p.pos++
	return c
}

func (f flags) with(on, off map[rune]bool) flags {
	set := func(to *bool, letter rune) { *to = (*to || on[letter]) && !off[letter] }
	set(&f.ignoreCase, 'i')
	set(&f.multiLine, 'm')
	set(&f.dotAll, 's')
	set(&f.verbose, 'x')
	f.ascii = (f.ascii || on['a']) && !on['u']
	return f
}
