package providers

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// checkClaims says no to a token that is not for us, or not for now.
func (o *OAuth2Token) checkClaims(c *tokenClaims) Answer {
	if err := o.validator.Validate(c); err != nil {
		reason := validationReason(err)
		return &No{Reason: reason, Expired: reason == reasonExpired}
	}
	if o.MaxTokenLifetime == 0 {
		return nil
	}
	if c.issued == nil {
		return &No{Reason: "token has no iat, which max_token_lifetime needs"}
	}
	if lifetime := c.expires.Sub(c.issued.Time); lifetime > time.Duration(o.MaxTokenLifetime) {
		return &No{Reason: fmt.Sprintf("token lives for %s, longer than max_token_lifetime", lifetime)}
	}
	return nil
}

// reasonExpired is what is said of a token that was good until its time was
// over: of one with another fault, that fault.
const reasonExpired = "token has expired"

// validationReason names what is wrong without the library's words.
func validationReason(err error) string {
	for _, known := range []struct {
		is   error
		text string
	}{
		{jwt.ErrTokenInvalidIssuer, "iss is not the configured issuer"},
		{jwt.ErrTokenInvalidAudience, "aud has none of the configured audiences"},
		{jwt.ErrTokenRequiredClaimMissing, "exp, iss or aud is missing"},
		{jwt.ErrTokenNotValidYet, "token is not valid yet (nbf)"},
		{jwt.ErrTokenUsedBeforeIssued, "token was issued in the future (iat)"},
		{jwt.ErrTokenExpired, reasonExpired},
	} {
		if errors.Is(err, known.is) {
			return known.text
		}
	}
	return "claims are not valid"
}
