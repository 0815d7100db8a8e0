package abac

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// expressionPrefix marks a pattern that is a regular expression.
const expressionPrefix = "regex:"

// span is how much of a text an expression must match.
type span bool

const (
	whole     span = true
	fromStart span = false
)

// spanOf is the span of an expression in a rule: a permit reads narrowly, a
// forbid widely.
func spanOf(effect Effect, compat Compat) span {
	return span(effect == Permit && compat != CompatOGX)
}

// expression is an RE2 expression that matches from the start of a text. Go's
// engine takes linear time in the length of the text, whatever the expression.
type expression struct {
	re *regexp.Regexp

	// beforeLineFeed is what is asked of a text less the line feed that ends it;
	// nil: nothing. `$` of Python, from where policies come, also matches there: a
	// forbid that ends in it must not be got around with one.
	beforeLineFeed *regexp.Regexp
}

func compileExpression(source string, s span) (*expression, error) {
	if source == "" {
		return nil, errors.New("expression is empty")
	}
	if construct := pythonOnly(source); construct != "" {
		return nil, fmt.Errorf("expression %q: %s is known to Python, and not to RE2", source, construct)
	}
	// By itself first: wrapped, `a)|(b` would compile too, and match anything.
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", source, err)
	}
	e := &expression{}
	if s == whole {
		e.re, err = compileWrapped(`\A(?:`, source, `)\z`)
		return e, err
	}
	if e.re, err = compileWrapped(`\A(?:`, source, `)`); err != nil {
		return nil, err
	}
	dollar, end := endsAtLineFeed(tree)
	switch {
	case dollar && end:
		e.beforeLineFeed, err = compileWrapped(`\A(?:`, tree.String(), `)`)
	case dollar:
		e.beforeLineFeed = e.re // writing a tree takes long, and few have a `\z`
	}
	return e, err
}

// foldedExpression is the expression from the start of a text in any case.
func foldedExpression(source string) (*regexp.Regexp, error) {
	return compileWrapped(`(?i)\A(?:`, source, `)`)
}

func compileWrapped(before, source, after string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(before + source + after)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", source, err)
	}
	return re, nil
}

// endsAtLineFeed reports whether the expression has a `$`, and whether it has a
// `\z`, which matches nowhere but at the very end: that it takes out.
func endsAtLineFeed(tree *syntax.Regexp) (dollar, end bool) {
	if tree.Op == syntax.OpEndText {
		if dollar = tree.Flags&syntax.WasDollar != 0; !dollar {
			*tree = syntax.Regexp{Op: syntax.OpNoMatch}
			return false, true
		}
	}
	for _, sub := range tree.Sub {
		d, e := endsAtLineFeed(sub)
		dollar, end = dollar || d, end || e
	}
	return dollar, end
}

func (e *expression) matches(text string) bool {
	if e.re.MatchString(text) {
		return true
	}
	if e.beforeLineFeed == nil {
		return false
	}
	before, found := strings.CutSuffix(text, "\n")
	return found && e.beforeLineFeed.MatchString(before)
}
