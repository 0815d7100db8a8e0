package policylint

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// plain is a set of texts: one, or all that begin with it; in the case in which
// it is written, or in any.
type plain struct {
	text   string
	prefix bool
	fold   bool
}

// everything is every path, and every resource.
var everything = plain{prefix: true}

// covers reports whether every text of the other set is in this one. true is
// certain.
func (a plain) covers(b plain) bool {
	if b.prefix && !a.prefix {
		return false
	}
	if b.fold && !a.fold && !caseless(a.text) {
		return false
	}
	switch {
	case a.prefix && a.fold:
		return hasPrefixFold(b.text, a.text)
	case a.prefix:
		return strings.HasPrefix(b.text, a.text)
	case a.fold:
		return strings.EqualFold(b.text, a.text)
	}
	return a.text == b.text
}

// overlaps reports whether the sets have a text in common.
func (a plain) overlaps(b plain) bool {
	a.fold, b.fold = a.fold || b.fold, a.fold || b.fold
	switch {
	case a.prefix && b.prefix:
		return a.covers(b) || b.covers(a)
	case a.prefix:
		return a.covers(b)
	case b.prefix:
		return b.covers(a)
	}
	return a.covers(b)
}

// written is the set in the case in which it is written.
func (a plain) written() plain {
	a.fold = false
	return a
}

// caseless reports whether the text is the same in any case. The two letters are
// those that abac takes for an i, whatever Unicode's folding says.
func caseless(text string) bool {
	for _, c := range text {
		if unicode.SimpleFold(c) != c || c == 'İ' || c == 'ı' {
			return false
		}
	}
	return true
}

func hasPrefixFold(text, prefix string) bool {
	for prefix != "" {
		a, n := utf8.DecodeRuneInString(text)
		b, m := utf8.DecodeRuneInString(prefix)
		if n == 0 || !strings.EqualFold(string(a), string(b)) {
			return false
		}
		text, prefix = text[n:], prefix[m:]
	}
	return true
}
