package providers

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

// maxSeconds is the largest number of seconds that a date may have: beyond it
// a float64 is no longer exact, and far beyond it golang-jwt's dates wrap
// around into the past.
const maxSeconds = 1 << 53

// tokenClaims are the claims of a verified token. They implement jwt.Claims
// more strictly than the types of golang-jwt, which take `exp: 0` for absent,
// strings for dates, and numbers of any size.
type tokenClaims struct {
	all                map[string]any
	expires, notBefore *jwt.NumericDate
	issued             *jwt.NumericDate
	issuer             string
	audience           jwt.ClaimStrings
}

func readTokenClaims(payload []byte) (*tokenClaims, error) {
	all, err := strictjson.Object(payload)
	if err != nil {
		return nil, err
	}
	c, err := tokenClaimsOf(all)
	if err != nil {
		return nil, err
	}
	return c, c.checkBearer()
}

func tokenClaimsOf(all map[string]any) (*tokenClaims, error) {
	c := &tokenClaims{all: all}
	var err error
	for name, to := range map[string]**jwt.NumericDate{"exp": &c.expires, "nbf": &c.notBefore, "iat": &c.issued} {
		if *to, err = dateClaim(all, name); err != nil {
			return nil, err
		}
	}
	if c.audience, err = audienceClaim(all); err != nil {
		return nil, err
	}
	if iss, there := all["iss"]; there {
		var ok bool
		if c.issuer, ok = iss.(string); !ok {
			return nil, errors.New("iss is not a string")
		}
	}
	return c, nil
}

// checkBearer refuses a token that is bound to a key (RFC 7800; by DPoP or a
// client certificate): it is worth nothing without a proof of that key, and
// proofs are not checked here: whoever shows it as a bearer token may have
// stolen it.
func (c *tokenClaims) checkBearer() error {
	if c.all["cnf"] != nil {
		return errors.New("token is bound to a key, and was shown as a bearer token")
	}
	return nil
}

func dateClaim(all map[string]any, name string) (*jwt.NumericDate, error) {
	v, there := all[name]
	if !there {
		return nil, nil
	}
	n, ok := v.(strictjson.Number)
	if !ok {
		return nil, fmt.Errorf("%s is not a number", name)
	}
	return dateOf(name, n)
}

func dateOf(name string, n strictjson.Number) (*jwt.NumericDate, error) {
	seconds, err := strconv.ParseFloat(string(n), 64)
	if err != nil || math.Abs(seconds) > maxSeconds {
		return nil, fmt.Errorf("%s is out of range", name)
	}
	whole, fraction := math.Modf(seconds)
	return &jwt.NumericDate{Time: time.Unix(int64(whole), int64(fraction*1e9))}, nil
}

func audienceClaim(all map[string]any) (jwt.ClaimStrings, error) {
	switch v := all["aud"].(type) {
	case nil:
		return nil, nil
	case string:
		return jwt.ClaimStrings{v}, nil
	case []any:
		list := make(jwt.ClaimStrings, 0, len(v))
		for _, element := range v {
			s, ok := element.(string)
			if !ok {
				return nil, errors.New("aud has an element that is not a string")
			}
			list = append(list, s)
		}
		return list, nil
	}
	return nil, errors.New("aud is neither a string nor a list")
}

// GetExpirationTime implements jwt.Claims.
func (c *tokenClaims) GetExpirationTime() (*jwt.NumericDate, error) { return c.expires, nil }

// GetIssuedAt implements jwt.Claims.
func (c *tokenClaims) GetIssuedAt() (*jwt.NumericDate, error) { return c.issued, nil }

// GetNotBefore implements jwt.Claims.
func (c *tokenClaims) GetNotBefore() (*jwt.NumericDate, error) { return c.notBefore, nil }

// GetIssuer implements jwt.Claims.
func (c *tokenClaims) GetIssuer() (string, error) { return c.issuer, nil }

// GetSubject implements jwt.Claims.
func (c *tokenClaims) GetSubject() (string, error) {
	s, _ := c.all["sub"].(string)
	return s, nil
}

// GetAudience implements jwt.Claims.
func (c *tokenClaims) GetAudience() (jwt.ClaimStrings, error) { return c.audience, nil }

var _ jwt.Claims = (*tokenClaims)(nil)
