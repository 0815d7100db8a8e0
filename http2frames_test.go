package stackauth_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// http2Conn writes the frames of HTTP/2 by hand.
type http2Conn struct {
	net.Conn
	framer  *http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
	opened  uint32
	allows  map[http2.SettingID]uint32 // what the server says that it does
}

func (g *tlsGateway) dialHTTP2(t testing.TB) *http2Conn {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: timeout}, "tcp", g.Address, g.trust("h2"))
	if err != nil {
		t.Fatal(err)
	}
	return beginHTTP2(t, conn)
}

// beginHTTP2 says what a client has to say first, with settings that say nothing.
func beginHTTP2(t testing.TB, conn net.Conn) *http2Conn {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(timeout))
	c := &http2Conn{Conn: conn, framer: http2.NewFramer(conn, conn), allows: make(map[http2.SettingID]uint32)}
	c.encoder = hpack.NewEncoder(&c.block)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := c.framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	frame, err := c.framer.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	settings, ok := frame.(*http2.SettingsFrame)
	if !ok {
		t.Fatalf("the server begins with %v", frame)
	}
	_ = settings.ForeachSetting(func(s http2.Setting) error {
		c.allows[s.ID] = s.Val
		return nil
	})
	if err := c.framer.WriteSettingsAck(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *http2Conn) open(t testing.TB, lines ...string) rawStream {
	t.Helper()
	return c.begin(t, fieldsOf(lines), false)
}

// begin is open with fields that are sent as they are, also what no request may
// have, and with its end, or without.
func (c *http2Conn) begin(t testing.TB, fields []field, ended bool) *http2Stream {
	t.Helper()
	s := &http2Stream{conn: c, id: 2*c.opened + 1}
	c.opened++
	s.headers(t, fields, ended)
	return s
}

type http2Stream struct {
	conn  *http2Conn
	id    uint32
	body  bytes.Buffer // of the answer, as far as it is there
	ended bool
}

// headers writes a HEADERS frame. One after the body has trailers.
func (s *http2Stream) headers(t testing.TB, fields []field, ended bool) {
	t.Helper()
	c := s.conn
	c.block.Reset()
	for _, f := range fields {
		if err := c.encoder.WriteField(hpack.HeaderField{Name: f.name, Value: f.value}); err != nil {
			t.Fatal(err)
		}
	}
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: ended})
	if err != nil {
		t.Fatal(err)
	}
}

// Write implements io.Writer.
func (s *http2Stream) Write(p []byte) (int, error) {
	if err := s.conn.framer.WriteData(s.id, false, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close ends the request, not the answer.
func (s *http2Stream) Close() error { return s.conn.framer.WriteData(s.id, true, nil) }

func (s *http2Stream) answer() (*http.Response, error) {
	for {
		frame, err := s.next()
		if err != nil {
			return nil, err
		}
		headers, ok := frame.(*http2.MetaHeadersFrame)
		if !ok {
			continue
		}
		fields := make([]field, 0, len(headers.Fields))
		for _, f := range headers.Fields {
			fields = append(fields, field{f.Name, f.Value})
		}
		if resp := head(2, fields); resp.StatusCode >= 200 {
			resp.Body = io.NopCloser(s)
			return resp, nil
		}
	}
}

// Read reads the body of the answer.
func (s *http2Stream) Read(p []byte) (int, error) {
	for s.body.Len() == 0 {
		if s.ended {
			return 0, io.EOF
		}
		if _, err := s.next(); err != nil {
			return 0, err
		}
	}
	return s.body.Read(p)
}

var errGoesAway = errors.New("the server goes away")

// next returns the next frame of the stream.
func (s *http2Stream) next() (http2.Frame, error) {
	for {
		frame, err := s.conn.framer.ReadFrame()
		if err != nil {
			return nil, err
		}
		switch f := frame.(type) {
		case *http2.PingFrame:
			if !f.IsAck() {
				err = s.conn.framer.WritePing(true, f.Data)
			}
		case *http2.GoAwayFrame:
			err = fmt.Errorf("%w: %v", errGoesAway, f.ErrCode)
		case *http2.RSTStreamFrame:
			if f.StreamID == s.id {
				err = http2.StreamError{StreamID: s.id, Code: f.ErrCode}
			}
		case *http2.MetaHeadersFrame:
			s.ended = s.ended || f.StreamID == s.id && f.StreamEnded()
		case *http2.DataFrame:
			if f.StreamID == s.id {
				s.body.Write(f.Data())
				s.ended = s.ended || f.StreamEnded()
			}
		}
		if err != nil || frame.Header().StreamID == s.id {
			return frame, err
		}
	}
}
