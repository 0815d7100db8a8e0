package stackauth_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// rawStream is a request that is written frame by frame, as no client would.
type rawStream interface {
	io.WriteCloser // of the body, or into the tunnel

	// answer waits for the head of the answer. What comes after it is its body.
	// A request that is answered by an end of the stream is an error.
	answer() (*http.Response, error)
}

// rawConn opens them. Lines are `name: value`, pseudo-headers first.
type rawConn interface {
	open(t testing.TB, lines ...string) rawStream
}

// field is a line of a header as HTTP/2 and 3 have it, pseudo-headers among them.
type field struct{ name, value string }

// fieldsOf takes `name: value` lines apart. Upper case is malformed in HTTP/2 and
// 3, and would not reach us.
func fieldsOf(lines []string) []field {
	fields := make([]field, 0, len(lines))
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		fields = append(fields, field{strings.ToLower(name), value})
	}
	return fields
}

// head is an answer without its body.
func head(major int, fields []field) *http.Response {
	resp := &http.Response{ProtoMajor: major, Header: make(http.Header)}
	for _, f := range fields {
		if f.name == ":status" {
			_, _ = fmt.Sscan(f.value, &resp.StatusCode)
			continue
		}
		resp.Header.Add(f.name, f.value)
	}
	return resp
}

// answered ends the request and reads the whole answer.
func answered(t testing.TB, s rawStream) answer {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("ending the request: %v", err)
	}
	resp, err := s.answer()
	if err != nil {
		t.Fatalf("waiting for an answer: %v", err)
	}
	return read(t, resp)
}
