package gitlab

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

// maxBody bounds an answer.
const maxBody = 1 << 20

// reply is GitLab's answer, read.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// judge asks GitLab whose token it is. The context ends with the option
// `timeout`; it is not the request's, for others may wait for the same answer.
func (t *Token) judge(ctx context.Context, token string) providers.Answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.address, nil)
	if err != nil {
		return &providers.CannotTell{Err: errors.New("preparing request to GitLab")}
	}
	// Not as Bearer, by which GitLab takes the tokens of its OAuth apps too.
	req.Header.Set("Private-Token", token)
	req.Header.Set("Accept", "application/json")
	answer, err := send(t.Client(), req)
	if err != nil {
		return &providers.CannotTell{Err: err}
	}
	return t.read(answer)
}

// send returns an error only where there is no answer.
func send(client *http.Client, req *http.Request) (*reply, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking GitLab: %w", plain(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("reading GitLab's answer: %w", plain(err))
	}
	return &reply{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// plain keeps of an error what is fit for a log. The text of others may have a
// part of what was received, in which a server may repeat what it was sent.
func plain(err error) error {
	if failed, ok := errors.AsType[reverseproxy.DialError](err); ok {
		return failed // nothing was received yet
	}
	if failed, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return failed
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	return errors.New("connection closed, or an answer that is not HTTP")
}

// read says what follows from GitLab's answer.
func (t *Token) read(answer *reply) providers.Answer {
	if len(answer.body) > maxBody {
		return useless(answer, "has more than 1 MiB")
	}
	switch answer.status {
	case http.StatusOK:
		return t.identify(answer)
	case http.StatusUnauthorized:
		return &providers.No{Reason: "GitLab: status 401"}
	case http.StatusForbidden:
		// The API says so, as JSON, of tokens without the scope and of accounts
		// that are blocked. Anything else is about the gateway: GitLab's rate
		// limiter bans addresses with a 403 in plain text, and so do firewalls.
		if object, err := decode(answer.body); err == nil && (object["message"] != nil || object["error"] != nil) {
			return &providers.No{Reason: "GitLab: status 403 (the token needs the scope read_user, read_api or api)"}
		}
	}
	// 429 and 5xx, and what else there may be: the token may be good.
	return useless(answer, "status "+strconv.Itoa(answer.status))
}

// identify makes a user of what GitLab says.
func (t *Token) identify(answer *reply) providers.Answer {
	claims, active, err := readUser(answer.body)
	switch {
	case err != nil:
		return useless(answer, err.Error())
	case !active:
		return &providers.No{Reason: "GitLab: the account is not active"}
	}
	user, err := t.Identify(claims)
	if err != nil {
		return &providers.No{Reason: err.Error()}
	}
	return &providers.Yes{User: user}
}

// readUser reads the answer of GET /user. An error never has a part of it.
func readUser(body []byte) (claims map[string]any, active bool, err error) {
	object, err := decode(body)
	if err != nil {
		return nil, false, err
	}
	// Written by ourselves: 7 and 7.0 are one number, and must be one principal.
	number, _ := object["id"].(json.Number)
	id, err := strconv.ParseInt(number.String(), 10, 64)
	if err != nil || id <= 0 {
		return nil, false, errors.New("id is not a positive whole number")
	}
	username, _ := object["username"].(string)
	if username == "" {
		return nil, false, errors.New("username is not a string with something in it")
	}
	state, _ := object["state"].(string)
	if state == "" {
		return nil, false, errors.New("state is not a string with something in it")
	}
	kind := "user"
	if bot, _ := object["bot"].(bool); bot {
		kind = "bot"
	}
	text := strconv.FormatInt(id, 10)
	return map[string]any{
		"principal": "gitlab:" + text, "id": text, "username": username, "kind": kind,
	}, state == "active", nil
}

// decode reads a JSON object. Not into a struct: encoding/json would take a
// member ID for id.
func decode(body []byte) (map[string]any, error) {
	notOne := errors.New("answer is not a JSON object")
	if !json.Valid(body) { // a Decoder would not look behind the object
		return nil, notOne
	}
	var object map[string]any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&object); err != nil || object == nil {
		return nil, notOne
	}
	return object, nil
}

// useless is said of an answer from which nothing follows. Only one that a
// proxy gives for a server that is gone counts as no answer: what a single
// caller's token provokes must not open the circuit breaker for all.
func useless(answer *reply, why string) *providers.CannotTell {
	cannot := &providers.CannotTell{Err: errors.New("GitLab: " + why), Answered: true}
	switch answer.status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		cannot.Answered = false
	}
	if seconds, err := strconv.ParseUint(answer.header.Get("Retry-After"), 10, 31); err == nil {
		cannot.RetryAfter = min(time.Duration(seconds)*time.Second, time.Hour)
	}
	return cannot
}
