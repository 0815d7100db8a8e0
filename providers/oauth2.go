package providers

import (
	"context"
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

// OAuth2Token accepts access tokens of an OAuth 2.0 or OpenID Connect issuer:
// JWTs (RFC 7519, RFC 9068) that it checks against the issuer's public keys, or,
// with `introspection`, whatever tokens the issuer's introspection endpoint
// calls active (RFC 7662).
//
// A JWT is good if its algorithm is allowed, its signature verifies with a
// key of the issuer that is meant for this algorithm, `iss` and `aud` are the
// configured ones, `exp` is there and not over, `nbf` and `iat` are not in the
// future, and it names a principal. The keys are found by OpenID Connect
// discovery from the issuer unless `jwks` says where they are. Loading the
// configuration fetches nothing; while the issuer is down, known keys serve on.
type OAuth2Token struct {
	Common
	Network

	// The issuer, exactly as the tokens' `iss` has it. Required, but with an
	// `introspection` that has a `url`. Without `jwks` or that, the keys or the
	// introspection endpoint are found from its
	// `/.well-known/openid-configuration`. Tokens of other issuers are left to
	// the other providers.
	Issuer string `json:"issuer,omitempty"`

	// Accepts tokens of any issuer that the keys verify, or that the
	// introspection endpoint calls active. Needs the address of either.
	SkipIssuerCheck bool `json:"skip_issuer_check,omitempty"`

	// The audiences, any one of which must be in the token's `aud`. Required. Of
	// an introspection answer it is checked where the answer has an `aud`.
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

	// Asks the issuer about each token instead of checking it here.
	Introspection *Introspection `json:"introspection,omitempty"`

	issuer     string // expanded
	algorithms map[string]struct{}
	validator  *jwt.Validator
	audience   []string // expanded
	keys       *keyset.Lease
	introspect *introspector
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
	err := o.SetUp(ctx, o.defaults())
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
	if o.Introspection != nil {
		return o.setUpIntrospection(expanded)
	}
	o.keys, err = expanded.acquireKeys(o)
	if err != nil {
		return err
	}
	return o.shareAnswers(&o.Common, ofTokens, expanded.shape(o))
}

func (o *OAuth2Token) defaults() Defaults {
	d := Defaults{Type: "oauth2_token", Mapping: DefaultMapping(), OGX: ogxMapping(), PrincipalClaim: []string{"sub"}}
	if o.Introspection != nil {
		d.PrincipalClaim = []string{"sub", "username", "client_id"}
	}
	return d
}

// Cleanup implements caddy.CleanerUpper. It runs after a failed Provision too,
// and gives back only what this instance took.
func (o *OAuth2Token) Cleanup() error {
	errs := []error{o.CleanUpJudge()}
	if o.keys != nil {
		errs = append(errs, o.keys.Release())
	}
	if o.introspect != nil {
		errs = append(errs, o.introspect.release())
	}
	return errors.Join(errs...)
}

// Warm fetches the keys before the first request needs them.
func (o *OAuth2Token) Warm() {
	if o.keys != nil {
		o.keys.Warm()
	}
}

// Ready waits for what Warm fetches. Requests do not: they would wait for an
// issuer that hangs.
func (o *OAuth2Token) Ready(ctx context.Context) {
	if o.keys != nil {
		o.keys.Ready(ctx)
	}
}

func (o *OAuth2Token) warn() {
	switch {
	case o.SkipIssuerCheck && o.Introspection != nil:
		o.Logger().Warn("skip_issuer_check: tokens of any issuer that the introspection endpoint calls active are accepted")
	case o.SkipIssuerCheck:
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
	o.issuer, o.audience = x.issuer, x.audience
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
	s := Scope{JWT: true, Opaque: o.Introspection != nil}
	if !o.SkipIssuerCheck {
		s.Issuer = o.issuer
	}
	return o.Narrow(s)
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
	if !o.Takes(c.Token) {
		return ofAnotherForm
	}
	if o.introspect != nil {
		return o.askIssuer(r, c.Token)
	}
	key := o.answers.keyOf(&o.shape, c.Token)
	if yes := o.remembered(key, time.Now()); yes != nil {
		return yes
	}
	return o.judge(r, c.Token, key)
}

// remembered returns the answer given before, if it still holds.
func (o *OAuth2Token) remembered(key answerKey, now time.Time) *Yes {
	if o.CacheTTL != nil && *o.CacheTTL == 0 {
		return nil
	}
	hit, there := o.answers.yeses.Get(key)
	switch {
	case !there:
		return nil
	case !hit.live(now):
		o.answers.yeses.Remove(key)
		return nil
	case o.CacheTTL != nil && hit.age(now) >= time.Duration(*o.CacheTTL):
		return nil
	case !o.keys.Trusts(hit.key):
		return nil
	}
	return hit.yes
}

// judge checks a token that has not been seen, or not lately.
func (o *OAuth2Token) judge(r *http.Request, token string, key answerKey) Answer {
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
	payload, print, answer := o.verify(r, t)
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
		o.answers.addYes(key, &remembered{yes: yes, key: print, stored: time.Now(), ends: ends})
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

// shape is all that an answer depends on besides the token and what all
// providers have, for the key of the answer cache: never what only tunes it.
func (x *expandedOAuth2) shape(o *OAuth2Token) any {
	return struct {
		Keys             string
		Issuer           string
		Audience         []string
		Skip             [2]bool
		Algorithms       []string
		Leeway, Lifetime caddy.Duration
	}{
		x.keysID, x.issuer, x.audience,
		[2]bool{o.SkipIssuerCheck, o.SkipAudienceCheck},
		slices.Sorted(maps.Keys(o.algorithms)),
		o.Leeway, o.MaxTokenLifetime,
	}
}
