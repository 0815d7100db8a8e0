package discovery

import (
	"strings"
	"testing"
)

func documentOf(issuer, endpoint string) *Document {
	return &Document{issuer: issuer, members: map[string]any{"e": endpoint}}
}

// The issuer was checked when it was configured; should it not have been, no
// address is of its origin.
func TestNoAddressIsOfTheOriginOfAnIssuerThatIsNone(t *testing.T) {
	_, err := documentOf("http://%zz", "http://a/jwks").Endpoint("e", "option")
	if err == nil || !strings.Contains(err.Error(), "parsing issuer") {
		t.Errorf("error is %v", err)
	}
}

func TestHostsAreComparedInAnyCase(t *testing.T) {
	address := "https://idp.EXAMPLE/jwks"
	if got, err := documentOf("https://IdP.example", address).Endpoint("e", "option"); err != nil || got != address {
		t.Errorf("%q, %v", got, err)
	}
	for _, other := range []string{"https://idp.example:8443/jwks", "https://idp.example.evil/jwks", "https://evil@idp.example/jwks", "/jwks", ""} {
		if _, err := documentOf("https://IdP.example", other).Endpoint("e", "option"); err == nil {
			t.Errorf("%s is of the same origin", other)
		}
	}
}
