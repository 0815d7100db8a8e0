package providers

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// guest is a provider of somebody else's that takes down which options come to it.
type guest struct {
	Common
	own, shared []string
}

func (g *guest) unmarshalOption(d *caddyfile.Dispenser) error {
	g.own = append(g.own, strings.Join(append([]string{d.Val()}, d.RemainingArgs()...), " "))
	if strings.HasPrefix(d.Val(), "bad") {
		return d.Errf("own: %s", d.Val())
	}
	return nil
}

// unmarshalShared knows what begins with `shared`.
func (g *guest) unmarshalShared(d *caddyfile.Dispenser) (bool, error) {
	if !strings.HasPrefix(d.Val(), "shared") {
		return false, nil
	}
	g.shared = append(g.shared, d.Val())
	if d.NextArg() {
		return true, d.ArgErr()
	}
	return true, nil
}

func TestAnOptionIsReadByTheFirstThatKnowsIt(t *testing.T) {
	g := new(guest)
	again := func(d *caddyfile.Dispenser) (bool, error) {
		if d.Val() == "shared" || d.Val() == "principal_prefix" {
			t.Errorf("%s is shown to more than one", d.Val())
		}
		return d.Val() == "last", nil
	}
	d := caddyfile.NewTestDispenser("guest joe {\nmine a b\nprincipal_prefix p:\nshared\nlast\ntenant_claim org\nother\n}")
	if err := g.UnmarshalBlock(d, g.unmarshalOption, g.unmarshalShared, again); err != nil {
		t.Fatal(err)
	}
	if g.Name != "joe" || g.PrincipalPrefix != "p:" || g.TenantClaim != "org" {
		t.Errorf("name %q, prefix %q, tenant %q", g.Name, g.PrincipalPrefix, g.TenantClaim)
	}
	if !slices.Equal(g.own, []string{"mine a b", "other"}) || !slices.Equal(g.shared, []string{"shared"}) {
		t.Errorf("its own are %q, the shared %q", g.own, g.shared)
	}
}

func TestABlockIsReadUntilTheFirstMistake(t *testing.T) {
	for block, want := range map[string]string{
		"guest A {\nmine\n}":                       `provider name "A": expected 1 to 64 of a-z, 0-9, _ and -, at Testfile:1`,
		"guest {\ntenant_claim\nmine\n}":           "wrong argument count or unexpected line ending after 'tenant_claim', at Testfile:2",
		"guest {\nshared x\nmine\n}":               "wrong argument count or unexpected line ending after 'x', at Testfile:2",
		"guest {\nshared\nbad\nmine\n}":            "own: bad, at Testfile:3",
		"guest {\nbroken\nmine\n}":                 "not known, and broken",
		"guest {\nprincipal_prefix a\nshared x\n}": "wrong argument count or unexpected line ending after 'x', at Testfile:3",
	} {
		g := new(guest)
		// A mistake counts whatever is said of knowing the option.
		broken := func(d *caddyfile.Dispenser) (bool, error) {
			if d.Val() == "broken" {
				return false, errors.New("not known, and broken")
			}
			return false, nil
		}
		err := g.UnmarshalBlock(caddyfile.NewTestDispenser(block), g.unmarshalOption, g.unmarshalShared, broken)
		if err == nil || err.Error() != want {
			t.Errorf("%s\nerror %v\nwant  %s", block, err, want)
		}
		if slices.Contains(g.own, "mine") {
			t.Errorf("%s\nwhat follows the mistake is read", block)
		}
	}
}

func TestAProviderNeedsNoBlock(t *testing.T) {
	for text, name := range map[string]string{"guest": "", "guest joe": "joe", "guest joe {\n}": "joe"} {
		g := new(guest)
		if err := g.UnmarshalBlock(caddyfile.NewTestDispenser(text), g.unmarshalOption); err != nil || g.Name != name || g.own != nil {
			t.Errorf("%s: name %q, options %q, error %v", text, g.Name, g.own, err)
		}
	}
}
