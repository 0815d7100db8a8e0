package providers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxShown bounds what of a request is shown to the endpoint, in bytes. More is
// refused and not cut off: the answer would be to another request.
const maxShown = 64 << 10

// question is what is posted. The order of its members is the one that OGX
// documents.
type question struct {
	Key     string          `json:"api_key"`
	Request json.RawMessage `json:"request"`
}

// shownRequest is what the endpoint is told of the request.
type shownRequest struct {
	Path    string              `json:"path"`
	Headers map[string]string   `json:"headers"`
	Params  map[string][]string `json:"params"`
}

// question returns the body to post. An error is the reason for a *no*: what
// cannot be shown as it is cannot be judged.
func (c *Custom) question(r *http.Request, token string) ([]byte, error) {
	headers, err := c.shownHeaders(r)
	if err != nil {
		return nil, err
	}
	// JSON has no other text, and the stack would read other bytes than we show.
	if !utf8.ValidString(r.URL.Path) || !utf8.ValidString(r.URL.RawQuery) {
		return nil, errors.New("request has a path or query that is not UTF-8, and cannot be shown to the endpoint")
	}
	request, err := encodeShown(shownRequest{Path: r.URL.Path, Headers: headers, Params: shownParams(r.URL.RawQuery)})
	if err != nil {
		return nil, err
	}
	if len(request) > maxShown {
		return nil, fmt.Errorf("request has %d bytes of headers and parameters, more than the %d that are shown to the endpoint",
			len(request), maxShown)
	}
	return encodeShown(question{Key: token, Request: request})
}

// encodeShown encodes v as clients write it: `&` and `<` stay what they are.
// Members of maps are sorted, so that one request has one text.
func encodeShown(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, errors.New("request cannot be shown to the endpoint as JSON")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// shownHeaders returns the headers by their names in lower case. Several lines
// of one name are one list (RFC 9110, section 5.3).
func (c *Custom) shownHeaders(r *http.Request) (map[string]string, error) {
	shown := make(map[string]string, len(r.Header)+1)
	// What sets headers past net/http may leave one name in two spellings, which
	// are joined in the same order each time.
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		lower := strings.ToLower(name)
		if len(r.Header[name]) == 0 || lower == "host" || !c.shows(lower) {
			continue
		}
		value := strings.Join(r.Header[name], ", ")
		if !utf8.ValidString(value) {
			return nil, errors.New("request has a header that is not UTF-8, and cannot be shown to the endpoint")
		}
		if earlier, there := shown[lower]; there {
			value = earlier + ", " + value
		}
		shown[lower] = value
	}
	// net/http keeps it elsewhere. To OGX it is a header like the others.
	if r.Host != "" && c.shows("host") {
		if !utf8.ValidString(r.Host) {
			return nil, errors.New("request has a Host that is not UTF-8, and cannot be shown to the endpoint")
		}
		shown["host"] = r.Host
	}
	return shown, nil
}

// shows reports whether the endpoint is shown the header, whose name is in lower
// case. What the configuration names it is shown, and nothing else then.
func (c *Custom) shows(name string) bool {
	if c.ForwardHeaders != nil {
		return slices.Contains(c.headers, name)
	}
	return isHeaderName(name) && !withheldHeader(name)
}

// isHeaderName reports whether the name is that of a field (RFC 9110, section
// 5.1). Go keeps `:protocol` of an extended CONNECT among the headers.
func isHeaderName(name string) bool {
	for i := range len(name) {
		if !isTokenChar(name[i]) {
			return false
		}
	}
	return name != ""
}
