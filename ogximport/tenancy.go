package ogximport

import (
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// The modes of server.tenancy.
const (
	tenancyDisabled = "disabled"
	tenancySingle   = "single"
	tenancyMulti    = "multi"
)

func (im *importer) importTenancy(v value) {
	before := len(im.refusals)
	defer func() { im.tenancyRefused = len(im.refusals) > before }()
	t, ok := im.mapping(v)
	if !ok {
		return
	}
	mode := tenancyDisabled
	if m, there := t.get("mode"); there {
		if mode, ok = im.known(m); !ok {
			return
		}
		if mode != tenancyDisabled && mode != tenancySingle && mode != tenancyMulti {
			im.refuse(m, "%q: OGX knows disabled, single and multi", mode)
			return
		}
	}
	id, named := t.get("default_tenant_id")
	named = named && !id.isNull()
	switch {
	case mode == tenancySingle && !named:
		im.refuse(v, "single without default_tenant_id, which OGX does not start with")
	case mode == tenancySingle:
		im.importTenant(id)
	case named:
		im.note(id, "has no meaning with the mode %s, in OGX either", mode)
	}
	if mode == tenancyMulti {
		im.tenancy = tenancyMulti
	}
	im.unknown(t, "server.tenancy")
}

func (im *importer) importTenant(v value) {
	text, ok := im.text(v)
	if !ok {
		return
	}
	if parts := parseVariables(text); hasVariables(parts) {
		token, ok := im.word(v, parts)
		if ok && token == "" {
			im.refuse(v, "is empty, and OGX does not start without")
		} else if ok {
			im.tenancy = tenancySingle + " " + token
		}
		return
	}
	tenant, err := abac.ParseTenant(text)
	if err != nil {
		im.refuse(v, "%v", err)
		return
	}
	im.tenancy = tenancySingle + " " + tenant
}

// word returns the token of a text with variables for an option that takes no
// placeholders: {$NAME}, which Caddy replaces when it reads the file. Without a
// value the token is missing, and Caddy does not load the file.
func (im *importer) word(v value, parts []part) (string, bool) {
	if im.options.Env != nil {
		text, ok := im.fill(v, parts)
		if !ok {
			return "", false
		}
		if text == "" { // absent, to OGX
			return "", true
		}
		token, err := quote(text)
		if err != nil {
			im.refuse(v, "%v", err)
			return "", false
		}
		return token, true
	}
	if len(parts) != 1 || parts[0].op == '+' || parts[0].op == '=' && parts[0].word == "" {
		im.refuse(v, "depends on variables: they have to be known here, name a file with them (--envfile)")
		return "", false
	}
	if parts[0].op == '=' {
		return im.withDefault(v, parts[0], "")
	}
	return "{$" + parts[0].name + "}", true
}

// checkTenants refuses a provider that tells no tenant where everybody needs
// one. OGX starts with it and refuses everybody; the gateway does not start.
func (im *importer) checkTenants(v value, yields bool) bool {
	if im.tenancy == tenancyMulti && !yields {
		im.refuse(v, "tells no tenant, and with the tenancy multi nobody gets in without one: OGX answers 401 to everybody")
		return false
	}
	return true
}

// tenantClaim writes where the tenant is. To OGX it is a name, and not a path,
// except for Kubernetes.
func (im *importer) tenantClaim(w *writer, v value, isPath bool) {
	if v.isNull() {
		return
	}
	text, ok := im.text(v)
	if !ok {
		return
	}
	if strings.HasPrefix(im.tenancy, tenancySingle) {
		im.note(v, "has no meaning with the tenancy single, which gives everybody its own tenant")
		return
	}
	if parts := parseVariables(text); hasVariables(parts) {
		if token, ok := im.word(v, parts); ok && token != "" {
			im.note(v, "must name a claim without a dot, where the variable is set otherwise")
			w.line("tenant_claim", token)
		}
		return
	}
	if text == "" { // OGX looks for none
		im.note(v, "is empty: OGX takes nobody to have a tenant")
		return
	}
	if !isPath {
		if strings.Contains(text, `\`) {
			im.refuse(v, "has a backslash in the name of a claim")
			return
		}
		text = strings.ReplaceAll(text, ".", `\.`)
	}
	token, err := quote(text)
	if err != nil {
		im.refuse(v, "%v", err)
		return
	}
	w.line("tenant_claim", token)
}
