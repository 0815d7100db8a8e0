package providers

// FoldHeader returns the name under which servers that make variables of
// headers (CGI, WSGI) know a header: case, `_`, `.` and `-` are all one.
func FoldHeader(name string) string {
	folded := []byte(name)
	for i, c := range folded {
		folded[i] = FoldHeaderByte(c)
	}
	return string(folded)
}

// FoldHeaderByte is FoldHeader for one byte.
func FoldHeaderByte(c byte) byte {
	switch {
	case c == '_' || c == '.':
		return '-'
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	}
	return c
}

// SameHeader reports whether some servers take the two names for one header.
func SameHeader(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if FoldHeaderByte(a[i]) != FoldHeaderByte(b[i]) {
			return false
		}
	}
	return true
}
