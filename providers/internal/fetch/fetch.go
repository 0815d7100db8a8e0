// Package fetch sends one request to a service that is trusted with
// credentials or with keys, and reads a bounded answer. What it says of a
// failure is fit for a log: it names the address without its query, where
// some services want a secret, and never quotes what was sent or received.
package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// MaxBody bounds an answer, in bytes after decompression.
const MaxBody = 1 << 20

// ErrTooLarge is an answer that goes beyond MaxBody. The service is well: it is
// the question that got too much.
var ErrTooLarge = errors.New("has more than 1 MiB")

// ErrBroken is an answer that did not come, or broke off, on a connection that
// was made. The question can be what broke it: a token longer than the service
// wants in a header, say.
var ErrBroken = errors.New("broken off")

// broken is an error that is ErrBroken, whatever it says.
type broken struct{ error }

func (broken) Is(target error) bool { return target == ErrBroken }

// userAgent is sent where the request says nothing else. GitHub refuses
// requests without one.
const userAgent = "caddy-stack-auth"

// Reply is an answer that has been read.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends the request and reads the answer, whatever its status. The client
// must not follow redirects: the credential would go along, and the answer
// would be somebody else's.
func Do(client *http.Client, req *http.Request) (*Reply, error) {
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", userAgent)
	}
	resp, err := client.Do(req) //nolint:gosec // the address is of the configuration, or of a document of the issuer in it
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", Where(req.URL), plain(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if err != nil {
		return nil, fmt.Errorf("reading answer of %s: %w", Where(req.URL), plain(err))
	}
	if len(body) > MaxBody {
		return nil, fmt.Errorf("answer of %s %w", Where(req.URL), ErrTooLarge)
	}
	return &Reply{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// Where names an address for a log: without user, query and fragment.
func Where(u *url.URL) string {
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}

// plain keeps what kind of failure it is. The full text of net/http's errors
// has the whole address, and for a broken answer its first bytes, in which a
// service may repeat what it was sent.
func plain(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("no answer in time")
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return broken{errors.New("connection closed before the answer was complete")}
	}
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		if failed.Op == "dial" || failed.Op == "remote error" { // of TLS, before anything was asked
			return failed
		}
		return broken{failed}
	}
	// Caddy's transport says so of a connection that it could not make, and lets
	// nobody look inside. Nothing has been received then.
	if failed, ok := errors.AsType[reverseproxy.DialError](err); ok {
		return failed
	}
	if verification, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return verification
	}
	if strings.HasPrefix(err.Error(), "tls: ") || strings.HasPrefix(err.Error(), "remote error: tls: ") {
		return err
	}
	return broken{errors.New("answer is not HTTP, or broken off")}
}

// RetryAfter returns how long the answer asks to wait (RFC 9110, section
// 10.2.3), zero if it does not say or the time is over. It is at most an hour:
// a date far away must not be passed on as such.
func (r *Reply) RetryAfter(now time.Time) time.Duration {
	value := r.Header.Get("Retry-After")
	var wait time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), time.Hour)
}
