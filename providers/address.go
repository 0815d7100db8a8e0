package providers

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// CheckAddress returns an error unless the value of an option, as it is written,
// is an absolute https URL without credentials; plain http only to this machine,
// or where it is allowed. Of one with placeholders it checks those, and
// ExpandAddress the rest. Empty is no error.
func CheckAddress(option, value string, allowHTTP bool) error {
	if err := CheckPlaceholders(option, value); err != nil {
		return err
	}
	if value == "" || HasPlaceholder(value) {
		return nil
	}
	return checkAddress(option, value, allowHTTP)
}

// ExpandAddress returns the value of an option with its placeholders resolved,
// as Expand does, or an error unless it is then what CheckAddress wants.
func ExpandAddress(option, written string, allowHTTP bool) (string, error) {
	address, err := Expand(option, written)
	if err != nil || address == "" {
		return "", err
	}
	if HasPlaceholder(written) {
		return address, checkExpanded(option, written, address, allowHTTP)
	}
	return address, checkAddress(option, address, allowHTTP)
}

// checkExpanded checks an address that a placeholder gave. Its error has the
// placeholder and not the value, which may be somebody's secret by mistake.
func checkExpanded(option, written, value string, allowHTTP bool) error {
	if checkAddress(option, value, allowHTTP) != nil {
		return fmt.Errorf("%s %s: expected it to give an absolute https URL without credentials (plain http needs allow_http)", option, written)
	}
	return nil
}

// checkAddress returns an error unless value is an absolute http or https URL
// without credentials; plain http only to this machine, or where it is allowed.
func checkAddress(option, value string, allowHTTP bool) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%s %q: expected an absolute https URL", option, withoutSecrets(value))
	}
	if u.User != nil || strings.Contains(value, "#") {
		return fmt.Errorf("%s: expected a URL without credentials and fragment", option)
	}
	if u.Scheme == "http" && !allowHTTP && !isLoopback(u) {
		return fmt.Errorf("%s %q: expected https (plain http needs allow_http)", option, withoutSecrets(value))
	}
	return nil
}

// withoutSecrets cuts off an address where a secret may be: its query, and what
// is in front of an @, whether it is an address or not.
func withoutSecrets(address string) string {
	address, _, _ = strings.Cut(address, "?")
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		address = "…" + address[i:]
	}
	return address
}

// isLoopback reports whether the URL's host is this machine.
func isLoopback(u *url.URL) bool {
	if strings.EqualFold(u.Hostname(), "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}
