package ogximport

import (
	"net/url"
	"strings"
)

// oauth2 writes an oauth2_token.
func (im *importer) oauth2(w *writer, v value, o *object) bool {
	jwks, hasKeys := o.get("jwks")
	hasKeys = hasKeys && !jwks.isNull()
	introspection, asks := o.get("introspection")
	asks = asks && !introspection.isNull()
	// The very first form, of May 2025, had no jwks.
	uri, flat := value{}, false
	if im.age.first {
		uri, flat = o.get("jwks_uri")
	}
	switch {
	case asks && (hasKeys || flat):
		im.refuse(v, "has jwks and introspection, which OGX does not start with")
		return false
	case !asks && !hasKeys && !flat:
		im.refuse(v, "has neither jwks nor introspection, which OGX does not start with")
		return false
	}
	plain := false
	complete := im.issuer(w, v, o, asks, &plain)
	complete = im.audience(w, v, o, asks) && complete
	switch {
	case asks:
		complete = im.introspection(w, introspection, &plain) && complete
	case flat:
		complete = im.jwks(w, uri, o, &plain) && complete
	default:
		if keys, ok := im.mapping(jwks); ok {
			address, there := keys.get("uri")
			if !there {
				im.refuse(jwks, "has no uri, which OGX does not start without")
				return false
			}
			complete = im.jwks(w, address, keys, &plain) && complete
			im.unknown(keys, "jwks")
		} else {
			return false
		}
	}
	if tenant, there := o.get("tenant_claim"); there {
		im.tenantClaim(w, tenant, false)
	}
	im.mappingLines(w, o)
	im.transport(o).write(w, plain)
	return complete
}

func (im *importer) issuer(w *writer, v value, o *object, asks bool, plain *bool) bool {
	issuer, there := o.get("issuer")
	if there {
		token, present, ok := im.option(issuer)
		if !ok {
			return false
		}
		if present {
			if !im.checkIssuer(issuer, plain) {
				return false
			}
			w.line("issuer", token)
			if asks {
				im.note(issuer, "is not looked at by OGX with introspection; here it must be in the answer, if that has an iss")
			}
			return true
		}
	}
	if !asks {
		im.note(v, "has no issuer, so that OGX takes a token with any (skip_issuer_check): name the issuer, if all tokens come from one")
		w.line("skip_issuer_check")
	}
	return true
}

// checkIssuer refuses an issuer that is no address, as it is any text to OGX.
// Nothing is asked there: the file names where the keys are.
func (im *importer) checkIssuer(v value, plain *bool) bool {
	likely, open := withDefaults(v.target().Value)
	if open {
		return true
	}
	if strings.Contains(likely, "@") {
		im.keep(likely)
		im.refuse(v, "an address with an @, in front of which a secret may be: it is not copied")
		return false
	}
	u, err := url.Parse(likely)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || strings.ContainsAny(likely, "#?") {
		im.refuse(v, "%q is no address with http or https, which an issuer has to be here", likely)
		return false
	}
	*plain = *plain || u.Scheme == "http" && !isLoopback(u.Hostname())
	return true
}

// audience writes the audience. With introspection OGX does not look at it: what
// the file does not name is not looked at here either.
func (im *importer) audience(w *writer, v value, o *object, asks bool) bool {
	if audience, there := o.get("audience"); there {
		token, present, ok := im.option(audience)
		if ok && !present {
			im.refuse(audience, "is empty, which OGX does not start with")
		}
		if !ok || !present {
			return false
		}
		w.line("audience", token)
		if asks {
			im.note(audience, "is not looked at by OGX with introspection; here it must be in the answer, if that has an aud")
		}
		return true
	}
	if asks {
		im.note(v, "has introspection, with which OGX looks at no audience (skip_audience_check): name the audience, if the answers have one")
		w.line("skip_audience_check")
		return true
	}
	name := "ogx"
	if im.age.first || !im.age.renamed {
		name = "llama-stack"
	}
	im.note(v, "has no audience: that is %s for a file like this one. OGX has ogx, Llama Stack, before it was renamed, llama-stack", name)
	w.line("audience", name)
	return true
}

func (im *importer) jwks(w *writer, uri value, o *object, plain *bool) bool {
	a, ok := im.address(uri, false)
	if !ok {
		return false
	}
	*plain = *plain || a.plain
	w.open("jwks")
	defer w.close()
	w.line("uri", a.token)
	complete := true
	if v, there := o.get("token"); there {
		token, present, ok := im.secret(v, "STACK_AUTH_JWKS_TOKEN")
		if present {
			w.line("token", token)
		}
		complete = ok
	}
	period, there := o.get("key_recheck_period")
	if !there {
		period, there = o.get("cache_ttl")
	}
	if there && !period.isNull() {
		if seconds, ok := im.seconds(period); ok {
			w.line("key_recheck_period", seconds+"s")
		}
	}
	return complete
}

func (im *importer) introspection(w *writer, v value, plain *bool) bool {
	o, ok := im.mapping(v)
	if !ok {
		return false
	}
	uri, there := o.get("url")
	if !there {
		im.refuse(v, "has no url, which OGX does not start without")
		return false
	}
	a, ok := im.address(uri, false)
	if !ok {
		return false
	}
	*plain = *plain || a.plain
	w.open("introspection")
	defer w.close()
	w.line("url", a.token)
	complete := true
	for _, key := range []string{"client_id", "client_secret"} {
		field, there := o.get(key)
		if !there {
			im.refuse(v, "has no %s, which OGX does not start without", key)
			complete = false
			continue
		}
		token, present, ok := im.credential(key, field)
		switch {
		case !ok:
			complete = false
		case !present:
			im.refuse(field, "is empty")
			complete = false
		default:
			w.line(key, token)
		}
	}
	if body, there := o.get("send_secret_in_body"); there {
		if on, ok := im.flag(body); ok && on {
			w.line("send_secret_in_body")
		}
	}
	im.unknown(o, "introspection")
	return complete
}

func (im *importer) credential(key string, v value) (token string, present, ok bool) {
	if key == "client_secret" {
		return im.secret(v, "STACK_AUTH_CLIENT_SECRET")
	}
	return im.option(v)
}
