package stackauth

import (
	"errors"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// checkAccessPolicy finds what is wrong with the resource policy as it is
// written.
func (h *Handler) checkAccessPolicy() error {
	_, err := h.accessPolicy()
	return err
}

// accessPolicy compiles the resource policy; without rules, the default one.
func (h *Handler) accessPolicy() (*abac.Policy, error) {
	if err := h.checkOwnerMatch(); err != nil {
		return nil, err
	}
	return abac.NewPolicy(h.AccessPolicy, abac.Options{Compat: h.Compat, OwnerMatch: h.OwnerMatch})
}

func (h *Handler) checkOwnerMatch() error {
	if h.Compat == abac.CompatOGX && h.OwnerMatch != "" {
		return errors.New("owner_match has no meaning with compat ogx, which has its own")
	}
	return nil
}

// warnAboutAccessPolicy says at load what is easily taken for more than it is.
func (h *Handler) warnAboutAccessPolicy() {
	log := h.log.of(categoryPolicy)
	if len(h.AccessPolicy) > 0 || h.OwnerMatch != "" {
		log.Warn("access_policy is not enforced by the gateway: it decides in `caddy stack-auth explain` and `test` only")
	}
	if h.Compat == abac.CompatOGX {
		log.Warn("compat ogx: with its default policy, anybody does anything with what nobody owns, " +
			"and whoever has one role in common with the owner is an owner")
	}
}
