package stackauth

import (
	"io"
	"net/http"
	"strings"

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
	g.unannounce(h)
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
	// Over HTTP/3 a short answer is sent only now, with the header as it is. After
	// one that was sent before, nothing comes of it: it is no trailer that was
	// announced.
	g.unannounce(h)
	if g.exchange != nil {
		g.exchange.stamp(h)
	}
}

// unannounce takes what is ours off the list of trailers to come.
func (g *responseGuard) unannounce(h http.Header) {
	lines, there := h["Trailer"]
	if !there {
		return
	}
	var kept []string
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" && !g.rules.removes(name, true) {
				kept = append(kept, name)
			}
		}
	}
	if kept == nil {
		delete(h, "Trailer")
		return
	}
	h["Trailer"] = kept
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
