//go:build integration

package importdifferential

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	stackauth "github.com/caddy-stack-auth/caddy-stack-auth"
	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testpython"
	"github.com/caddy-stack-auth/caddy-stack-auth/ogximport"
)

var (
	policies = flag.Int("policies", 5_000, "how many files are made up")
	seed     = flag.Uint64("seed", 1, "of the generator")
)

// answer is what OGX decides; with an error it does not load the file.
type answer struct {
	Error     string `json:"error"`
	Routes    []bool `json:"routes"`
	Resources []bool `json:"resources"`
}

// block is an imported block, ready to decide.
type block struct {
	public []string
	routes *abac.RoutePolicy
	exact  *abac.RoutePolicy // the same with permits for forbids, which match exactly one case
	rules  []abac.RouteRule
	access *abac.Policy
	open   bool // a provider
}

func readBlock(t *testing.T, text string) *block {
	t.Helper()
	raw, _, err := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}.Adapt([]byte("http://127.0.0.1:1 {\n"+text+"}\n"), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var config any
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	raw, err = json.Marshal(find(config))
	if err != nil {
		t.Fatal(err)
	}
	h := new(stackauth.Handler)
	if err := json.Unmarshal(raw, h); err != nil {
		t.Fatal(err)
	}
	b := &block{public: h.Public, open: len(h.ProvidersRaw) > 0}
	var permits []abac.RouteRule
	for _, r := range h.Rules {
		b.rules = append(b.rules, r.RouteRule)
		r.Effect = abac.Permit
		permits = append(permits, r.RouteRule)
	}
	if b.rules != nil {
		b.routes, err = abac.NewRoutePolicy(b.rules, h.Compat)
		if err == nil {
			b.exact, err = abac.NewRoutePolicy(permits, h.Compat)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	if b.access, err = abac.NewPolicy(h.AccessPolicy, abac.Options{Compat: h.Compat}); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return b
}

func find(node any) any {
	switch v := node.(type) {
	case map[string]any:
		if v["handler"] == "stack_auth" {
			return v
		}
		for _, child := range v {
			if found := find(child); found != nil {
				return found
			}
		}
	case []any:
		for _, child := range v {
			if found := find(child); found != nil {
				return found
			}
		}
	}
	return nil
}

func (p *person) user(t *testing.T) *abac.User {
	t.Helper()
	if p == nil {
		return nil
	}
	var list []abac.Attribute
	for name, values := range p.Attributes {
		list = append(list, abac.Attribute{Name: name, Values: values})
	}
	u, err := abac.NewUser(p.Principal, p.Tenant, abac.NewAttributes(list...))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// route decides a path, and as if a forbid matched in exactly one case; row
// names the row of the contract for a path that is 400 here.
func (b *block) route(path string, u *abac.User) (allowed, inOneCase bool, row string) {
	canonical, err := abac.CanonicalPath(path)
	if err != nil {
		return false, false, "ambiguous-path"
	}
	if slices.Contains(b.public, canonical) {
		return true, true, ""
	}
	if b.routes == nil {
		return b.open, b.open, ""
	}
	q := abac.RouteQuestion{User: u, Method: "GET", Path: canonical}
	allowed = b.routes.Decide(q).Allowed
	d := b.exact.Decide(q)
	inOneCase = d.Allowed && b.rules[d.Rule].Effect == abac.Permit
	if !allowed && inOneCase {
		row = "forbid-any-case"
	}
	return allowed, inOneCase, row
}

func TestImportedPoliciesDecideAsOGXDoes(t *testing.T) {
	o := testpython.Start(t, "../..", "oracle.py")
	g := &drawn{rand.New(rand.NewPCG(*seed, 0))}
	count := map[string]int{}
	for range *policies {
		q, err := g.question()
		if err != nil {
			t.Fatal(err)
		}
		var theirs answer
		o.Ask(t, q, &theirs)
		options := ogximport.Options{}
		r, err := ogximport.Import([]byte(q.YAML), options)
		if err != nil {
			t.Fatalf("%v\n%s", err, q.YAML)
		}
		if theirs.Error != "" {
			count["not loaded by OGX"]++
			if len(r.Refusals) == 0 {
				t.Errorf("OGX does not load this, for %s\n%s\n%s", theirs.Error, q.YAML, r.Caddyfile)
			}
			continue
		}
		refused := len(r.Refusals) > 0
		if refused {
			count["refused"]++
			options.Partial = true
			if r, err = ogximport.Import([]byte(q.YAML), options); err != nil {
				t.Fatal(err)
			}
		} else {
			count["imported"]++
		}
		compare(t, q, theirs, readBlock(t, r.Caddyfile), r.Caddyfile, refused, count)
		if t.Failed() {
			break
		}
	}
	t.Logf("%d files, 24 questions each: %v", *policies, count)
	for _, must := range []string{"imported", "refused", "not loaded by OGX", "ambiguous-path", "forbid-any-case", "allowed", "denied"} {
		if count[must] == 0 {
			t.Errorf("%s never occurred", must)
		}
	}
}

// compare compares the decisions. What is imported in part may only refuse more.
func compare(t *testing.T, q question, theirs answer, b *block, text string, partial bool, count map[string]int) {
	t.Helper()
	verdict := func(what any, ours, their bool) {
		switch {
		case ours == their && ours:
			count["allowed"]++
		case ours == their:
			count["denied"]++
		case partial && !ours:
			count["refused by a part"]++
		default:
			shown, _ := json.Marshal(what)
			t.Errorf("%s: got %t, OGX %t\n%s\n%s", shown, ours, their, q.YAML, text)
		}
	}
	for i, route := range q.Routes {
		path, their := route[0].(string), theirs.Routes[i]
		ours, inOneCase, row := b.route(path, route[1].(*person).user(t))
		switch {
		case row == "ambiguous-path":
			count[row]++
		case row != "" && their:
			count[row]++
			verdict(route, inOneCase, their)
		default:
			verdict(route, ours, their)
		}
	}
	for i, asked := range q.Resources {
		owner := asked[2].(*person).user(t)
		d := b.access.Decide(asked[4].(*person).user(t), abac.Action(asked[3].(string)), abac.NewResource(asked[0].(string), asked[1].(string), owner))
		verdict(asked, d.Allowed, theirs.Resources[i])
	}
}
