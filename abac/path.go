package abac

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CanonicalPath returns the path that rules are matched on: the once-decoded
// path, in which an encoded slash has become a slash (model ids contain
// them), less one trailing slash.
//
// It fails for every path that two servers could read differently, instead of
// normalizing it: the bypasses of path rules live in the difference between
// two normalizers (GHSA-p224-6x5r-fjpm, CVE-2021-32779, and their kin). These
// are dot segments and empty segments; backslash and semicolon, which some
// servers take for separators; question mark, number sign and percent, which
// were encoded and are decoded again or cut at by somebody; blanks, control
// and line separator characters; and invalid UTF-8.
func CanonicalPath(decoded string) (string, error) {
	if decoded == "" || decoded[0] != '/' {
		return "", fmt.Errorf("path does not begin with a slash")
	}
	if !utf8.ValidString(decoded) {
		return "", fmt.Errorf("path is not valid UTF-8")
	}
	for _, c := range decoded {
		if ambiguous(c) {
			return "", fmt.Errorf("path has the character %U", c)
		}
	}
	path := decoded
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	for rest := path[1:]; ; {
		segment, after, more := strings.Cut(rest, "/")
		switch {
		case segment == "." || segment == "..":
			return "", fmt.Errorf("path has a dot segment")
		case segment == "" && decoded != "/":
			return "", fmt.Errorf("path has an empty segment")
		}
		if !more {
			return path, nil
		}
		rest = after
	}
}

func ambiguous(c rune) bool {
	switch c {
	case '\\', ';', ' ', '?', '#', '%', '\u2028', '\u2029':
		return true
	}
	return unicode.IsControl(c)
}
