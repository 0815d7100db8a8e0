// Package pyre reads regular expressions as Python's re does, and writes ones of
// RE2 (Go's syntax) that match the same texts.
//
// The two differ in more than syntax. `\w`, `\d`, `\s` and `\b` are Unicode in
// Python and ASCII in RE2, letters fold otherwise in any case, and RE2 takes
// for a class or a named group what Python takes for something else. An
// expression that only looks the same lets other callers in. So everything is
// parsed and written anew; what has no equal is refused.
package pyre

import (
	"fmt"
	"regexp"
)

// InvalidError says that Python rejects an expression. OGX warns then and goes
// on as if it matched nothing.
type InvalidError struct{ Reason string }

func (e *InvalidError) Error() string { return e.Reason }

// UnsupportedError says that Python knows an expression that RE2 cannot have.
type UnsupportedError struct{ Reason string }

func (e *UnsupportedError) Error() string { return e.Reason }

// maxSource is more than anybody writes.
const maxSource = 4 << 10

// Translate returns the expression of RE2 that matches from the start of a text
// (put behind `\A`) if and only if Python's re.match does, as Python 3.12 reads
// the source. A `$` stays one, and matches in front of a line feed that ends the
// text in Python only: whoever matches has to look there too. A `\Z` becomes a
// `\z`. The error is an *InvalidError or an *UnsupportedError.
func Translate(source string) (string, error) {
	if len(source) > maxSource {
		return "", &UnsupportedError{fmt.Sprintf("it has %d bytes, more than %d", len(source), maxSource)}
	}
	p := &parser{source: []rune(source)}
	tree, err := p.parse()
	if err != nil {
		return "", err
	}
	if p.unsupported != "" {
		return "", &UnsupportedError{p.unsupported}
	}
	tree, err = resolve(tree)
	if err != nil {
		return "", err
	}
	text := write(tree)
	// Go bounds the size of what it compiles, and repetitions in repetitions.
	if _, err := regexp.Compile(`\A(?:` + text + `)`); err != nil {
		return "", &UnsupportedError{fmt.Sprintf("RE2 does not take it: %v", err)}
	}
	return text, nil
}
