package providers

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

// What a token says of itself before anybody has checked it. It may select
// whom to ask, and make an answer shorter; it must not be believed.

// unverifiedPayload returns the payload of what looks like a JWT, nil of
// anything else.
func unverifiedPayload(token string) []byte {
	head, rest, _ := strings.Cut(token, ".")
	body, signature, found := strings.Cut(rest, ".")
	if !found || head == "" || strings.Contains(signature, ".") {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return nil
	}
	return payload
}

// unverifiedIssuer returns the iss that a JWT shows, empty without one.
func unverifiedIssuer(token string) string {
	issuer, _ := strictjson.String(unverifiedPayload(token), "iss")
	return issuer
}

// unverifiedExpiry returns the exp that a JWT shows, zero without one.
func unverifiedExpiry(token string) time.Time {
	shown, found := strictjson.NumberIn(unverifiedPayload(token), "exp")
	if !found {
		return time.Time{}
	}
	expires, err := dateOf("exp", shown)
	if err != nil {
		return time.Time{}
	}
	return expires.Time
}
