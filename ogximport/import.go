// Package ogximport turns the `server.auth` of a run file of OGX or Llama Stack
// into a stack_auth block for a Caddyfile.
//
// The decisions stay those of the file: what `compat ogx` does not switch is
// rewritten, and what cannot be had is refused by name. Nothing is left out in
// silence, and nothing is ever written that lets in whom OGX refused.
//
// It knows no Caddy: whoever calls it checks that the block can be loaded.
package ogximport

import (
	"fmt"
	"slices"
)

// Options are how a file is imported.
type Options struct {
	// Partial writes a block although something cannot be carried over. What is
	// left out of it is never a refusal: a forbid that cannot be had becomes a
	// wider one, a permit none.
	Partial bool

	// HashKey returns the hash of an API key, as the provider api_key has it.
	HashKey func(key string) (string, error)

	// Env returns what the environment of OGX has for a variable. It is asked
	// where neither a placeholder nor a default will do. nil: nothing is known.
	Env func(name string) (value string, set bool)
}

// Remark is about one place of the file.
type Remark struct {
	// Line of the file.
	Line int `json:"line"`

	// Key is the path of the key, such as server.auth.route_policy[2].when; empty
	// for the file as a whole.
	Key string `json:"key"`

	// Text says what becomes of it, and why.
	Text string `json:"text"`
}

// String returns the remark in one line.
func (r Remark) String() string {
	if r.Key == "" { // it is about the file
		return fmt.Sprintf("line %d: %s", r.Line, r.Text)
	}
	return fmt.Sprintf("line %d: %s: %s", r.Line, r.Key, r.Text)
}

// Result is what comes of a file.
type Result struct {
	// Caddyfile is the block, empty if there is none.
	Caddyfile string

	// Notes are about what is carried over, and differs in a way that lets nobody
	// in, or that has to be known.
	Notes []Remark

	// Refusals are what is not carried over. Without Options.Partial there is no
	// block then.
	Refusals []Remark
}

// Import reads a run file. Its error means that the file is broken, or larger
// than any run file; everything else is in the result.
func Import(file []byte, o Options) (*Result, error) {
	root, err := parseYAML(file)
	if err != nil {
		return nil, err
	}
	im := &importer{options: o}
	im.importFile(root)
	secrets := im.secretsHidden()
	r := &Result{Notes: hidden(secrets, inOrder(im.notes)), Refusals: hidden(secrets, inOrder(im.refusals))}
	if len(r.Refusals) == 0 || o.Partial {
		r.Caddyfile = im.block(r.Refusals)
	}
	if secrets.Replace(r.Caddyfile) != r.Caddyfile {
		r.Caddyfile = ""
		r.Refusals = append(r.Refusals, Remark{0, "server.auth", "a secret of the file also stands elsewhere in it, where it would show"})
	}
	return r, nil
}

// importer collects what the file has.
type importer struct {
	options  Options
	age      age
	notes    []Remark
	refusals []Remark
	secrets  []string
	names    map[string]string // what an API key is called instead
	named    map[string]bool   // those names

	provider writer
	hasOne   bool // provider
	tenancy  string
	// tenancyRefused: it is not known whose tenant anybody has. Nobody gets in.
	tenancyRefused bool
	public         []string
	routes         writer
	access         writer
}

// age is what a file tells of the version that it is for.
type age struct {
	// first is the form without provider_config, up to July 2025.
	first bool

	// renamed: OGX, and not Llama Stack.
	renamed bool
}

func (im *importer) note(v value, format string, args ...any) {
	im.notes = append(im.notes, Remark{v.line(), v.path, fmt.Sprintf(format, args...)})
}

func (im *importer) refuse(v value, format string, args ...any) {
	im.refusals = append(im.refusals, Remark{v.line(), v.path, fmt.Sprintf(format, args...)})
}

// inOrder sorts remarks by their lines, and drops repeated ones.
func inOrder(list []Remark) []Remark {
	slices.SortStableFunc(list, func(a, b Remark) int { return a.Line - b.Line })
	return slices.Compact(list)
}

// importFile reads what is ours of the file: apis, providers and the rest are
// not.
func (im *importer) importFile(root value) {
	file, ok := im.mapping(root)
	if !ok {
		return
	}
	im.age.renamed = !file.has("image_name") || file.has("distro_name")
	im.misplaced(file, "auth", "tenancy", "provider_config", "route_policy", "access_policy")
	server, there := file.get("server")
	if !there || server.isNull() {
		im.refuse(root, "there is no server: either it is no run file, or OGX lets everybody in, and there is nothing to carry over")
		return
	}
	s, ok := im.mapping(server)
	if !ok {
		return
	}
	im.misplaced(s, "provider_config", "route_policy", "access_policy")
	if quota, there := s.get("quota"); there && !quota.isNull() {
		im.refuse(quota, "request quotas are not carried over: OGX itself has none any more, and those of Llama Stack counted every caller "+
			"by address, before it was known who calls")
	}
	auth, there := s.get("auth")
	if !there || auth.isNull() {
		im.refuse(server, "there is no server.auth: OGX lets everybody in, and there is nothing to carry over")
		return
	}
	tenants, hasTenants := s.get("tenancy")
	if hasTenants {
		im.importTenancy(tenants)
	}
	im.importAuth(auth)
}

// misplaced refuses what belongs further in. No version of OGX or Llama Stack
// has read it there: whoever wrote it believes in rules that nobody follows.
func (im *importer) misplaced(o *object, names ...string) {
	for _, name := range names {
		v, there := o.get(name)
		if !there || v.isNull() {
			continue
		}
		home := "server.auth"
		if name == "auth" || name == "tenancy" {
			home = "server"
		}
		im.refuse(v, "belongs into %s: OGX passes over it here", home)
	}
}

func (im *importer) importAuth(v value) {
	auth, ok := im.mapping(v)
	if !ok {
		return
	}
	im.importProvider(v, auth)
	// One that is null is an error in OGX, and not the same as none: the rules may
	// be commented out.
	if routes, there := auth.get("route_policy"); there {
		im.importRoutes(routes)
	} else {
		im.publishRoutes(nil)
	}
	if access, there := auth.get("access_policy"); there {
		im.importAccess(access)
	}
	im.unknown(auth, "server.auth")
}
