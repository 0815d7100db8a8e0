package stackauth

import (
	"net/http"
	"net/textproto"
	"slices"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

// headerReader is a provider that takes the caller from headers of a proxy in
// front, with their canonical names.
type headerReader struct {
	providers.HeaderReader
	names []string
}

// headerReaders returns those of the providers that read headers, and all the
// names that they read: no caller's own may go further than here.
func headerReaders(list []providers.Provider) (readers []headerReader, all []string) {
	for _, p := range list {
		reader, ok := p.(providers.HeaderReader)
		if !ok {
			continue
		}
		var names []string
		for _, name := range reader.SourceHeaders() {
			names = append(names, textproto.CanonicalMIMEHeaderKey(name))
		}
		readers = append(readers, headerReader{reader, names})
		all = append(all, names...)
	}
	return readers, all
}

// collect returns what trusted peers sent in the headers that providers read,
// and the name of one that is there more than once, in whatever spelling: the
// next server could take the other.
func (h *Handler) collect(x *exchange, r *http.Request) (presented http.Header, doubled string) {
	for _, reader := range h.readers {
		if !reader.Trusts(r) {
			continue
		}
		for _, name := range reader.names {
			values, n := spelledAs(r.Header, name)
			if n == 0 {
				values, n = spelledAs(x.aside, name)
			}
			if n > 1 {
				doubled = name
			}
			if len(values) > 0 {
				if presented == nil {
					presented = make(http.Header)
				}
				presented[name] = slices.Clone(values)
			}
		}
	}
	return presented, doubled
}

// spelledAs returns the values of the named header, and how many lines there
// are with all that a server may take for it.
func spelledAs(header http.Header, name string) (values []string, n int) {
	for key, lines := range header {
		if providers.SameHeader(key, name) {
			n += len(lines)
		}
	}
	return header[name], n
}
