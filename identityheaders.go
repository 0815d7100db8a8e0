package stackauth

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"unicode"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

const (
	defaultPrincipalHeader  = "X-Auth-User-Id"
	defaultAttributesHeader = "X-Auth-Attributes"
	tenantHeader            = "X-Tenant-Id" // OGX's; removed from requests always

	defaultMaxIdentity = 32 << 10

	formatJSON = "json"
	formatCSV  = "csv"
)

// IdentityHeaders says how the stack is told who calls. Whatever the caller
// sends under these names is removed first.
type IdentityHeaders struct {
	// Sends no identity. What callers send under the default names is removed
	// all the same.
	Off bool `json:"off,omitempty"`

	// The header for the principal, as UTF-8. Default: X-Auth-User-Id.
	Principal string `json:"principal,omitempty"`

	// The header for all attributes, as a JSON object of lists in ASCII; `{}`
	// without any. Default: X-Auth-Attributes.
	Attributes string `json:"attributes,omitempty"`

	// Headers for single attributes.
	Attribute []AttributeHeader `json:"attribute,omitempty"`

	// The header for the tenant; not sent for a caller without one. Default:
	// none.
	Tenant string `json:"tenant,omitempty"`

	// The most that all of them may have together, in bytes. A caller with
	// more is refused with 403, for a list that is cut off could be one that
	// no longer has what a forbid rule looks for. Default: 32 KiB.
	MaxSize int64 `json:"max_size,omitempty"`
}

// AttributeHeader is a header that holds one attribute.
type AttributeHeader struct {
	// The attribute.
	Attribute string `json:"attribute"`

	// The header.
	Header string `json:"header"`

	// json (default): a list, as OGX's `attribute_headers` reads it; `[]`
	// without values. csv: joined by commas, not sent without values; a value
	// that cannot be told apart in it is refused with 403.
	Format string `json:"format,omitempty"`
}

// targets are the headers that are set.
func (c *IdentityHeaders) targets() []string {
	if c == nil {
		return []string{defaultPrincipalHeader, defaultAttributesHeader}
	}
	if c.Off {
		return nil
	}
	list := []string{orDefault(c.Principal, defaultPrincipalHeader), orDefault(c.Attributes, defaultAttributesHeader)}
	for _, a := range c.Attribute {
		list = append(list, a.Header)
	}
	if c.Tenant != "" {
		list = append(list, c.Tenant)
	}
	return list
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (c *IdentityHeaders) check() error {
	if c == nil {
		return nil
	}
	if c.Off && (c.Principal != "" || c.Attributes != "" || len(c.Attribute) > 0 || c.Tenant != "" || c.MaxSize != 0) {
		return fmt.Errorf("identity_headers: off and a header contradict each other")
	}
	if c.MaxSize < 0 {
		return fmt.Errorf("identity_headers: max_size %d: expected more than zero", c.MaxSize)
	}
	for _, a := range c.Attribute {
		if err := a.check(); err != nil {
			return err
		}
	}
	taken := make(map[string]string)
	for _, target := range c.targets() {
		if err := checkTarget(target); err != nil {
			return err
		}
		folded := providers.FoldHeader(target)
		if other, there := taken[folded]; there {
			return fmt.Errorf("identity_headers: %s and %s are one header to some servers", other, target)
		}
		taken[folded] = target
	}
	return nil
}

func (a AttributeHeader) check() error {
	if err := abac.CheckAttributeName(a.Attribute); err != nil {
		return fmt.Errorf("identity_headers: %w", err)
	}
	if a.Format != "" && a.Format != formatJSON && a.Format != formatCSV {
		return fmt.Errorf("identity_headers: attribute %s: format %q: expected json or csv", a.Attribute, a.Format)
	}
	return nil
}

// reservedTargets mean something to HTTP itself.
var reservedTargets = []string{
	"host", "authorization", "proxy-authorization", "connection", "keep-alive", "proxy-connection",
	"te", "trailer", "transfer-encoding", "upgrade", "cookie", "expect", "range",
}

func checkTarget(name string) error {
	if name == "" || strings.ContainsFunc(name, func(c rune) bool { return !isHeaderChar(c) }) {
		return fmt.Errorf("identity_headers: %q is not the name of a header", name)
	}
	folded := providers.FoldHeader(name)
	if slices.Contains(reservedTargets, folded) || strings.HasPrefix(folded, "content-") {
		return fmt.Errorf("identity_headers: header %s means something else to HTTP", name)
	}
	return nil
}

func isHeaderChar(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// identityWriter writes the headers. All names are in canonical form.
type identityWriter struct {
	off        bool
	principal  string
	attributes string
	tenant     string
	single     []AttributeHeader
	maxSize    int
}

func newIdentityWriter(c *IdentityHeaders) *identityWriter {
	if c == nil {
		c = new(IdentityHeaders)
	}
	w := &identityWriter{
		off:        c.Off,
		principal:  textproto.CanonicalMIMEHeaderKey(orDefault(c.Principal, defaultPrincipalHeader)),
		attributes: textproto.CanonicalMIMEHeaderKey(orDefault(c.Attributes, defaultAttributesHeader)),
		tenant:     textproto.CanonicalMIMEHeaderKey(c.Tenant),
		maxSize:    defaultMaxIdentity,
	}
	if c.MaxSize > 0 {
		w.maxSize = int(c.MaxSize)
	}
	for _, a := range c.Attribute {
		a.Header = textproto.CanonicalMIMEHeaderKey(a.Header)
		w.single = append(w.single, a)
	}
	return w
}

// write sets the headers for the user; none for nobody. Each of them has a
// slice of its own: Caddy's header operations change values in place.
func (w *identityWriter) write(h http.Header, u *abac.User) *refusal {
	if w.off || u == nil {
		return nil
	}
	values := [...]string{u.Principal, u.Attributes.JSON()}
	h[w.principal], h[w.attributes] = values[0:1:1], values[1:2:2]
	size := len(w.principal) + len(u.Principal) + len(w.attributes) + len(u.Attributes.JSON())
	if w.tenant != "" && u.Tenant != "" {
		h[w.tenant] = []string{u.Tenant}
		size += len(w.tenant) + len(u.Tenant)
	}
	for _, a := range w.single {
		value, ok := a.encode(u.Attributes.Values(a.Attribute))
		if !ok {
			w.remove(h)
			return identityUnencodable.because("attribute " + a.Attribute + " has a value that csv cannot hold")
		}
		if value != "" {
			h[a.Header] = []string{value}
			size += len(a.Header) + len(value)
		}
	}
	if size > w.maxSize {
		w.remove(h)
		return identityTooLarge.because(fmt.Sprintf("identity headers have %d bytes, more than %d", size, w.maxSize))
	}
	return nil
}

func (w *identityWriter) remove(h http.Header) {
	if w.off {
		return
	}
	delete(h, w.principal)
	delete(h, w.attributes)
	delete(h, w.tenant)
	for _, a := range w.single {
		delete(h, a.Header)
	}
}

// encode returns the value of the header, empty for none, and whether it says
// what the values say.
func (a AttributeHeader) encode(values []string) (string, bool) {
	if a.Format != formatCSV {
		return string(abac.AppendList(nil, values)), true
	}
	for _, v := range values {
		if v == "" || strings.TrimSpace(v) != v || strings.ContainsAny(v, `,"'[]{}()<>`) ||
			strings.ContainsFunc(v, unicode.IsControl) {
			return "", false
		}
	}
	return strings.Join(values, ","), true
}
