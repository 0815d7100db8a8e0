package providers

import (
	"fmt"
	"net/http"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/fetch"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

// Reply is an answer of a service: its Status, its Header, and its Body of at
// most 1 MiB.
type Reply = fetch.Reply

// Number is a JSON number as it was written.
type Number = strictjson.Number

// Fetch sends a request to the provider's service, by its transport, and reads
// the answer, whatever its status. No redirect is followed: the credential would
// go along. The error is fit for a log and for CannotTell: it has neither the
// query of the address nor anything that was sent or received.
func (n *Network) Fetch(req *http.Request) (*Reply, error) { return fetch.Do(n.client, req) }

// ReadObject reads an answer that must be one JSON object and nothing else. What
// two readers could read differently is an error: a member that is there twice,
// invalid UTF-8, bytes behind the object, more than 32 levels. Values are string,
// bool, nil, Number, []any and map[string]any. The error quotes nothing of it.
func ReadObject(body []byte) (map[string]any, error) { return strictjson.Object(body) }

// Unusable is what an answer gives from which nothing follows about the
// credential, with the Retry-After that it has. That a server is gone (502, 503,
// 504) says nothing about the question, so the circuit breaker counts it; a 429
// may be this caller's alone.
func Unusable(reply *Reply, format string, args ...any) *CannotTell {
	answered := true
	switch reply.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		answered = false
	}
	return &CannotTell{Err: fmt.Errorf(format, args...), Answered: answered, RetryAfter: reply.RetryAfter(time.Now())}
}

// replayable marks a POST that changes nothing, so that it is sent again where
// the service ended an idle connection at that moment. net/http does so if there
// is this header, and does not send an empty one.
func replayable(req *http.Request) *http.Request {
	req.Header["X-Idempotency-Key"] = nil
	return req
}
