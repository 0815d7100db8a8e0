package stackauth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// caseFile is a file of cases for `caddy stack-auth test`, in YAML, of which
// JSON is a part.
type caseFile struct {
	config string // the configuration that they are about; empty: not said
	users  map[string]*abac.User
	cases  []testCase
}

// testCase is one request with what is expected of it.
type testCase struct {
	name     string
	line     int
	user     *abac.User // nil: anonymous
	request  rehearsedRequest
	resource *resourceQuestion
	want     expectation
}

// expectation is what a case says, empty where it says nothing.
type expectation struct {
	decision string
	status   int
	rule     string
}

// nobody is the name of callers without a credential.
const nobody = "anonymous"

var errNoCases = errors.New("no cases: a test that tests nothing is a mistake")

// lineError is what is wrong in a line of a file of cases.
type lineError struct {
	line int
	err  error
}

// Error implements error.
func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }

func wrongAt(n *yaml.Node, format string, args ...any) error {
	return &lineError{n.Line, fmt.Errorf(format, args...)}
}

// parseCases reads a file of cases. What it does not know is an error: a
// misspelt expectation would pass for ever.
func parseCases(content []byte) (*caseFile, error) {
	var document, more yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(content))
	switch err := d.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, errNoCases
	case err != nil:
		return nil, err
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one YAML document: write one file for each")
	}
	f := &caseFile{users: map[string]*abac.User{nobody: nil}}
	var cases, routes []*yaml.Node
	err := readMapping(&document, "the file", map[string]reader{
		"config": textInto(&f.config),
		"users":  f.readUsers,
		"cases":  func(n *yaml.Node) (err error) { cases, err = listOf(n); return err },
		"routes": func(n *yaml.Node) (err error) { routes, err = listOf(n); return err },
	})
	if err != nil {
		return nil, err
	}
	// Here, because users may be written further down.
	for _, n := range cases {
		if err := f.readCase(n); err != nil {
			return nil, err
		}
	}
	for _, n := range routes {
		if err := f.readRoute(n); err != nil {
			return nil, err
		}
	}
	if len(f.cases) == 0 {
		return nil, errNoCases
	}
	slices.SortStableFunc(f.cases, func(a, b testCase) int { return a.line - b.line })
	f.nameApart()
	return f, nil
}

func (f *caseFile) readUsers(n *yaml.Node) error {
	return eachPair(n, "users", func(key, value *yaml.Node) error {
		if key.Value == nobody {
			return wrongAt(key, "user %q: the name is for callers without a credential", nobody)
		}
		p, err := readPerson(value, "user "+strconv.Quote(key.Value), key.Value)
		f.users[key.Value] = p
		return err
	})
}

// readPerson reads who somebody is; without a principal, it is the name.
func readPerson(n *yaml.Node, what, name string) (*abac.User, error) {
	p := person{Principal: name, Attributes: make(map[string][]string)}
	err := readMapping(n, what, map[string]reader{
		"principal": textInto(&p.Principal),
		"tenant":    textInto(&p.Tenant),
		"attributes": func(n *yaml.Node) error {
			return eachPair(n, "attributes", func(key, value *yaml.Node) (err error) {
				p.Attributes[key.Value], err = textsOf(value)
				return err
			})
		},
	})
	if err != nil {
		return nil, err
	}
	u, err := p.user()
	if err != nil {
		return nil, wrongAt(n, "%s: %w", what, err)
	}
	return u, nil
}

// requestFields are what cases and rows of routes say of the request.
func requestFields(q *rehearsedRequest) map[string]reader {
	return map[string]reader{
		"method":    textInto(&q.Method),
		"path":      textInto(&q.Path),
		"host":      textInto(&q.Host),
		"client_ip": textInto(&q.ClientIP),
		"headers": func(n *yaml.Node) error {
			return eachPair(n, "headers", func(key, value *yaml.Node) error {
				values, err := textsOf(value)
				for _, v := range values {
					q.Headers = append(q.Headers, key.Value+": "+v)
				}
				return err
			})
		},
	}
}

func (f *caseFile) readCase(n *yaml.Node) error {
	c := testCase{line: n.Line, request: rehearsedRequest{Method: "GET"}}
	var user, resource, action string
	var anonymous, owned bool
	said := false // whether anonymous, or not
	var owner *abac.User
	fields := requestFields(&c.request)
	maps.Copy(fields, map[string]reader{
		"name":      textInto(&c.name),
		"user":      textInto(&user),
		"anonymous": func(n *yaml.Node) error { said = true; return decodeInto(n, "!!bool", &anonymous) },
		"resource":  textInto(&resource),
		"action":    textInto(&action),
		"owner":     func(n *yaml.Node) (err error) { owned = true; owner, err = f.readOwner(n); return err },
		"expect":    textInto(&c.want.decision),
		"status":    func(n *yaml.Node) error { return readStatus(n, &c.want.status) },
		"rule":      textInto(&c.want.rule),
	})
	if err := readMapping(n, "a case", fields); err != nil {
		return err
	}
	if anonymous && user == "" {
		user = nobody
	}
	switch known, there := f.users[user]; {
	case user == "":
		return wrongAt(n, "case without a user: expected user, or anonymous: true")
	case anonymous && user != nobody:
		return wrongAt(n, "case of user %q that is anonymous", user)
	case said && !anonymous && user == nobody:
		return wrongAt(n, "case of user %q with anonymous: false", user)
	case !there:
		return wrongAt(n, "user %q is not among the users", user)
	default:
		c.user = known
	}
	if resource == "" && (action != "" || owned) {
		return wrongAt(n, "action and owner are about a resource, which is not there")
	}
	var err error
	if resource != "" {
		if c.resource, err = newResourceQuestion(resource, action, owner); err != nil {
			return wrongAt(n, "%w", err)
		}
	}
	return f.add(n, &c, user)
}

// readOwner reads a user of the file by name, or somebody else.
func (f *caseFile) readOwner(n *yaml.Node) (*abac.User, error) {
	n = resolved(n)
	if n.Kind != yaml.ScalarNode {
		return readPerson(n, "owner", "")
	}
	var name string
	if err := textInto(&name)(n); err != nil {
		return nil, err
	}
	u := f.users[name]
	if u == nil {
		return nil, wrongAt(n, "owner %q is not among the users", name)
	}
	return u, nil
}

// readRoute reads a row of the table: who may use a route, and who may not.
func (f *caseFile) readRoute(n *yaml.Node) error {
	q := rehearsedRequest{Method: "GET"}
	var may, mayNot []string
	fields := requestFields(&q)
	fields["allow"] = func(n *yaml.Node) (err error) { may, err = textsOf(n); return err }
	fields["deny"] = func(n *yaml.Node) (err error) { mayNot, err = textsOf(n); return err }
	if err := readMapping(n, "a route", fields); err != nil {
		return err
	}
	if len(may)+len(mayNot) == 0 {
		return wrongAt(n, "route without an expectation: expected users in allow, deny or both")
	}
	var seen []string
	for _, half := range []struct {
		users    []string
		decision string
	}{{may, allowed}, {mayNot, denied}} {
		for _, name := range half.users {
			user, there := f.users[name]
			switch {
			case !there:
				return wrongAt(n, "user %q is not among the users", name)
			case slices.Contains(seen, name):
				return wrongAt(n, "user %q is there twice", name)
			}
			seen = append(seen, name)
			c := testCase{line: n.Line, user: user, request: q, want: expectation{decision: half.decision}}
			if err := f.add(n, &c, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds a case that could be meant as it is written.
func (f *caseFile) add(n *yaml.Node, c *testCase, who string) error {
	switch w := c.want; {
	case w == expectation{}:
		return wrongAt(n, "case without an expectation: expected expect, status or rule")
	case w.decision != "" && w.decision != allowed && w.decision != denied:
		return wrongAt(n, "expect %q: expected allow or deny", w.decision)
	}
	if err := c.request.check(); err != nil {
		return wrongAt(n, "%w", err)
	}
	// A deny would hold for a misspelt method, whatever the rules say.
	if m := c.request.Method; !methodAllowed(&http.Request{Method: m}) && c.want.status != http.StatusMethodNotAllowed {
		return wrongAt(n, "method %q is refused whoever asks: expected one such as GET, or status: 405", m)
	}
	if c.name == "" {
		c.name = who + " " + c.request.Method + " " + pathOnly(c.request.Path)
	}
	if c.name != plain(c.name) {
		return wrongAt(n, "name %q has control characters", c.name)
	}
	f.cases = append(f.cases, *c)
	return nil
}

// readStatus reads a status that an answer can have.
func readStatus(n *yaml.Node, to *int) error {
	if err := decodeInto(n, "!!int", to); err != nil {
		return err
	}
	if *to < 200 || *to > 599 {
		return wrongAt(n, "status %d: expected one from 200 to 599", *to)
	}
	return nil
}

// nameApart gives cases of one name numbers, as `go test` does.
func (f *caseFile) nameApart() {
	taken := make(map[string]int)
	for i := range f.cases {
		c := &f.cases[i]
		base := c.name
		for n := taken[base]; n > 0; n++ {
			if c.name = fmt.Sprintf("%s#%02d", base, n); taken[c.name] == 0 {
				taken[base] = n
				break
			}
		}
		taken[c.name]++
		if c.name != base {
			taken[base]++
		}
	}
}

// expectedFields names the fields that there are.
func expectedFields(fields map[string]reader) string {
	return strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
}
