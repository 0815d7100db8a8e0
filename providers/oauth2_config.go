package providers

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/jws"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/keyset"
)

const (
	defaultRecheckPeriod = time.Hour
	minRecheckPeriod     = time.Second // less would be a flood of our own
	defaultMaxStale      = 24 * time.Hour
)

// JWKS says where an issuer's public keys are (RFC 7517).
type JWKS struct {
	// The address of the key set. Must be https, unless it is loopback or
	// `allow_http` is set. With neither this nor `file` it is found from the
	// issuer's discovery document.
	URI string `json:"uri,omitempty"`

	// A local file with the key set, instead of an address. Looked at every
	// second.
	File string `json:"file,omitempty"`

	// A bearer token that the address wants (Kubernetes does). Placeholders
	// {env.X} and {file./path} keep it out of the configuration.
	Token string `json:"token,omitempty"`

	// A file with that token, read for each fetch.
	TokenFile string `json:"token_file,omitempty"`

	// How often the keys are fetched although nothing asks for it: the longest
	// that a removed key is still believed. Default: 1h.
	KeyRecheckPeriod caddy.Duration `json:"key_recheck_period,omitempty"`

	// How long known keys serve beyond that while the address fails. Default:
	// 24h. 0 means not at all.
	MaxStale *caddy.Duration `json:"max_stale,omitempty"`
}

// check finds what is wrong with the options as they are written. Values with
// placeholders are looked at again when they are expanded.
func (o *OAuth2Token) check() error {
	found := o.JWKS != nil && (o.JWKS.URI != "" || o.JWKS.File != "") ||
		o.Introspection != nil && o.Introspection.URL != ""
	switch {
	case o.JWKS != nil && o.Introspection != nil:
		return errors.New("expected jwks or introspection, not both: make two providers of them")
	case o.Issuer == "" && o.Introspection != nil && o.Introspection.URL == "":
		return errors.New("issuer is required to find the introspection endpoint; or say where it is with introspection { url … }")
	case o.Issuer == "" && !o.SkipIssuerCheck && o.Introspection == nil:
		return errors.New("issuer is required (skip_issuer_check opts out)")
	case o.Issuer == "" && !found:
		return errors.New("issuer is required to find the keys; or say where they are with jwks { uri … }")
	case len(o.Audience) == 0 && !o.SkipAudienceCheck:
		return errors.New("audience is required (skip_audience_check opts out)")
	case o.Leeway < 0 || o.Leeway > caddy.Duration(maxLeeway):
		return fmt.Errorf("leeway %s: expected at most %s", time.Duration(o.Leeway), maxLeeway)
	case o.MaxTokenLifetime < 0:
		return fmt.Errorf("max_token_lifetime %s: expected more than zero", time.Duration(o.MaxTokenLifetime))
	case slices.Contains(o.Audience, ""):
		return errors.New("audience is empty")
	}
	if o.Introspection != nil {
		if err := o.Introspection.check(o.AllowHTTP); err != nil {
			return err
		}
	}
	if err := o.checkMode(); err != nil {
		return err
	}
	if err := o.checkAlgorithms(); err != nil {
		return err
	}
	if err := CheckAddress("issuer", o.Issuer, o.AllowHTTP); err != nil {
		return err
	}
	for _, audience := range o.Audience {
		if err := CheckPlaceholders("audience", audience); err != nil {
			return err
		}
	}
	if o.JWKS == nil {
		return nil
	}
	return o.JWKS.check(o.AllowHTTP)
}

// checkMode refuses what has no meaning for how tokens are checked.
func (o *OAuth2Token) checkMode() error {
	switch {
	case o.Introspection != nil && len(o.Algorithms) > 0:
		return errors.New("algorithms has no meaning with introspection: the issuer judges its tokens")
	case o.Introspection != nil && o.Introspection.AudienceRequired && o.SkipAudienceCheck:
		return errors.New("introspection: audience_required and skip_audience_check contradict each other")
	case o.Introspection == nil && o.Tokens != nil && o.Tokens.Form == formOpaque:
		return errors.New("tokens opaque: without introspection this provider checks JWTs")
	case o.Introspection == nil && o.StaleIfError != nil:
		return errors.New("stale_if_error has no meaning without introspection: for keys, say jwks { max_stale … }")
	}
	return nil
}

func (o *OAuth2Token) checkAlgorithms() error {
	for _, name := range o.Algorithms {
		if err := jws.CheckAlgorithm(name); err != nil {
			return err
		}
		if jws.IsSymmetric(name) && (o.JWKS == nil || o.JWKS.File == "") {
			return fmt.Errorf("algorithm %s: a symmetric key is only taken from a local file (jwks { file … })", name)
		}
	}
	return nil
}

func (j *JWKS) check(allowHTTP bool) error {
	switch {
	case *j == JWKS{}:
		return errors.New("jwks: expected uri, file, or what tunes the discovered key set")
	case j.URI != "" && j.File != "":
		return errors.New("jwks: expected uri or file, not both")
	case j.Token != "" && j.TokenFile != "":
		return errors.New("jwks: expected token or token_file, not both")
	case j.File != "" && (j.Token != "" || j.TokenFile != ""):
		return errors.New("jwks: a file needs no token")
	case j.KeyRecheckPeriod != 0 && time.Duration(j.KeyRecheckPeriod) < minRecheckPeriod:
		return fmt.Errorf("jwks: key_recheck_period %s: expected at least %s", time.Duration(j.KeyRecheckPeriod), minRecheckPeriod)
	case j.MaxStale != nil && *j.MaxStale < 0:
		return fmt.Errorf("jwks: max_stale %s: expected zero or more", time.Duration(*j.MaxStale))
	}
	for option, value := range map[string]string{"file": j.File, "token": j.Token, "token_file": j.TokenFile} {
		if err := CheckPlaceholders("jwks: "+option, value); err != nil {
			return err
		}
	}
	return CheckAddress("jwks: uri", j.URI, allowHTTP)
}

// expandedOAuth2 holds what must not go back into the exported configuration:
// Caddy logs that, and shows it in its admin API.
type expandedOAuth2 struct {
	issuer   string
	audience []string
	jwks     JWKS
	keysID   string // what the key set physically is

	introspection Introspection
}

func (o *OAuth2Token) expanded() (*expandedOAuth2, error) {
	x := &expandedOAuth2{}
	if o.JWKS != nil {
		x.jwks = *o.JWKS
	}
	if o.Introspection != nil {
		x.introspection = *o.Introspection
	}
	var err error
	if x.issuer, err = Expand("issuer", o.Issuer); err != nil {
		return nil, err
	}
	for _, audience := range o.Audience {
		a, err := Expand("audience", audience)
		if err != nil {
			return nil, err
		}
		x.audience = append(x.audience, a)
	}
	for _, option := range []struct {
		name  string
		value *string
	}{
		{"jwks: uri", &x.jwks.URI},
		{"jwks: file", &x.jwks.File},
		{"jwks: token", &x.jwks.Token},
		{"jwks: token_file", &x.jwks.TokenFile},
		{"introspection: url", &x.introspection.URL},
		{"introspection: client_id", &x.introspection.ClientID},
		{"introspection: client_secret", &x.introspection.ClientSecret},
	} {
		if *option.value, err = Expand(option.name, *option.value); err != nil {
			return nil, err
		}
	}
	if HasPlaceholder(o.Issuer) {
		if err := checkExpanded("issuer", o.Issuer, x.issuer, o.AllowHTTP); err != nil {
			return nil, err
		}
	}
	if o.JWKS != nil && HasPlaceholder(o.JWKS.URI) {
		if err := checkExpanded("jwks: uri", o.JWKS.URI, x.jwks.URI, o.AllowHTTP); err != nil {
			return nil, err
		}
	}
	if o.Introspection != nil && HasPlaceholder(o.Introspection.URL) {
		if err := checkExpanded("introspection: url", o.Introspection.URL, x.introspection.URL, o.AllowHTTP); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// acquireKeys takes hold of the key set. Two providers share one if they ask
// the same address and trust the answer for the same reasons: a provider that
// does not check certificates must not choose another's keys.
func (x *expandedOAuth2) acquireKeys(o *OAuth2Token) (*keyset.Lease, error) {
	settings := keyset.Settings{
		Timeout:       time.Duration(o.Timeout),
		RecheckPeriod: defaultRecheckPeriod,
		MaxStale:      defaultMaxStale,
		Logger:        o.Logger(),
	}
	if x.jwks.KeyRecheckPeriod > 0 {
		settings.RecheckPeriod = time.Duration(x.jwks.KeyRecheckPeriod)
	}
	if x.jwks.MaxStale != nil {
		settings.MaxStale = time.Duration(*x.jwks.MaxStale)
	}
	if x.jwks.File != "" {
		return x.acquireFile(o, settings)
	}
	trust := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %t", o.transport, x.jwks.Token, x.jwks.TokenFile, o.AllowHTTP))
	var source keyset.Source
	if x.jwks.URI != "" {
		x.keysID = fmt.Sprintf("uri %s %x", x.jwks.URI, trust)
		source = &keyset.URISource{Client: o.Client(), URI: x.jwks.URI, Token: x.jwks.bearer()}
	} else {
		x.keysID = fmt.Sprintf("issuer %s %x", x.issuer, trust)
		source = &keyset.DiscoverySource{Client: o.Client(), Issuer: x.issuer, Token: x.jwks.bearer()}
	}
	return keyset.Acquire(x.keysID, source, settings)
}

func (x *expandedOAuth2) acquireFile(o *OAuth2Token, settings keyset.Settings) (*keyset.Lease, error) {
	for name := range o.algorithms {
		settings.Symmetric = settings.Symmetric || jws.IsSymmetric(name)
	}
	x.keysID = fmt.Sprintf("file %s %t", x.jwks.File, settings.Symmetric)
	lease, err := keyset.Acquire(x.keysID, &keyset.FileSource{Path: x.jwks.File}, settings)
	if err != nil {
		return nil, err
	}
	if err := lease.Load(); err != nil {
		return nil, errors.Join(fmt.Errorf("jwks: file %s: %w", x.jwks.File, err), lease.Release())
	}
	return lease, nil
}

// bearer returns how to get the token for the key endpoint, nil for none. A
// token file is read each time: Kubernetes replaces it every hour.
func (j *JWKS) bearer() func() (string, error) {
	switch {
	case j.Token != "":
		token := j.Token
		return func() (string, error) { return token, nil }
	case j.TokenFile != "":
		path := j.TokenFile
		return func() (string, error) {
			b, err := os.ReadFile(path)
			if err != nil {
				return "", fmt.Errorf("reading token_file: %w", err)
			}
			token := strings.TrimSpace(string(b))
			if token == "" {
				return "", fmt.Errorf("reading token_file: %s is empty", path)
			}
			return token, nil
		}
	}
	return nil
}
