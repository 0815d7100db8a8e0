package pyre

import (
	"fmt"
	"strings"
	"unicode"
)

// flags are those of Python that are in force at a place.
type flags struct{ ascii, ignoreCase, multiLine, dotAll, verbose bool }

type op uint8

const (
	opEmpty op = iota
	opFail
	opSet
	opCat
	opAlt
	opRepeat
	opBegin
	opBeginLine
	opEndLine
	opDollar
	opEnd
	opBoundary
	opNotBoundary
	opOther // refused: parsed, so that what is wrong inside it is found
)

// node is a part of an expression.
type node struct {
	op   op
	set  set
	text string // of opSet, as RE2 has it; empty: from the set
	subs []*node

	min, max int  // of opRepeat; max -1 without a bound
	ascii    bool // of opBoundary: of words of ASCII, as RE2's
}

// parser reads an expression as Python's own parser does, in the same order:
// what that takes for an error depends on it.
type parser struct {
	source []rune
	pos    int
	depth  int

	globals flags
	groups  map[string]bool
	count   int // of groups

	unsupported string // the first construct that RE2 has not
}

// maxDepth is how deeply groups may lie in one another. Go stops at 1000.
const maxDepth = 200

func invalid(format string, args ...any) error { return &InvalidError{fmt.Sprintf(format, args...)} }

func (p *parser) refuse(reason string) *node {
	if p.unsupported == "" {
		p.unsupported = reason
	}
	return &node{op: opOther}
}

func (p *parser) parse() (*node, error) {
	p.groups = make(map[string]bool)
	tree, err := p.alternatives(flags{}, true)
	if err != nil {
		return nil, err
	}
	if p.pos < len(p.source) {
		return nil, invalid("a ) without a (")
	}
	return tree, nil
}

func (p *parser) more() bool { return p.pos < len(p.source) }

// peek returns the next character, -1 at the end.
func (p *parser) peek() rune {
	if p.more() {
		return p.source[p.pos]
	}
	return -1
}

func (p *parser) take(c rune) bool {
	if p.peek() == c {
		p.pos++
		return true
	}
	return false
}

func (p *parser) alternatives(f flags, outermost bool) (*node, error) {
	var list []*node
	for {
		n, err := p.sequence(f, outermost && list == nil, outermost)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
		if !p.take('|') {
			break
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return &node{op: opAlt, subs: list}, nil
}

// sequence reads up to a | or ). Flags for the whole may stand at the start of
// the first of all.
func (p *parser) sequence(f flags, first, outermost bool) (*node, error) {
	var list []*node
	for p.more() {
		if outermost {
			f = p.globals
		}
		c := p.peek()
		if c == '|' || c == ')' {
			break
		}
		p.pos++
		if f.verbose && p.skipped(c) {
			continue
		}
		var n *node
		var err error
		switch c {
		case '*', '+', '?', '{':
			list, err = p.repeat(c, list, f)
			if err != nil {
				return nil, err
			}
			continue
		case '(':
			n, err = p.group(f, first && len(list) == 0)
		default:
			n, err = p.atom(c, f)
		}
		if err != nil {
			return nil, err
		}
		if n != nil {
			list = append(list, n)
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return &node{op: opCat, subs: list}, nil
}

// skipped reports whether c is nothing with the flag x, and skips a comment.
func (p *parser) skipped(c rune) bool {
	if strings.ContainsRune(" \t\n\r\v\f", c) {
		return true
	}
	if c != '#' {
		return false
	}
	for p.more() && p.unit() != "\n" {
	}
	return true
}

// unit reads a character, and with a backslash what it escapes: in comments and
// names, too, Python looks for neither alone.
func (p *parser) unit() string {
	start := p.pos
	if p.next() == '\\' && p.more() {
		p.pos++
	}
	return string(p.source[start:p.pos])
}

func (p *parser) atom(c rune, f flags) (*node, error) {
	switch c {
	case '\\':
		return p.escape(f)
	case '[':
		return p.class(f)
	case '.':
		if f.dotAll {
			return &node{op: opSet, set: all, text: "(?s:.)"}, nil
		}
		return &node{op: opSet, set: single('\n').negate(), text: "."}, nil
	case '^':
		if f.multiLine {
			return &node{op: opBeginLine}, nil
		}
		return &node{op: opBegin}, nil
	case '$':
		if f.multiLine {
			return &node{op: opEndLine}, nil
		}
		return &node{op: opDollar}, nil
	}
	return literal(c, f), nil
}

func literal(c rune, f flags) *node {
	if f.ignoreCase {
		return &node{op: opSet, set: inAnyCase(c, f)}
	}
	return &node{op: opSet, set: single(c)}
}

// repeat applies a repetition to the last of the list.
func (p *parser) repeat(c rune, list []*node, f flags) ([]*node, error) {
	var lo, hi int
	switch c {
	case '?':
		lo, hi = 0, 1
	case '*':
		lo, hi = 0, -1
	case '+':
		lo, hi = 1, -1
	case '{':
		var is bool
		var err error
		if lo, hi, is, err = p.bounds(); err != nil {
			return nil, err
		}
		if !is {
			return append(list, literal('{', f)), nil
		}
	}
	if len(list) == 0 {
		return nil, invalid("nothing to repeat")
	}
	last := list[len(list)-1]
	switch last.op {
	case opBegin, opBeginLine, opEndLine, opDollar, opEnd, opBoundary, opNotBoundary:
		return nil, invalid("nothing to repeat")
	case opRepeat:
		return nil, invalid("a repetition of a repetition")
	default:
	}
	if !p.take('?') && p.take('+') { // a lazy one matches the same texts
		p.refuse("a possessive repetition")
	}
	list[len(list)-1] = &node{op: opRepeat, subs: []*node{last}, min: lo, max: hi}
	return list, nil
}

// bounds reads what follows a {: false if it is one that stands for itself.
func (p *parser) bounds() (lo, hi int, is bool, err error) {
	start := p.pos
	if p.peek() == '}' {
		return 0, 0, false, nil
	}
	loText := p.digits()
	hiText := loText
	if p.take(',') {
		hiText = p.digits()
	}
	if !p.take('}') {
		p.pos = start
		return 0, 0, false, nil
	}
	if lo, err = p.bound(loText, 0); err != nil {
		return 0, 0, false, err
	}
	if hi, err = p.bound(hiText, -1); err != nil {
		return 0, 0, false, err
	}
	if hi >= 0 && hi < lo {
		return 0, 0, false, invalid("a repetition of at least %d and at most %d", lo, hi)
	}
	return lo, hi, true, nil
}

func (p *parser) digits() string {
	start := p.pos
	for p.peek() >= '0' && p.peek() <= '9' {
		p.pos++
	}
	return string(p.source[start:p.pos])
}

// bound reads a number of a repetition. What neither of the two takes is told
// apart no further.
func (p *parser) bound(text string, without int) (int, error) {
	if text == "" {
		return without, nil
	}
	text = strings.TrimLeft(text, "0")
	n := 0
	for _, c := range text {
		n = n*10 + int(c-'0')
		if n > maxRepeat {
			p.refuse(fmt.Sprintf("a repetition of more than %d", maxRepeat))
			return maxRepeat, nil
		}
	}
	return n, nil
}

// maxRepeat is RE2's bound.
const maxRepeat = 1000

// wrap keeps what is in a group from being taken for what stands alone.
func wrap(n *node) *node {
	if n.op == opCat {
		return n
	}
	return &node{op: opCat, subs: []*node{n}}
}

func isIdentifier(name string) bool {
	for i, c := range name {
		start := c == '_' || unicode.IsLetter(c) || unicode.Is(unicode.Nl, c)
		if !start && (i == 0 || !unicode.In(c, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc)) {
			return false
		}
	}
	return name != ""
}
