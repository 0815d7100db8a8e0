package providers

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

// defaultCacheTTL is how long a service's yes is reused: the longest that a
// revoked token is still believed.
const defaultCacheTTL = 30 * time.Second

// Introspection says how the issuer is asked about a token (RFC 7662). The
// gateway is a confidential client of the issuer for this, with an id and a
// secret of its own.
type Introspection struct {
	// The introspection endpoint. Must be https, unless it is loopback or
	// `allow_http` is set. Default: found from the issuer's discovery document.
	URL string `json:"url,omitempty"`

	// The id of the gateway's client. Required.
	ClientID string `json:"client_id,omitempty"`

	// Its secret. Required. Placeholders {env.X} and {file./path} keep it out of
	// the configuration.
	ClientSecret string `json:"client_secret,omitempty"`

	// Sends id and secret in the body (client_secret_post) instead of an
	// Authorization header (client_secret_basic).
	SendSecretInBody bool `json:"send_secret_in_body,omitempty"`

	// Refuses a token whose answer has no `aud`, or, with an issuer configured,
	// no `iss`. Otherwise they are checked where they are there.
	AudienceRequired bool `json:"audience_required,omitempty"`
}

func (i *Introspection) check(allowHTTP bool) error {
	switch {
	case i.ClientID == "":
		return errors.New("introspection: client_id is required")
	case i.ClientSecret == "":
		return errors.New("introspection: client_secret is required")
	}
	for _, option := range [][2]string{{"client_id", i.ClientID}, {"client_secret", i.ClientSecret}} {
		if err := CheckPlaceholders("introspection: "+option[0], option[1]); err != nil {
			return err
		}
	}
	return CheckAddress("introspection: url", i.URL, allowHTTP)
}

// introspector asks the introspection endpoint.
type introspector struct {
	options  Introspection // expanded
	endpoint func(context.Context) (string, error)
	release  func() error
}

func (o *OAuth2Token) setUpIntrospection(x *expandedOAuth2) error {
	o.leeway = time.Duration(o.Leeway)
	i := &introspector{options: x.introspection, release: func() error { return nil }}
	address := x.introspection.URL
	if address != "" {
		i.endpoint = func(context.Context) (string, error) { return address, nil }
	} else {
		address = x.issuer
		trust := sha256.Sum256(fmt.Appendf(nil, "%q %q", x.issuer, o.transport))
		found, release, err := acquireEndpoint(fmt.Sprintf("introspection %x", trust))
		if err != nil {
			return err
		}
		i.release = release
		i.endpoint = func(ctx context.Context) (string, error) { return found.find(ctx, &o.Network, x.issuer) }
	}
	o.introspect = i
	return o.SetUpJudge(&o.Common, Judge{
		Address:  address,
		CacheTTL: defaultCacheTTL,
		Shape: struct {
			Discovered    bool
			Introspection Introspection
			Issuer        string
			Audience      []string
			Skip          [2]bool
			Times         [2]time.Duration
		}{
			x.introspection.URL == "", x.introspection, x.issuer, x.audience,
			[2]bool{o.SkipIssuerCheck, o.SkipAudienceCheck},
			[2]time.Duration{time.Duration(o.Leeway), time.Duration(o.MaxTokenLifetime)},
		},
	})
}

// askIssuer judges a token by introspection.
func (o *OAuth2Token) askIssuer(r *http.Request, token string) Answer {
	question := Question{Token: token}
	if known := o.Known(question); known != nil {
		return known
	}
	if o.issuer != "" && !o.SkipIssuerCheck {
		// Another issuer's JWT is not shown to this one.
		if shown := unverifiedIssuer(token); shown != "" && shown != o.issuer {
			return ofAnotherIssuer
		}
	}
	return o.Ask(r, question, func(ctx context.Context) Answer {
		reply, err := o.introspect.ask(ctx, &o.Network, token)
		if err != nil {
			return &CannotTell{Err: err}
		}
		return o.readIntrospection(reply)
	})
}

func (i *introspector) ask(ctx context.Context, n *Network, token string) (*Reply, error) {
	endpoint, err := i.endpoint(ctx)
	if err != nil {
		return nil, err
	}
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	if i.options.SendSecretInBody {
		form.Set("client_id", i.options.ClientID)
		form.Set("client_secret", i.options.ClientSecret)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("preparing request to the introspection endpoint")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if !i.options.SendSecretInBody {
		// RFC 6749, section 2.3.1: form-encoded first, which SetBasicAuth does not
		// do. Servers refuse a secret with reserved characters otherwise.
		req.SetBasicAuth(url.QueryEscape(i.options.ClientID), url.QueryEscape(i.options.ClientSecret))
	}
	return n.Fetch(replayable(req))
}

// readIntrospection judges the endpoint's answer.
func (o *OAuth2Token) readIntrospection(reply *Reply) Answer {
	switch reply.Status {
	case http.StatusOK:
	case http.StatusBadRequest:
		// How oidc-provider says of a JWT that it is no opaque token of its own.
		if code, _ := strictjson.String(reply.Body, "error"); code == "unsupported_token_type" {
			return &No{Reason: "introspection endpoint does not know this type of token"}
		}
		return Unusable(reply, "introspection endpoint: status %d", reply.Status)
	case http.StatusUnauthorized, http.StatusForbidden:
		// That is about us, and not about the caller.
		return Unusable(reply, "introspection endpoint refuses the gateway's client_id and client_secret: status %d", reply.Status)
	default:
		return Unusable(reply, "introspection endpoint: status %d", reply.Status)
	}
	all, err := strictjson.Object(reply.Body)
	if err != nil {
		return Unusable(reply, "introspection answer: %w", err)
	}
	// OGX takes the text "false" for true.
	active, ok := all["active"].(bool)
	if !ok {
		return Unusable(reply, "introspection answer: active is not a boolean")
	}
	if !active {
		return &No{Reason: "introspection: token is not active"}
	}
	claims, err := tokenClaimsOf(all)
	if err != nil {
		return Unusable(reply, "introspection answer: %w", err)
	}
	return o.judgeIntrospection(claims)
}

// judgeIntrospection says who an active token is of, or that it is not for us.
func (o *OAuth2Token) judgeIntrospection(c *tokenClaims) Answer {
	now := time.Now()
	leeway := time.Duration(o.Leeway)
	switch {
	case c.expires != nil && !now.Before(c.expires.Add(leeway)):
		return &No{Reason: reasonExpired, Expired: true}
	case c.notBefore != nil && now.Add(leeway).Before(c.notBefore.Time):
		return &No{Reason: "token is not valid yet (nbf)"}
	}
	if reason := o.misdirected(c); reason != "" {
		return &No{Reason: reason}
	}
	if err := c.checkBearer(); err != nil {
		return &No{Reason: err.Error()}
	}
	if reason := notAnAccessToken(c.all); reason != "" {
		return &No{Reason: reason}
	}
	if o.MaxTokenLifetime > 0 {
		if c.expires == nil || c.issued == nil {
			return &No{Reason: "answer has no exp or iat, which max_token_lifetime needs"}
		}
		if lifetime := c.expires.Sub(c.issued.Time); lifetime > time.Duration(o.MaxTokenLifetime) {
			return &No{Reason: fmt.Sprintf("token lives for %s, longer than max_token_lifetime", lifetime)}
		}
	}
	user, err := o.Identify(c.all)
	if err != nil {
		return &No{Reason: err.Error()}
	}
	yes := &Yes{User: user}
	if c.expires != nil {
		yes.Expires = c.expires.Add(leeway)
	}
	return yes
}

// misdirected says why a token is not of our issuer, or not for us. iss and aud
// are checked where they are there: RFC 7662 leaves them to the server, and
// many leave them out.
func (o *OAuth2Token) misdirected(c *tokenClaims) string {
	_, hasIssuer := c.all["iss"]
	_, hasAudience := c.all["aud"]
	required := o.Introspection.AudienceRequired
	switch {
	case o.SkipIssuerCheck || o.issuer == "":
	case !hasIssuer && required:
		return "answer has no iss, which audience_required demands"
	case hasIssuer && c.issuer != o.issuer:
		return "iss is not the configured issuer"
	}
	switch {
	case o.SkipAudienceCheck:
	case !hasAudience && required:
		return "answer has no aud, which audience_required demands"
	case hasAudience && !slices.ContainsFunc(c.audience, func(a string) bool { return slices.Contains(o.audience, a) }):
		return "aud has none of the configured audiences"
	}
	return ""
}

// otherTokens are the types of tokens that are not shown as bearer tokens,
// without what servers write between their words.
var otherTokens = []string{
	"refresh", "refreshtoken", "offline", "offlinetoken", "id", "idtoken", "logout", "logouttoken",
	"dpop", "pop", "mac",
}

// typeMembers say of which type a token is: RFC 7662 knows token_type, Keycloak
// has typ, and Hydra and Cognito have token_use.
var typeMembers = []string{"token_type", "typ", "token_use"}

// RFC 8693, section 3, names types of tokens by URNs.
const typeURN = "urn:ietf:params:oauth:token-type:"

// notAnAccessToken says why an active token must not be used as an access token:
// a refresh token that is shown here was stolen from a client or its log.
func notAnAccessToken(all map[string]any) string {
	for _, member := range typeMembers {
		kind, ok := all[member].(string)
		if !ok && all[member] != nil {
			return member + " is not a string"
		}
		kind = strings.TrimPrefix(strings.ToLower(kind), typeURN)
		if slices.Contains(otherTokens, betweenWords.Replace(kind)) {
			return "token is not an access token but of another type"
		}
	}
	return ""
}

var betweenWords = strings.NewReplacer("_", "", "-", "", " ", "")
