package pyre

import "strings"

// class reads what follows a [. What has a meaning in RE2's, such as [:alpha:],
// has none in Python's.
func (p *parser) class(f flags) (*node, error) {
	negated := p.take('^')
	var pairs []rune    // of single characters and ranges
	var classes []class // \w and its like
	items := 0
	for {
		if !p.more() {
			return nil, invalid("a [ is not closed")
		}
		c := p.next()
		if c == ']' && items > 0 {
			break
		}
		items++
		lo, cl, err := p.member(c, f)
		if err != nil {
			return nil, err
		}
		if !p.take('-') {
			pairs, classes = add(pairs, classes, lo, lo, cl)
			continue
		}
		if !p.more() {
			return nil, invalid("a [ is not closed")
		}
		that := p.next()
		if that == ']' {
			pairs, classes = add(pairs, classes, lo, lo, cl)
			pairs = append(pairs, '-', '-')
			break
		}
		hi, other, err := p.member(that, f)
		switch {
		case err != nil:
			return nil, err
		case cl != nil || other != nil:
			return nil, invalid("a range ends in a class")
		case hi < lo && lo >= 0 && hi >= 0:
			return nil, invalid("a range ends before it begins")
		}
		pairs = append(pairs, lo, hi)
	}
	if p.unsupported != "" {
		return &node{op: opOther}, nil
	}
	return classNode(tidy(pairs), classes, negated, f), nil
}

func add(pairs []rune, classes []class, lo, hi rune, cl *class) ([]rune, []class) {
	if cl != nil {
		return pairs, append(classes, *cl)
	}
	return append(pairs, lo, hi), classes
}

// member reads one character or class of a class; -1 for one that is refused.
func (p *parser) member(c rune, f flags) (rune, *class, error) {
	if c != '\\' {
		return c, nil, nil
	}
	if !p.more() {
		return 0, nil, invalid("it ends in a single \\")
	}
	c = p.next()
	if cl, is := classOf(c, f); is {
		return 0, &cl, nil
	}
	switch {
	case c == 'b':
		return '\b', nil, nil
	case '0' <= c && c <= '7':
		value := p.octal(c-'0', 2)
		if value > 0o377 {
			return 0, nil, invalid("an octal escape is above 377")
		}
		return value, nil, nil
	}
	r, err := p.character(c)
	return r, nil, err
}

// classNode returns the node of a class, with a text that names the classes in
// it instead of their hundreds of ranges.
func classNode(own set, classes []class, negated bool, f flags) *node {
	if f.ignoreCase {
		own = closeOverCase(own, f)
	}
	sets := append(make([]set, 0, 1+len(classes)), own)
	var named strings.Builder
	rest := own
	for _, cl := range classes {
		sets = append(sets, cl.set)
		if cl.text != "" {
			named.WriteString(cl.text)
		} else {
			rest = union(rest, cl.set)
		}
	}
	n := &node{op: opSet, set: union(sets...)}
	if negated {
		n.set = n.set.negate()
	}
	if len(classes) == 0 {
		return n
	}
	if len(n.set) == 0 || len(n.set) == 2 && n.set[0] == 0 && n.set[1] == all[1] {
		return n
	}
	n.text = "[" + map[bool]string{true: "^"}[negated] + named.String() + pairsText(rest) + "]"
	return n
}
