package ogximport

import "errors"

// errLineStart is about import, and about backquotes, which `caddy fmt` takes
// for the end of the line before.
var errLineStart = errors.New("a line of a Caddyfile cannot begin with such a name")

// importProvider reads provider_config, or the forms that were before it.
func (im *importer) importProvider(v value, auth *object) {
	config, there := auth.get("provider_config")
	if there && !config.isNull() {
		if o, ok := im.mapping(config); ok {
			im.importTyped(config, o)
		}
		return
	}
	if endpoint, there := auth.get("endpoint"); there { // March 2025
		im.age = age{first: true}
		im.writeProvider("custom", func(w *writer) bool {
			return im.endpoint(w, endpoint) && im.checkTenants(endpoint, false)
		})
		return
	}
	kind, there := auth.get("provider_type") // to July 2025
	if !there {
		im.refuse(v, "there is no provider_config: OGX takes all callers without credentials. A block needs a provider; "+
			"without one it only enforces what stands further out, and answers 401 where nobody is known")
		return
	}
	im.age = age{first: true}
	config, there = auth.get("config")
	if !there {
		im.refuse(v, "provider_type without config")
		return
	}
	o, ok := im.mapping(config)
	if !ok {
		return
	}
	if name, ok := im.providerType(kind); ok {
		im.importNamed(kind, config, name, o)
	}
}

func (im *importer) importTyped(v value, o *object) {
	kind, there := o.get("type")
	if !there {
		im.refuse(v, "has no type")
		return
	}
	if name, ok := im.providerType(kind); ok {
		im.importNamed(kind, v, name, o)
	}
}

// providerType returns the type. One that is there only if a variable is set
// turns authentication off otherwise; here it always is on.
func (im *importer) providerType(v value) (string, bool) {
	text, ok := im.text(v)
	if !ok {
		return "", false
	}
	parts := parseVariables(text)
	if !hasVariables(parts) {
		return text, im.checkLiteral(v, text)
	}
	if im.options.Env != nil {
		name, ok := im.fill(v, parts)
		if ok && name == "" {
			im.refuse(v, "is empty with these variables: OGX lets everybody in, and there is nothing to carry over")
			return "", false
		}
		return name, ok
	}
	p := parts[0]
	switch {
	case len(parts) > 1 || p.op == 0 || p.word == "":
		im.refuse(v, "depends on the variable %s: name a file with it (--envfile)", p.name)
		return "", false
	case p.op == '+':
		im.note(v, "is off in OGX where the variable %s is not set: everybody gets in there. Here it always is on; "+
			"leave the block out where it must not be", p.name)
	default:
		im.note(v, "may be another in OGX, with the variable %s; here it is %s", p.name, p.word)
	}
	return p.word, true
}

// importNamed writes the provider of a type.
func (im *importer) importNamed(kind, v value, name string, o *object) {
	types := map[string]struct {
		ours   string
		write  func(w *writer, v value, o *object) bool
		yields string // the key of the tenant; empty: none
	}{
		"oauth2_token":    {"oauth2_token", im.oauth2, "tenant_claim"},
		"custom":          {"custom", im.custom, "tenant_field"},
		"github_token":    {"github_token", im.github, ""},
		"kubernetes":      {"kubernetes", im.kubernetes, "tenant_claim"},
		"upstream_header": {"upstream_header", im.upstreamHeader, "tenant_header"},
		"local_api_key":   {"api_key", im.apiKeys, ""},
	}
	t, known := types[name]
	if !known {
		im.refuse(kind, "%q is no type of provider that OGX or Llama Stack ever had", name)
		return
	}
	im.writeProvider(t.ours, func(w *writer) bool {
		complete := t.write(w, v, o)
		tenant, there := o.values[t.yields]
		return complete && im.checkTenants(kind, there && !isEmpty(tenant))
	})
	im.unknown(o, "a provider "+name)
}

// writeProvider writes a provider if all of it can be had. A part of one may
// know somebody as somebody else, or without what a forbid is about; a block
// without a provider answers 401.
func (im *importer) writeProvider(name string, write func(w *writer) bool) {
	before := len(im.refusals)
	var w writer
	w.indent = 1
	if complete := write(&w); !complete || len(im.refusals) > before || im.tenancyRefused {
		return
	}
	w.indent = 0
	inside := w.String()
	w = writer{}
	w.open("provider", name)
	w.b.WriteString(inside)
	w.close()
	im.provider, im.hasOne = w, true
}
