package ogximport

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// apiKeys writes the provider api_key for local_api_key. The key is the name of
// its caller in OGX, and would show wherever names do: it gets another.
func (im *importer) apiKeys(w *writer, v value, o *object) bool {
	list, there := o.get("api_keys")
	if !there || !list.isList() {
		im.refuse(v, "has no list of api_keys, which OGX does not start without")
		return false
	}
	if im.options.HashKey == nil {
		im.refuse(list, "cannot be hashed here")
		return false
	}
	// All first: none of them may show in what is said of another.
	for _, item := range list.items() {
		im.keep(item.target().Value)
	}
	im.names, im.named = map[string]string{}, map[string]bool{}
	written := 0
	for i, item := range list.items() {
		key, ok := im.known(item)
		if !ok {
			continue
		}
		im.keep(key)
		if _, again := im.names[key]; again {
			im.note(item, "is there twice")
			continue
		}
		hash, err := im.options.HashKey(key)
		if err != nil {
			im.refuse(item, "%v", err)
			continue
		}
		name := fmt.Sprintf("key-%d", i+1)
		im.names[key], im.named[name] = name, true
		im.note(item, "is called %s here: in OGX a caller is called as the key itself. What OGX has stored under the key stays there", name)
		if len(key) < guessableKey {
			im.note(item, "has fewer than %d characters and may be found from its hash by trying: make a new one (caddy stack-auth hash-key)", guessableKey)
		}
		w.open("key", hash, name)
		w.line("attribute", "roles", "admin", "owner")
		w.line("attribute", "teams", name)
		w.close()
		written++
	}
	return written > 0
}

const guessableKey = 32

// upstreamHeader writes an upstream_header.
func (im *importer) upstreamHeader(w *writer, v value, o *object) bool {
	principal, there := o.get("principal_header")
	if !there {
		im.refuse(v, "has no principal_header, which OGX does not start without")
		return false
	}
	name, ok := im.headerName(principal)
	if ok && name == "" {
		im.refuse(principal, "is empty, and OGX does not start without")
	}
	if !ok || name == "" {
		return false
	}
	w.line("principal_header", name)
	if attributes, there := o.get("attributes_header"); there && !attributes.isNull() {
		if name, ok := im.headerName(attributes); ok && name != "" {
			w.line("attributes_header", name)
		}
	}
	im.attributeHeaders(w, o)
	if tenant, there := o.get("tenant_header"); there && !tenant.isNull() {
		name, ok := im.headerName(tenant)
		switch {
		case strings.HasPrefix(im.tenancy, tenancySingle):
			im.note(tenant, "has no meaning with the tenancy single, which gives everybody its own tenant")
		case ok && name != "":
			w.line("tenant_header", name)
		}
	}
	return im.trustedProxies(w, v, o)
}

func (im *importer) attributeHeaders(w *writer, o *object) {
	headers, there := o.get("attribute_headers")
	if !there || headers.isNull() {
		return
	}
	m, ok := im.mapping(headers)
	if !ok {
		return
	}
	for _, header := range m.keys {
		child, _ := m.get(header)
		attribute, ok := im.known(child)
		if !ok {
			continue
		}
		if err := abac.CheckAttributeName(attribute); err != nil {
			im.refuse(child, "%v", err)
			continue
		}
		if !isHeaderName(header) {
			im.refuse(child, "%q is not the name of a header", header)
			continue
		}
		w.line("attribute_header", header, attribute)
	}
}

func (im *importer) headerName(v value) (string, bool) {
	text, ok := im.text(v)
	if !ok {
		return "", false
	}
	if parts := parseVariables(text); hasVariables(parts) {
		return im.word(v, parts)
	}
	if !isHeaderName(text) {
		im.refuse(v, "%q is not the name of a header", text)
		return "", false
	}
	return text, true
}

// isHeaderName leaves out what RFC 9110 allows and a Caddyfile reads otherwise;
// no header has such a name.
func isHeaderName(text string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
	return text != "" && strings.Trim(text, allowed) == ""
}

// trustedProxies writes who may send the headers. Without it OGX believes
// anybody, which is never carried over.
func (im *importer) trustedProxies(w *writer, v value, o *object) bool {
	list, there := o.get("trusted_proxy_cidrs")
	if !there || list.isNull() {
		im.refuse(v, "has no trusted_proxy_cidrs: OGX believes the headers of anybody who can reach it. "+
			"Say which proxies send them, trusted_proxy_cidrs: [10.0.0.0/8], and import once more")
		return false
	}
	if !list.isList() || len(list.items()) == 0 {
		im.refuse(list, "expected a list of at least one network")
		return false
	}
	networks := []string{"trusted_proxies"}
	for _, item := range list.items() {
		text, ok := im.known(item)
		if !ok {
			continue
		}
		network, err := parseNetwork(text)
		if err != nil {
			im.refuse(item, "%q is no network such as 10.0.0.0/8", text)
			continue
		}
		networks = append(networks, network.String())
	}
	if len(networks) == 1 {
		return false
	}
	w.line(networks...)
	im.note(list, "is about who opened the connection, here; X-Forwarded-For never counts")
	return true
}

// parseNetwork reads a network as Python's ipaddress does, host bits included.
func parseNetwork(text string) (netip.Prefix, error) {
	host, mask, found := strings.Cut(text, "/")
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("no address")
	}
	if !found {
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	if dotted, err := netip.ParseAddr(mask); err == nil && ip.Is4() && dotted.Is4() {
		bits, err := bitsOf(dotted)
		return netip.PrefixFrom(ip, bits).Masked(), err
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}

// bitsOf returns the length of a netmask, 255.255.0.0.
func bitsOf(mask netip.Addr) (int, error) {
	b := mask.As4()
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	bits := 0
	for n&(1<<31) != 0 {
		bits++
		n <<= 1
	}
	if n != 0 {
		return 0, fmt.Errorf("no netmask")
	}
	return bits, nil
}
