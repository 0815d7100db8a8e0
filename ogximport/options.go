package ogximport

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// option returns the token of an option that takes placeholders; present is
// false if OGX takes the key for absent.
func (im *importer) option(v value) (token string, present, ok bool) {
	if v.isNull() {
		return "", false, true
	}
	text, ok := im.text(v)
	if !ok {
		return "", false, false
	}
	if parts := parseVariables(text); hasVariables(parts) {
		return im.placeholder(v, parts, "")
	}
	if !im.checkLiteral(v, text) {
		return "", false, false
	}
	token, err := quote(text)
	if err != nil {
		im.refuse(v, "%v", err)
		return "", false, false
	}
	return token, true, true
}

// secret returns the token of a secret, which is never copied: where it stands
// in the file, a variable of the given name stands for it.
func (im *importer) secret(v value, name string) (token string, present, ok bool) {
	if v.isNull() {
		return "", false, true
	}
	n := v.target()
	im.keep(n.Value)
	text, ok := im.text(v)
	if !ok {
		return "", false, false
	}
	if parts := parseVariables(text); hasVariables(parts) {
		im.secrets = im.secrets[:len(im.secrets)-1]
		for _, p := range parts {
			if p.name == "" {
				im.keep(p.literal)
				im.refuse(v, "a part of a secret beside a variable: put all of it into the variable")
				return "", false, false
			}
			im.keep(p.word)
			if p.op == '+' && p.word != "" {
				im.refuse(v, "is a secret that a variable turns on: put the secret into the variable itself")
				return "", false, false
			}
		}
		return im.placeholder(v, parts, name)
	}
	im.note(v, "is a secret, which is not copied: set the variable %s to it", name)
	return "{env." + name + "}", true, true
}

// address is the token of an address.
type address struct {
	token string
	plain bool // http, and not to this machine
}

// address returns an address, which OGX takes with http, too. Credentials in it
// are refused unseen.
func (im *importer) address(v value, base bool) (a address, ok bool) {
	text, ok := im.text(v)
	if !ok {
		return a, false
	}
	likely, open := withDefaults(text)
	if strings.Contains(likely, "@") {
		im.keep(text)
		im.refuse(v, "an address with an @, in front of which a secret may be: it is not copied")
		return a, false
	}
	if _, query, has := strings.Cut(likely, "?"); has {
		im.keep(query)
		im.keep(text)
		im.refuse(v, "an address with a query, in which a secret may be: it is not copied. Put the address into a variable, ${env.NAME}")
		return a, false
	}
	if !open {
		u, err := url.Parse(likely)
		if err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || u.Fragment != "" ||
			base && strings.Contains(likely, "#") {
			im.refuse(v, "%q is not an address with http or https, a host, and no more than a path", likely)
			return a, false
		}
		a.plain = u.Scheme == "http" && !isLoopback(u.Hostname())
	} else {
		a.plain = strings.HasPrefix(likely, "http://")
	}
	var present bool
	if a.token, present, ok = im.option(v); ok && !present {
		im.refuse(v, "is empty, and OGX cannot do without")
		return a, false
	}
	if ok && a.plain {
		im.note(v, "is without TLS (allow_http): whoever is on the way reads the tokens of all callers")
	}
	return a, ok
}

// withDefaults returns a text with the defaults of its variables, and whether one
// may be anything.
func withDefaults(text string) (likely string, open bool) {
	for _, p := range parseVariables(text) {
		likely += p.literal
		if p.op == '=' {
			likely += p.word
		}
		open = open || p.name != "" && (p.op != '=' || p.word == "")
	}
	return likely, open
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// transport are the options about TLS.
type transport struct{ lines []string }

func (im *importer) transport(o *object) transport {
	var t transport
	verify := true
	if v, there := o.get("verify_tls"); there {
		verify = im.verifies(v)
	}
	ca, there := o.get("tls_cafile")
	if !there {
		ca, there = o.get("ca_cert_path")
	}
	if !verify {
		t.lines = append(t.lines, "tls_insecure_skip_verify")
	}
	if !there || ca.isNull() {
		return t
	}
	if !verify {
		im.note(ca, "has no meaning with verify_tls: false, in OGX either")
		return t
	}
	text, ok := im.text(ca)
	if !ok {
		return t
	}
	var token string
	if parts := parseVariables(text); hasVariables(parts) {
		token, ok = im.word(ca, parts)
	} else if token, _, ok = im.option(ca); ok && strings.HasPrefix(text, "~") {
		im.refuse(ca, "is in a home folder: write the whole path")
		return t
	}
	if ok && token != "" {
		t.lines = append(t.lines, "tls_trust_pool file "+token)
	}
	return t
}

// verifies reads verify_tls. Where it depends on a variable that is not known,
// certificates are verified: that lets in nobody else.
func (im *importer) verifies(v value) bool {
	n := v.target()
	if parts := parseVariables(n.Value); im.options.Env == nil && hasVariables(parts) {
		im.note(v, "depends on a variable: certificates are verified, whatever it says")
		return true
	}
	on, ok := im.flag(v)
	if ok && !on {
		im.note(v, "is off: whoever is on the way can judge every token")
	}
	return on || !ok
}

func (t transport) write(w *writer, plain bool) {
	if len(t.lines) > 0 {
		w.open("transport", "http")
		for _, line := range t.lines {
			w.line(line)
		}
		w.close()
	}
	if plain {
		w.line("allow_http")
	}
}

// mappingLines writes claims_mapping, the default one where the file has none:
// compat ogx leaves that to the provider.
func (im *importer) mappingLines(w *writer, o *object) {
	v, there := o.get("claims_mapping")
	if !there {
		return
	}
	m, ok := im.mapping(v)
	if !ok {
		return
	}
	w.open("claims_mapping")
	spelt := map[string]string{}
	for _, claim := range m.keys {
		child, _ := m.get(claim)
		attribute, ok := im.known(child)
		if !ok {
			continue
		}
		plain := strings.ReplaceAll(claim, `\.`, ".")
		if before, again := spelt[plain]; again {
			im.refuse(child, "is one claim with %s under two spellings: in OGX their values leak from one attribute into the other", before)
		}
		spelt[plain] = claim
		if err := abac.CheckAttributeName(attribute); err != nil {
			im.refuse(child, "%v", err)
			continue
		}
		token, err := quote(claim)
		if err == nil && (claim == "import" || token[0] == '`') {
			err = errLineStart
		}
		if err != nil {
			im.refuse(child, "%v", err)
			continue
		}
		w.line(token, attribute)
	}
	w.close()
}
