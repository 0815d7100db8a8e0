package providers

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/golang-jwt/jwt/v5"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/jws"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/keyset"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

func init() {
	caddy.RegisterModule(new(OAuth2Token))
}

const maxLeeway = 5 * time.Minute

// OAuth2Token accepts JWTs of an OAuth 2.0 or OpenID Connect issuer (RFC 7519,
// RFC 9068), checked against the issuer's public keys.
//
// A token is good if its algorithm is allowed, its signature verifies with a
// key of the issuer that is meant for this algorithm, `iss` and `aud` are the
// configured ones, `exp` is there and not over, `nbf` and `iat` are not in the
// future, and it names a principal. The keys are found by OpenID Connect
// discovery from the issuer unless `jwks` says where they are. Loading the
// configuration fetches nothing; while the issuer is down, known keys serve on.
type OAuth2Token struct {
	Common
	Network

	// The issuer, exactly as the tokens' `iss` has it. Required. Without
	// `jwks`, the keys are found from its
	// `/.well-known/openid-configuration`. Tokens of other issuers are left to
	// the other providers.
	Issuer string `json:"issuer,omitempty"`

	// Accepts tokens of any issuer that the keys verify. Needs `jwks`.
	SkipIssuerCheck bool `json:"skip_issuer_check,omitempty"`

	// The audiences, any one of which must be in the token's `aud`. Required.
	Audience []string `json:"audience,omitempty"`

	// Accepts tokens that were issued for somebody else. Any service that
	// receives such a token can use it here.
	SkipAudienceCheck bool `json:"skip_audience_check,omitempty"`

	// The accepted signature algorithms. Default: RS256, RS384, RS512, PS256,
	// PS384, PS512, ES256, ES384 and EdDSA. ES512 has to be named, for one
	// check costs 1.6 ms. HS256, HS384 and HS512 have to be named too, and are
	// only possible with a symmetric key in a local file.
	Algorithms []string `json:"algorithms,omitempty"`

	// How far the issuer's clock may be off, for `exp`, `nbf` and `iat`.
	// Default: 0s. At most 5m.
	Leeway caddy.Duration `json:"leeway,omitempty"`

	// The longest time between `iat` and `exp` that a token may have. Default:
	// no limit.
	MaxTokenLifetime caddy.Duration `json:"max_token_lifetime,omitempty"`

	// Where the keys are, if not where discovery says.
	JWKS *JWKS `json:"jwks,omitempty"`

	issuer     string // expanded
	algorithms map[string]struct{}
	validator  *jwt.Validator
	keys       *keyset.Lease
	answers    *answerCache
}

// CaddyModule implements caddy.Module.
func (*OAuth2Token) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  Namespace + ".oauth2_token",
		New: func() caddy.Module { return new(OAuth2Token) },
	}
}

// Provision implements caddy.Provisioner.
func (o *OAuth2Token) Provision(ctx caddy.Context) error {
	err := o.SetUp(ctx, Defaults{Type: "oauth2_token", Mapping: DefaultMapping(), PrincipalClaim: []string{"sub"}})
	if err != nil {
		return err
	}
	if err := o.SetUpNetwork(ctx); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	expanded, err := o.expanded()
	if err != nil {
		return err
	}
	o.warn()
	o.prepare(expanded)
	o.keys, err = expanded.acquireKeys(o)
	if err != nil {
		return err
	}
	shape, err := expanded.shape(o)
	if err != nil {
		return err
	}
	o.answers, err = acquireAnswers(shape)
	return err
}

// Cleanup implements caddy.CleanerUpper. It runs after a failed Provision too,
// and gives back only what this instance took.
func (o *OAuth2Token) Cleanup() error {
	var errs []error
	if o.keys != nil {
		errs = append(errs, o.keys.Release())
	}
	if o.answers != nil {
		errs = append(errs, o.answers.release())
	}
	return errors.Join(errs...)
}

// Warm fetches the keys before the first request needs them.
func (o *OAuth2Token) Warm() {
	if o.keys != nil {
		o.keys.Warm()
	}
}

func (o *OAuth2Token) warn() {
	if o.SkipIssuerCheck {
		o.Logger().Warn("skip_issuer_check: tokens of any issuer that the keys verify are accepted")
	}
	if o.SkipAudienceCheck {
		o.Logger().Warn("skip_audience_check: tokens that were issued for other services are accepted")
	}
}

func (o *OAuth2Token) prepare(x *expandedOAuth2) {
	names := o.Algorithms
	if len(names) == 0 {
		names = jws.DefaultAlgorithms()
	}
	o.algorithms = make(map[string]struct{}, len(names))
	for _, name := range names {
		o.algorithms[name] = struct{}{}
	}
	o.issuer = x.issuer
	options := []jwt.ParserOption{
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(time.Duration(o.Leeway)),
		jwt.WithTimeFunc(time.Now),
	}
	if !o.SkipIssuerCheck {
		options = append(options, jwt.WithIssuer(x.issuer))
	}
	if !o.SkipAudienceCheck {
		options = append(options, jwt.WithAudience(x.audience...))
	}
	o.validator = jwt.NewValidator(options...)
}

// Scope implements Provider.
func (o *OAuth2Token) Scope() Scope {
	s := Scope{JWT: true}
	if !o.SkipIssuerCheck {
		s.Issuer = o.issuer
	}
	if o.Tokens != nil {
		s.Prefixes = o.Tokens.Prefixes
	}
	return s
}

// Made once: with several issuers in a block they are said of good tokens, too.
var (
	ofAnotherForm   Answer = NotMine{Reason: "not of the form that tokens names"}
	ofAnotherIssuer Answer = NotMine{Reason: "iss is another issuer"}
)

// Authenticate implements Provider.
func (o *OAuth2Token) Authenticate(r *http.Request, c Credential) Answer {
	if c.Token == "" {
		return NotMine{}
	}
	if !o.Tokens.claims(c.Token) {
		return ofAnotherForm
	}
	digest := digestOf(c.Token)
	if yes := o.remembered(digest, time.Now()); yes != nil {
		return yes
	}
	return o.judge(r, c.Token, digest)
}

// remembered returns the answer given before, if it still holds.
func (o *OAuth2Token) remembered(digest tokenDigest, now time.Time) *Yes {
	if o.CacheTTL != nil && *o.CacheTTL == 0 {
		return nil
	}
	hit, there := o.answers.lru.Get(digest)
	switch {
	case !there:
		return nil
	case !now.Before(hit.ends):
		o.answers.lru.Remove(digest)
		return nil
	case o.CacheTTL != nil && now.Sub(hit.stored) >= time.Duration(*o.CacheTTL):
		return nil
	case !o.keys.Trusts(hit.key):
		return nil
	}
	return hit.yes
}

// judge checks a token that has not been seen, or not lately.
func (o *OAuth2Token) judge(r *http.Request, token string, digest tokenDigest) Answer {
	t, err := jws.Parse(token)
	if err != nil {
		return refusedToken(err)
	}
	// The issuer is not verified yet. All that it does is to say whose token
	// this is not.
	if iss, _ := strictjson.String(t.Unverified(), "iss"); !o.SkipIssuerCheck && iss != o.issuer {
		return ofAnotherIssuer
	}
	if _, allowed := o.algorithms[t.Algorithm]; !allowed {
		return &No{Reason: "algorithm is not allowed"}
	}
	payload, key, answer := o.verify(r, t)
	if answer != nil {
		return answer
	}
	claims, err := readTokenClaims(payload)
	if err != nil {
		return &No{Reason: "claims: " + err.Error()}
	}
	if no := o.checkClaims(claims); no != nil {
		return no
	}
	user, err := o.Identify(claims.all)
	if err != nil {
		return &No{Reason: err.Error()}
	}
	ends := claims.expires.Add(time.Duration(o.Leeway))
	yes := &Yes{User: user, Expires: ends}
	if o.CacheTTL == nil || *o.CacheTTL > 0 {
		o.answers.add(digest, &cachedAnswer{yes: yes, key: key, stored: time.Now(), ends: ends})
	}
	return yes
}

func refusedToken(err error) Answer {
	var refused *jws.Error
	if errors.As(err, &refused) && refused.Stage == jws.StageShape {
		return NotMine{Reason: "not a JWT: " + refused.Reason}
	}
	return &No{Reason: err.Error()}
}

// verify finds the key and checks the signature. It returns a payload that may
// be believed and the key that vouches for it, or the answer.
func (o *OAuth2Token) verify(r *http.Request, t *jws.Token) ([]byte, keyset.Print, Answer) {
	keys, err := o.keys.Find(r.Context(), t)
	if err != nil {
		return nil, keyset.Print{}, withoutKey(err)
	}
	payload, print, err := tryKeys(t, keys)
	if err != nil && !t.HasKeyID {
		if keys, err = o.keys.Retry(r.Context(), t, keys); err != nil {
			return nil, print, withoutKey(err)
		}
		payload, print, err = tryKeys(t, keys)
	}
	if err != nil {
		return nil, print, &No{Reason: err.Error()}
	}
	return payload, print, nil
}

func tryKeys(t *jws.Token, keys []*keyset.Key) (payload []byte, print keyset.Print, err error) {
	for _, k := range keys {
		if payload, err = t.Verify(k.Public()); err == nil {
			return payload, k.Print(), nil
		}
	}
	return nil, print, err
}

func withoutKey(err error) Answer {
	if errors.Is(err, keyset.ErrUnavailable) {
		return &CannotTell{Err: err}
	}
	return &No{Reason: err.Error()}
}

// shape is all that an answer depends on besides the token, for the key of the
// answer cache: never what only tunes it.
func (x *expandedOAuth2) shape(o *OAuth2Token) (string, error) {
	b, err := json.Marshal(struct {
		Keys              string
		Issuer            string
		Audience          []string
		Skip              [2]bool
		Algorithms        []string
		Leeway, Lifetime  caddy.Duration
		Preset            string
		Mapping           []ClaimMapping
		Default           bool
		Principal, Tenant []string
	}{
		x.keysID, x.issuer, x.audience,
		[2]bool{o.SkipIssuerCheck, o.SkipAudienceCheck},
		slices.Sorted(maps.Keys(o.algorithms)),
		o.Leeway, o.MaxTokenLifetime,
		o.ClaimsPreset, o.ClaimsMapping, o.ClaimsMapping == nil,
		append([]string{o.PrincipalPrefix}, o.PrincipalClaim...),
		[]string{o.TenantClaim},
	})
	return string(b), err
}
