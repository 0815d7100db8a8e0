package providers

import (
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// Withheld is what was taken off a request so that the credential does not
// reach the stack. It can be put back, for a further handler that looks for
// itself.
type Withheld struct {
	taken         bool
	authorization []string
	header        http.Header // others, nil without any
	query         string
	queryChanged  bool
}

// Withhold takes every place where a credential may be off the request,
// whether one is there or not and whether it was good or not. Authorization
// goes always: what is in there and was not looked at is a credential for
// somebody.
func (t TokenSources) Withhold(r *http.Request) Withheld {
	w := Withheld{taken: true, authorization: r.Header["Authorization"]}
	delete(r.Header, "Authorization")
	// In every spelling that net/http leaves of it; the last two Caddy lets in
	// where it is told to.
	delete(r.Header, "Proxy-Authorization")
	delete(r.Header, "Proxy_authorization")
	delete(r.Header, "Proxy.authorization")
	for _, s := range t {
		switch s.Source {
		case sourceHeader:
			if name := textproto.CanonicalMIMEHeaderKey(s.Name); name != "Authorization" {
				w.takeAlike(r, name)
			}
		case sourceQuery:
			w.takeQuery(r, s.Name)
		case sourceCookie:
			w.keepOf(r, "Cookie", "; ", func(cookie string) bool {
				return cookieName(cookie) != s.Name
			})
		case sourceWebSocket:
			w.keepOf(r, "Sec-Websocket-Protocol", ", ", func(protocol string) bool {
				return !strings.HasPrefix(protocol, s.Name)
			})
		}
	}
	return w
}

// Restore puts back what was taken.
func (w Withheld) Restore(r *http.Request) {
	if !w.taken {
		return
	}
	delete(r.Header, "Authorization")
	if w.authorization != nil {
		r.Header["Authorization"] = w.authorization
	}
	maps.Copy(r.Header, w.header)
	if w.queryChanged {
		setQuery(r, w.query)
	}
}

// Forward puts the credential on the request in canonical form: stacks that
// read `Bearer` in one case only are common (OGX is one).
func (w Withheld) Forward(r *http.Request, c Credential) {
	const scheme = "Bearer "
	// Compared as a whole: the verified token may have come from elsewhere, and
	// what was in Authorization then is anything.
	if len(w.authorization) == 1 && strings.HasPrefix(w.authorization[0], scheme) &&
		w.authorization[0][len(scheme):] == c.Token {
		r.Header["Authorization"] = w.authorization // it is that already
		return
	}
	r.Header["Authorization"] = []string{scheme + c.Token}
}

// take takes a header that is there. What it was at first is what is put back.
func (w *Withheld) take(r *http.Request, name string) {
	if w.header == nil {
		w.header = make(http.Header)
	}
	if _, taken := w.header[name]; !taken {
		w.header[name] = r.Header[name]
	}
	delete(r.Header, name)
}

// takeAlike takes the header and all that a server which does not tell `_` or
// `.` from `-` takes for it.
func (w *Withheld) takeAlike(r *http.Request, name string) {
	for key := range r.Header {
		if SameHeader(key, name) {
			w.take(r, key)
		}
	}
}

func (w *Withheld) takeQuery(r *http.Request, name string) {
	if len(queryValues(r.URL.RawQuery, name)) == 0 {
		return
	}
	if !w.queryChanged {
		w.query, w.queryChanged = r.URL.RawQuery, true
	}
	var kept strings.Builder
	for _, part := range strings.SplitAfter(r.URL.RawQuery, "&") {
		if len(queryValues(part, name)) == 0 {
			kept.WriteString(part)
		}
	}
	setQuery(r, strings.TrimSuffix(kept.String(), "&"))
}

// keepOf keeps the elements of a list header that keep says.
func (w *Withheld) keepOf(r *http.Request, name, separator string, keep func(string) bool) {
	lines, there := r.Header[name]
	if !there {
		return
	}
	var kept []string
	changed := false
	for _, line := range lines {
		for element := range strings.SplitSeq(line, separator[:1]) {
			element = strings.TrimSpace(element)
			if keep(element) {
				kept = append(kept, element)
			} else {
				changed = true
			}
		}
	}
	if !changed {
		return
	}
	w.take(r, name)
	if len(kept) > 0 {
		r.Header[name] = []string{strings.Join(kept, separator)}
	}
}

// setQuery changes the query where it is: copies of the request share the URL,
// and one of them may be what an error route gets. (What Caddy logs has a URL of
// its own.)
func setQuery(r *http.Request, query string) {
	r.URL.RawQuery = query
	if r.RequestURI != "" {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		r.RequestURI = path
		if query != "" {
			r.RequestURI += "?" + query
		}
	}
}

// UseQuery reports whether one of the sources is the query.
func (t TokenSources) UseQuery() bool {
	return slices.ContainsFunc(t, func(s TokenSource) bool { return s.Source == sourceQuery })
}
