package gitlab

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

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
	reply, err := t.Fetch(req)
	if err != nil {
		return &providers.CannotTell{Err: err}
	}
	return t.read(reply)
}

// read says what follows from GitLab's answer.
func (t *Token) read(reply *providers.Reply) providers.Answer {
	switch reply.Status {
	case http.StatusOK:
		return t.identify(reply)
	case http.StatusUnauthorized:
		return &providers.No{Reason: "GitLab: status 401"}
	case http.StatusForbidden:
		// The API says so, as JSON, of tokens without the scope and of accounts
		// that are blocked. Anything else is about the gateway: GitLab's rate
		// limiter bans addresses with a 403 in plain text, and so do firewalls.
		if object, err := providers.ReadObject(reply.Body); err == nil && (object["message"] != nil || object["error"] != nil) {
			return &providers.No{Reason: "GitLab: status 403 (the token needs the scope read_user, read_api or api)"}
		}
	}
	// 429 and 5xx, and what else there may be: the token may be good.
	cannot := providers.Unusable(reply, "GitLab: status %d", reply.Status)
	cannot.Provoked = reply.Status == http.StatusTooManyRequests // the caller's own limit
	return cannot
}

// identify makes a user of what GitLab says.
func (t *Token) identify(reply *providers.Reply) providers.Answer {
	claims, active, err := readUser(reply.Body)
	switch {
	case err != nil:
		return providers.Unusable(reply, "GitLab: %w", err)
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
	object, err := providers.ReadObject(body)
	if err != nil {
		return nil, false, err
	}
	// Written by ourselves: 7 and 7.0 are one number, and must be one principal.
	number, _ := object["id"].(providers.Number)
	id, err := strconv.ParseUint(string(number), 10, 63)
	if err != nil || id == 0 {
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
	text := strconv.FormatUint(id, 10)
	return map[string]any{
		"principal": "gitlab:" + text, "id": text, "username": username, "kind": kind,
	}, state == "active", nil
}
