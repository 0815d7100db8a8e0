package stackauth_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// The frames of RFC 9114, section 7.2, that a request has.
const (
	http3Data     = 0x0
	http3Headers  = 0x1
	http3Settings = 0x4
)

// http3Conn writes the frames of HTTP/3 by hand.
type http3Conn struct{ *quic.Conn }

func (g *tlsGateway) dialHTTP3(t testing.TB) *http3Conn {
	t.Helper()
	conn, err := quic.DialAddr(t.Context(), g.Address, g.trust(http3.NextProtoH3), &quic.Config{HandshakeIdleTimeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return beginHTTP3(t, conn)
}

// beginHTTP3 opens the control stream, with settings that say nothing.
func beginHTTP3(t testing.TB, conn *quic.Conn) *http3Conn {
	t.Helper()
	t.Cleanup(func() { _ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") })
	control, err := conn.OpenUniStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := control.Write([]byte{0, http3Settings, 0}); err != nil {
		t.Fatal(err)
	}
	return &http3Conn{conn}
}

func (c *http3Conn) open(t testing.TB, lines ...string) rawStream {
	t.Helper()
	stream, err := c.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.SetDeadline(time.Now().Add(timeout))
	s := &http3Stream{stream: stream, in: bufio.NewReader(stream)}
	if err := s.headers(lines...); err != nil {
		t.Fatal(err)
	}
	return s
}

type http3Stream struct {
	stream *quic.Stream
	in     *bufio.Reader
	left   uint64 // of the DATA frame that is being read
}

// headers writes a HEADERS frame. One after the body has trailers.
func (s *http3Stream) headers(lines ...string) error {
	var block bytes.Buffer
	encoder := qpack.NewEncoder(&block)
	for _, f := range fieldsOf(lines) {
		if err := encoder.WriteField(qpack.HeaderField{Name: f.name, Value: f.value}); err != nil {
			return err
		}
	}
	return s.frame(http3Headers, block.Bytes())
}

func (s *http3Stream) frame(kind uint64, payload []byte) error {
	b := quicvarint.Append(quicvarint.Append(nil, kind), uint64(len(payload)))
	_, err := s.stream.Write(append(b, payload...))
	// A server that has answered need not hear the rest (RFC 9114, section 4.1).
	if ended, ok := errors.AsType[*quic.StreamError](err); ok && ended.ErrorCode == quic.StreamErrorCode(http3.ErrCodeNoError) {
		return nil
	}
	return err
}

// Write implements io.Writer.
func (s *http3Stream) Write(p []byte) (int, error) {
	if err := s.frame(http3Data, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close ends the request, not the answer. One that was refused before its end
// cannot be ended, and its answer is there all the same.
func (s *http3Stream) Close() error {
	_ = s.stream.Close()
	return nil
}

func (s *http3Stream) answer() (*http.Response, error) {
	for {
		kind, payload, err := s.next()
		if err != nil {
			return nil, err
		}
		block, err := io.ReadAll(payload)
		if err != nil {
			return nil, err
		}
		if kind != http3Headers {
			continue
		}
		var fields []field
		for decode := qpack.NewDecoder().Decode(block); ; {
			f, err := decode()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			fields = append(fields, field{f.Name, f.Value})
		}
		if resp := head(3, fields); resp.StatusCode >= 200 {
			resp.Body = io.NopCloser(s)
			return resp, nil
		}
	}
}

// next returns the next frame.
func (s *http3Stream) next() (kind uint64, payload *io.LimitedReader, err error) {
	if kind, err = quicvarint.Read(s.in); err != nil {
		return 0, nil, err
	}
	length, err := quicvarint.Read(s.in)
	if err != nil {
		return 0, nil, err
	}
	return kind, &io.LimitedReader{R: s.in, N: int64(length)}, nil
}

// Read reads the body of the answer.
func (s *http3Stream) Read(p []byte) (int, error) {
	for s.left == 0 {
		kind, payload, err := s.next()
		if err != nil {
			return 0, err
		}
		if kind == http3Data {
			s.left = uint64(payload.N)
		} else if _, err := io.Copy(io.Discard, payload); err != nil {
			return 0, err
		}
	}
	n, err := s.in.Read(p[:min(uint64(len(p)), s.left)])
	s.left -= uint64(n)
	return n, err
}

// isReset fails the test unless the stream was ended without an answer, as
// malformed.
func (s *http3Stream) isReset(t testing.TB) {
	t.Helper()
	resp, err := s.answer()
	reset, ok := errors.AsType[*quic.StreamError](err)
	if !ok || reset.ErrorCode != quic.StreamErrorCode(http3.ErrCodeMessageError) {
		t.Errorf("got %v, %v", resp, err)
	}
}
