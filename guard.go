package stackauth

import (
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// responseGuard keeps the stack from answering with identity headers: a client
// or a cache in front of us could take them for something that we said.
type responseGuard struct {
	caddyhttp.ResponseWriterWrapper
	rules     *headerRules
	exchange  *exchange // nil: the request was not for us
	committed bool
}

func guard(w http.ResponseWriter, rules *headerRules, x *exchange) *responseGuard {
	return &responseGuard{
		ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		rules:                 rules,
		exchange:              x,
	}
}

// WriteHeader implements http.ResponseWriter.
func (g *responseGuard) WriteHeader(status int) {
	g.clean()
	if status >= 200 || status == http.StatusSwitchingProtocols {
		g.committed = true
	}
	g.ResponseWriterWrapper.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (g *responseGuard) Write(b []byte) (int, error) {
	g.commit()
	return g.ResponseWriterWrapper.Write(b)
}

// ReadFrom implements io.ReaderFrom.
func (g *responseGuard) ReadFrom(r io.Reader) (int64, error) {
	g.commit()
	return g.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError is what http.ResponseController looks for.
func (g *responseGuard) FlushError() error {
	g.commit()
	return http.NewResponseController(g.ResponseWriter).Flush()
}

// commit cleans before the first byte sends the header off.
func (g *responseGuard) commit() {
	if !g.committed {
		g.clean()
		g.committed = true
	}
}

func (g *responseGuard) clean() {
	h := g.Header()
	for name := range h {
		if g.rules.removes(name, true) {
			delete(h, name)
		}
	}
	if g.exchange != nil {
		g.exchange.stamp(h)
	}
}

// finish removes trailers of the same names, which are set after the body.
func (g *responseGuard) finish() {
	h := g.Header()
	for name := range h {
		bare, isTrailer := cutTrailer(name)
		if isTrailer && g.rules.removes(bare, true) || g.rules.removes(name, true) {
			delete(h, name)
		}
	}
	if !g.committed && g.exchange != nil {
		g.exchange.stamp(h)
	}
}

func cutTrailer(name string) (string, bool) {
	if len(name) > len(http.TrailerPrefix) && name[:len(http.TrailerPrefix)] == http.TrailerPrefix {
		return name[len(http.TrailerPrefix):], true
	}
	return name, false
}

var (
	_ http.ResponseWriter = (*responseGuard)(nil)
	_ io.ReaderFrom       = (*responseGuard)(nil)
)
