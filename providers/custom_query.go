package providers

import (
	"strings"
	"unicode/utf8"
)

// shownParams returns the query as Python's parse_qs gives it, which is how OGX
// shows it to such an endpoint and how it reads it itself: only & separates,
// what has no value is left out, + is a space, and an escape that is none stays
// as it is. Parameters that say that they are secrets are left out.
func shownParams(query string) map[string][]string {
	params := make(map[string][]string)
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		if value == "" {
			continue
		}
		name = unquotePlus(name)
		if tellsSecret(wordsOf(name)) {
			continue
		}
		params[name] = append(params[name], unquotePlus(value))
	}
	return params
}

// unquotePlus undoes the escapes of a query. The result is UTF-8.
func unquotePlus(s string) string {
	plain := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			plain = append(plain, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			plain = append(plain, fromHex(s[i+1])<<4|fromHex(s[i+2]))
			i += 2
		default:
			plain = append(plain, s[i])
		}
	}
	return validUTF8(string(plain))
}

// validUTF8 replaces each broken sequence by one U+FFFD, as Python does (and
// the Unicode Standard recommends): a sequence that was begun rightly is one,
// other bytes are one each.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		c, size := utf8.DecodeRuneInString(s)
		if c == utf8.RuneError && size == 1 {
			for n := min(3, len(s)); n > 1; n-- {
				if !utf8.FullRuneInString(s[:n]) {
					size = n
					break
				}
			}
		}
		b.WriteRune(c)
		s = s[size:]
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func fromHex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | ' ' - 'a' + 10
}
