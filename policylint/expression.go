package policylint

import (
	"regexp/syntax"
	"slices"
	"strings"
)

// expression is a regular expression of a rule, taken apart.
type expression struct {
	source string
	parts  []*syntax.Regexp // in a row, without the groups around them
	whole  bool             // it matches the whole text; otherwise from its start
}

func readExpression(source string, whole bool) (*expression, error) {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, err
	}
	return &expression{source, rowOf(tree), whole}, nil
}

// rowOf returns the parts of which an expression is a row.
func rowOf(re *syntax.Regexp) []*syntax.Regexp {
	switch re.Op {
	case syntax.OpCapture:
		return rowOf(re.Sub[0])
	case syntax.OpConcat:
		var row []*syntax.Regexp
		for _, sub := range re.Sub {
			row = append(row, rowOf(sub)...)
		}
		return row
	case syntax.OpEmptyMatch:
		return nil
	default:
		return []*syntax.Regexp{re}
	}
}

func isBegin(re *syntax.Regexp) bool {
	return re.Op == syntax.OpBeginText || re.Op == syntax.OpBeginLine
}

func isEnd(re *syntax.Regexp) bool {
	return re.Op == syntax.OpEndText || re.Op == syntax.OpEndLine
}

// isRest reports whether the part matches whatever is left of a line.
func isRest(re *syntax.Regexp) bool {
	return re.Op == syntax.OpStar && (re.Sub[0].Op == syntax.OpAnyChar || re.Sub[0].Op == syntax.OpAnyCharNotNL)
}

func isText(re *syntax.Regexp) bool {
	return re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase == 0
}

// lead returns the text that the expression begins with, and what comes then.
func (e *expression) lead() (string, []*syntax.Regexp) {
	row := e.parts
	for len(row) > 0 && isBegin(row[0]) {
		row = row[1:]
	}
	var text strings.Builder
	for len(row) > 0 && isText(row[0]) {
		text.WriteString(string(row[0].Rune))
		row = row[1:]
	}
	return text.String(), row
}

// begins and ends report whether the expression says itself where it begins and
// ends.
func (e *expression) begins() bool {
	return len(e.parts) > 0 && (isBegin(e.parts[0]) || isRest(e.parts[0]))
}

func (e *expression) ends() bool {
	return len(e.parts) > 0 && (isEnd(e.parts[len(e.parts)-1]) || isRest(e.parts[len(e.parts)-1]))
}

// isClosed reports whether it ends with `$`.
func (e *expression) isClosed() bool {
	return len(e.parts) > 0 && isEnd(e.parts[len(e.parts)-1])
}

// path returns the set of canonical paths that the expression is, in the case in
// which it is written: those have no line ends, which a dot does not match.
func (e *expression) path() (plain, bool) {
	text, rest := e.lead()
	closed := len(rest) > 0 && slices.IndexFunc(rest, func(re *syntax.Regexp) bool { return !isEnd(re) }) < 0
	switch {
	case len(rest) > 0 && isRest(rest[0]) && len(rest) == 1+countEnds(rest[1:]):
		return plain{text: text, prefix: true}, true
	case closed:
		return plain{text: text}, true
	case len(rest) == 0:
		return plain{text: text, prefix: !e.whole}, true
	}
	return plain{}, false
}

func countEnds(row []*syntax.Regexp) int {
	n := 0
	for _, re := range row {
		if isEnd(re) {
			n++
		}
	}
	return n
}

// resource returns a set of resources that the expression matches all of. Names
// may have line ends, so that `.*` is not everything.
func (e *expression) resource() (plain, bool) {
	text, rest := e.lead()
	switch {
	case len(rest) == 0 && e.whole, len(rest) == 1 && isEnd(rest[0]):
		return plain{text: text}, true
	case !e.whole && (len(rest) == 0 || len(rest) == 1 && isRest(rest[0])):
		return plain{text: text, prefix: true}, true
	}
	return plain{}, false
}

// unescapedDot returns the text around a dot that is not escaped and stands for
// any character between two words, as in example.com; empty without one.
func (e *expression) unescapedDot() string {
	for i := 1; i+1 < len(e.parts); i++ {
		before, dot, after := e.parts[i-1], e.parts[i], e.parts[i+1]
		if dot.Op != syntax.OpAnyCharNotNL || before.Op != syntax.OpLiteral || after.Op != syntax.OpLiteral {
			continue
		}
		left, right := lastWord(string(before.Rune)), firstWord(string(after.Rune))
		if left != "" && right != "" {
			return left + "." + right
		}
	}
	return ""
}

func isWordChar(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

func lastWord(text string) string {
	return text[len(strings.TrimRightFunc(text, isWordChar)):]
}

func firstWord(text string) string {
	return text[:len(text)-len(strings.TrimLeftFunc(text, isWordChar))]
}
