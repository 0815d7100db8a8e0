package stackauth

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

// check finds what is wrong with the configuration as it is written.
func (h *Handler) check() error {
	for _, s := range h.TokenSources {
		if err := s.Check(); err != nil {
			return err
		}
	}
	for i, s := range h.TokenSources {
		if slices.Contains(h.TokenSources[:i], s) {
			return fmt.Errorf("token_source %s %s is there twice", s.Source, s.Name)
		}
	}
	for _, pattern := range h.Public {
		if _, err := abac.ParsePathPattern(pattern); err != nil {
			return fmt.Errorf("public: %w", err)
		}
	}
	if err := checkRealm(h.Realm); err != nil {
		return err
	}
	if err := h.Tenancy.check(); err != nil {
		return err
	}
	if err := checkBasePath(h.BasePath); err != nil {
		return err
	}
	if err := h.Require.check(); err != nil {
		return err
	}
	if err := h.checkOwnMatch(); err != nil {
		return err
	}
	if err := h.checkRules(); err != nil {
		return err
	}
	if err := h.IdentityHeaders.check(); err != nil {
		return err
	}
	for _, name := range h.StripHeaders {
		if err := checkStripped(name); err != nil {
			return err
		}
	}
	if h.Errors != "" && h.Errors != errorsCaddy {
		return fmt.Errorf("errors %q: expected caddy", h.Errors)
	}
	for category, level := range h.LogLevels {
		if err := make(levelSet).set(category, level); err != nil {
			return fmt.Errorf("log_levels: %w", err)
		}
	}
	return nil
}

// checkEnforcementOnly refuses, in a block without a provider, what only
// finding out who calls has a use for.
func (h *Handler) checkEnforcementOnly() error {
	for _, option := range []struct {
		name string
		set  bool
	}{
		{"token_source", len(h.TokenSources) > 0},
		{"forward_token", h.ForwardToken},
		{"public", len(h.Public) > 0},
		{"allow_anonymous", h.AllowAnonymous},
		{"allow_preflight", h.AllowPreflight},
		{"realm", h.Realm != ""},
		{"tenancy", h.Tenancy != nil},
		{"shared_principals", h.SharedPrincipals},
		{"base_path", h.BasePath != ""},
		{"identity_headers", h.IdentityHeaders != nil},
		{"strip_headers", len(h.StripHeaders) > 0},
		{"log_levels", len(h.LogLevels) > 0},
	} {
		if option.set {
			return fmt.Errorf("%s needs a provider: %w", option.name, errNoProvider)
		}
	}
	return nil
}

// checkRealm refuses what could end the header that the realm is written to.
func checkRealm(realm string) error {
	if strings.ContainsFunc(realm, unicode.IsControl) {
		return fmt.Errorf("realm %q has a control character", realm)
	}
	return nil
}

func checkBasePath(path string) error {
	if path == "" {
		return nil
	}
	if strings.Contains(path, "*") {
		return fmt.Errorf("base_path %q: expected a path such as /llm, which is for all that is below it, without a *", path)
	}
	canonical, err := abac.CanonicalPath(path)
	if err != nil || canonical != path || path == "/" {
		return fmt.Errorf("base_path %q: expected a path such as /llm, without a trailing slash", path)
	}
	return nil
}

func checkStripped(name string) error {
	bare := strings.TrimSuffix(name, "*")
	if bare == "" || strings.ContainsFunc(bare, func(c rune) bool { return !isHeaderChar(c) }) {
		return fmt.Errorf("strip_headers %q: expected the name of a header, or a prefix with a trailing *", name)
	}
	return nil
}

// warnAboutAccessLog names the log filter that a credential outside
// Authorization and Cookie needs: Caddy writes the request to its access log
// as it came, before any handler sees it, and hides those two only.
func (h *Handler) warnAboutAccessLog() {
	for _, s := range h.TokenSources {
		if filter := s.LogFilter(); filter != "" {
			h.log.of(categoryAuth).Warn("the access and error logs will show this credential, unless their format is a filter with these lines",
				zap.String("token_source", s.Source+" "+s.Name), zap.String("filter", filter))
		}
	}
}

// providerContext returns the context in which providers are loaded: they log
// under the category `providers`, and do as the block's compat says.
func providerContext(ctx caddy.Context, h *Handler) caddy.Context {
	ctx = providers.WithLogger(ctx, h.log.of(categoryProviders))
	if h.Compat == abac.CompatOGX {
		return providers.WithCompatOGX(ctx)
	}
	return ctx
}
