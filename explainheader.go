package stackauth

import (
	"net/http"
	"strings"
)

// explainHeaderName is the header in which a caller whom explain_header names is
// told the rule that decided.
const explainHeaderName = "X-Stack-Auth-Rule"

// noRule is what it says where none did.
const noRule = "none"

// explainTo notes for the answer which rule decided, if the caller may know.
func (h *Handler) explainTo(x *exchange) {
	x.explained = "" // of a block further out, which has not decided this
	wanted := h.ExplainHeader
	if wanted == nil && x.by != nil && !x.over {
		wanted = x.by.ExplainHeader
	}
	if wanted == nil || !wanted.Holds(x.user) {
		return
	}
	x.explained = headerText(x.rule)
	if x.rule == "" {
		x.explained = noRule
	}
}

// stamp writes what explainTo noted.
func (x *exchange) stamp(header http.Header) {
	if x.explained != "" {
		header[explainHeaderName] = []string{x.explained}
	}
}

// headerText writes a description in ASCII, with the rest percent-encoded: it
// has to survive every hop.
func headerText(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '%' {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&0xf])
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
