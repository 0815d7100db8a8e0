package pyre

import (
	"slices"
	"unicode/utf8"
)

// around is what may stand beside a place: the characters, whether the edge of
// the text may, and, to its right, whether nothing more is asked of the text.
type around struct {
	chars set
	edge  bool
	tail  bool
}

// resolve replaces `\b` and `\B` where they are about all of Unicode, which RE2
// has not, and refuses a `$` behind which more is asked of the text.
func resolve(n *node) (*node, error) {
	if n.usesEdges() {
		return n.resolve(around{edge: true}, around{chars: all, edge: true, tail: true})
	}
	return n, nil
}

func (n *node) usesEdges() bool {
	return n.op == opDollar || n.op == opBoundary || n.op == opNotBoundary || slices.ContainsFunc(n.subs, (*node).usesEdges)
}

func (n *node) resolve(left, right around) (*node, error) {
	switch n.op {
	case opDollar:
		if !right.tail {
			return nil, &UnsupportedError{"a $ that is not at the end"}
		}
	case opBoundary, opNotBoundary:
		return n.boundary(left, right)
	case opAlt:
		return n.each(func(int) (around, around) { return left, right })
	case opRepeat:
		if n.max == 1 {
			return n.each(func(int) (around, around) { return left, right })
		}
		first, last := n.subs[0].first(), n.subs[0].last()
		left = around{chars: union(left.chars, last), edge: left.edge}
		right = around{chars: union(right.chars, first), edge: right.edge}
		return n.each(func(int) (around, around) { return left, right })
	case opCat:
		return n.resolveCat(left, right)
	default:
	}
	return n, nil
}

func (n *node) each(context func(i int) (around, around)) (*node, error) {
	changed := *n
	changed.subs = make([]*node, len(n.subs))
	for i, sub := range n.subs {
		if !sub.usesEdges() {
			changed.subs[i] = sub
			continue
		}
		left, right := context(i)
		var err error
		if changed.subs[i], err = sub.resolve(left, right); err != nil {
			return nil, err
		}
	}
	return &changed, nil
}

func (n *node) resolveCat(left, right around) (*node, error) {
	// What may be left out at the very end may as well be: nothing more is asked
	// of the text. It would come behind what is looked at in place of a \b.
	subs := n.subs
	if right.tail {
		for len(subs) > 0 && subs[len(subs)-1].op == opRepeat && subs[len(subs)-1].min == 0 &&
			slices.ContainsFunc(subs[:len(subs)-1], (*node).usesEdges) {
			subs = subs[:len(subs)-1]
		}
	}
	short := *n
	short.subs = subs
	return short.each(func(i int) (around, around) {
		l := left
		for _, before := range subs[:i] {
			if !before.nullable() {
				l = around{}
			}
			l.chars = union(l.chars, before.last())
		}
		r := right
		if i < len(subs)-1 {
			r.tail = false
		}
		for _, after := range slices.Backward(subs[i+1:]) {
			if !after.nullable() {
				r = around{}
			}
			r.chars = union(r.chars, after.first())
		}
		return l, r
	})
}

// boundary returns what stands for `\b` or `\B`. To Python a letter beyond ASCII
// is a word, to RE2 it is none. So it is settled by what stands beside it, or,
// at the end, by looking at the next character itself.
func (n *node) boundary(left, right around) (*node, error) {
	if n.ascii {
		return n, nil
	}
	word := unicodeWord()
	leftWord, leftNot := left.kinds(word)
	rightWord, rightNot := right.kinds(word)
	is := n.op == opBoundary
	switch {
	case leftWord != leftNot && rightWord != rightNot:
		if (leftWord != rightWord) == is {
			return &node{op: opEmpty}, nil
		}
		return &node{op: opFail}, nil
	case leftWord != leftNot && right.tail:
		next := &node{op: opSet, set: word, text: "[" + wordText + "]"}
		if leftWord != is {
			return next, nil
		}
		next = &node{op: opSet, set: word.negate(), text: "[^" + wordText + "]"}
		return &node{op: opAlt, subs: []*node{next, {op: opEnd}}}, nil
	case left.plain(word) && right.plain(word):
		return &node{op: n.op, ascii: true}, nil
	}
	return nil, &UnsupportedError{`a \b or \B beside what may be beyond ASCII`}
}

// kinds reports whether a word, and whether something else, may stand there.
func (a around) kinds(word set) (isWord, isNot bool) {
	return a.chars.meets(word), a.edge || a.chars.meets(word.negate())
}

// plain reports whether RE2 takes all that may stand there for what Python does.
func (a around) plain(word set) bool {
	for i := 0; i < len(a.chars); i += 2 {
		if hi := a.chars[i+1]; hi >= utf8.RuneSelf && (set{max(a.chars[i], utf8.RuneSelf), hi}).meets(word) {
			return false
		}
	}
	return true
}

// nullable reports whether the node may match nothing.
func (n *node) nullable() bool {
	switch n.op {
	case opSet, opFail:
		return false
	case opCat:
		return !slices.ContainsFunc(n.subs, func(sub *node) bool { return !sub.nullable() })
	case opAlt:
		return slices.ContainsFunc(n.subs, (*node).nullable)
	case opRepeat:
		return n.min == 0 || n.subs[0].nullable()
	default:
		return true
	}
}

// first returns the characters that a match may begin with.
func (n *node) first() set { return n.edge(false) }

// last returns the characters that a match may end with.
func (n *node) last() set { return n.edge(true) }

func (n *node) edge(backward bool) set {
	switch n.op {
	case opSet:
		return n.set
	case opAlt, opRepeat:
		var chars set
		for _, sub := range n.subs {
			chars = union(chars, sub.edge(backward))
		}
		return chars
	case opCat:
		var chars set
		for i := range n.subs {
			sub := n.subs[i]
			if backward {
				sub = n.subs[len(n.subs)-1-i]
			}
			chars = union(chars, sub.edge(backward))
			if !sub.nullable() {
				break
			}
		}
		return chars
	default:
		return nil
	}
}
