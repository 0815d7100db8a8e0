package pyre

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// escape reads what follows a \ outside a class.
func (p *parser) escape(f flags) (*node, error) {
	if !p.more() {
		return nil, invalid("it ends in a single \\")
	}
	c := p.next()
	switch c {
	case 'A':
		return &node{op: opBegin}, nil
	case 'Z':
		return &node{op: opEnd}, nil
	case 'b':
		return &node{op: opBoundary, ascii: f.ascii}, nil
	case 'B':
		return &node{op: opNotBoundary, ascii: f.ascii}, nil
	case '0':
		return literal(p.octal(0, 2), f), nil
	}
	if cl, is := classOf(c, f); is {
		return cl.node(), nil
	}
	if '1' <= c && c <= '9' {
		return p.groupOrOctal(c, f)
	}
	r, err := p.character(c)
	if err != nil {
		return nil, err
	}
	if r < 0 {
		return &node{op: opOther}, nil
	}
	return literal(r, f), nil
}

func (c class) node() *node {
	n := &node{op: opSet, set: c.set}
	switch {
	case c.alone != "":
		n.text = c.alone
	case c.text != "":
		n.text = "[" + c.text + "]"
	}
	return n
}

// groupOrOctal reads \1 to \99, references, of which those with three octal
// digits are characters.
func (p *parser) groupOrOctal(c rune, f flags) (*node, error) {
	isOctal := func(c rune) bool { return '0' <= c && c <= '7' }
	number := int(c - '0')
	if d := p.peek(); '0' <= d && d <= '9' {
		p.pos++
		number = number*10 + int(d-'0')
		if isOctal(c) && isOctal(d) && isOctal(p.peek()) {
			value := (c-'0')*64 + (d-'0')*8 + p.next() - '0'
			if value > 0o377 {
				return nil, invalid("an octal escape is above 377")
			}
			return literal(value, f), nil
		}
	}
	if number > p.count {
		return nil, invalid("there is no group %d", number)
	}
	return p.refuse("a back-reference"), nil
}

func (p *parser) octal(value rune, digits int) rune {
	for range digits {
		if c := p.peek(); c < '0' || c > '7' {
			break
		}
		value = value*8 + p.next() - '0'
	}
	return value
}

// character reads an escape that stands for one character: -1 for one that is
// refused.
func (p *parser) character(c rune) (rune, error) {
	switch c {
	case 'a':
		return '\a', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'v':
		return '\v', nil
	case 'x':
		return p.hex(2)
	case 'u':
		return p.hex(4)
	case 'U':
		return p.hex(8)
	case 'N':
		if !p.take('{') {
			return 0, invalid(`\N without a name`)
		}
		if _, err := p.until('}'); err != nil {
			return 0, invalid(`\N without a name`)
		}
		p.refuse(`\N{…} (write the character itself, or \u and its number)`)
		return -1, nil
	}
	if c < utf8.RuneSelf && (unicode.IsLetter(c) || unicode.IsDigit(c)) {
		return 0, invalid("\\%c is unknown", c)
	}
	return c, nil
}

func (p *parser) hex(digits int) (rune, error) {
	value := int64(0)
	for range digits {
		c := p.peek()
		i := strings.IndexRune("0123456789abcdef", unicode.ToLower(c))
		if c < 0 || c >= utf8.RuneSelf || i < 0 {
			return 0, invalid("an escape has fewer than %d hexadecimal digits", digits)
		}
		value = value*16 + int64(i)
		p.pos++
	}
	if value > unicode.MaxRune {
		return 0, invalid("an escape is beyond Unicode")
	}
	return rune(value), nil
}
