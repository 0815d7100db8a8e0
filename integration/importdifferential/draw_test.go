//go:build integration

package importdifferential

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
)

// drawn makes up policies, and questions that they have an answer to.
type drawn struct{ *rand.Rand }

func (g *drawn) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g *drawn) sometimes(n int) bool { return g.IntN(n) == 0 }

// person is a user as OGX has one.
type person struct {
	Principal  string              `json:"principal"`
	Attributes map[string][]string `json:"attributes"`
	Tenant     string              `json:"tenant,omitempty"`
}

func (g *drawn) person() *person {
	p := &person{Principal: g.pick("alice", "bob", "Élodie", "a b"), Attributes: map[string][]string{}}
	for _, name := range []string{"roles", "teams", "projects", "namespaces", "x_attr"} {
		for range g.IntN(3) {
			p.Attributes[name] = append(p.Attributes[name], g.pick("admin", "dev", "ml", "Ärzte", "a#b"))
		}
	}
	if g.sometimes(3) {
		p.Tenant = g.pick("red", "blue")
	}
	return p
}

func (g *drawn) condition() string {
	attribute := g.pick("roles", "teams", "x_attr", "projects")
	value := g.pick("admin", "dev", "ml", "Ärzte", "a#b")
	if g.sometimes(60) {
		attribute = g.pick("my.attr", "id")
	}
	if g.sometimes(60) {
		value = g.pick("{path}", "{$HOME}", "`\"\\")
	}
	return g.pick(
		"user with "+value+" in "+attribute, "user with "+value+" in "+attribute, "user with "+value+" not in "+attribute,
		"user  with\t"+value+" in "+attribute, "user in owners "+attribute, "user not in owners "+attribute,
		"user is owner", "user is not owner", "resource is unowned")
}

// oneOrMore is a text or a list of texts, as OGX takes both.
func (g *drawn) oneOrMore(make func() string) any {
	if g.sometimes(2) {
		return make()
	}
	list := []string{}
	for range g.IntN(4) {
		list = append(list, make())
	}
	return list
}

func (g *drawn) rule(scope map[string]any) map[string]any {
	r := map[string]any{g.pick("permit", "permit", "forbid"): scope}
	switch g.IntN(5) {
	case 0, 1:
		r["when"] = g.oneOrMore(g.condition)
	case 2:
		r["unless"] = g.oneOrMore(g.condition)
	}
	if g.sometimes(4) {
		r["description"] = g.pick("what it is for", `with "quotes" and {braces}`, "of\ntwo lines", "`", "#")
	}
	switch g.IntN(200) {
	case 0:
		r["when"] = g.pick("user in owner teams", "user is anonymous", "user with a b in roles")
	case 1:
		r["forbid"] = scope
	case 2:
		r["unles"] = "user is owner"
	}
	return r
}

var pathSegments = []string{"v1", "v1", "v2", "models", "files", "Files", "admin", "llama-3", "a*b", "{id}", ".hidden", "é", "Ω", "x:y", "12", "٣", "health", "version", "İ", "ſ"}

func (g *drawn) path() string {
	switch g.IntN(12) {
	case 0:
		return g.pick("/v1/health", "/v1/version")
	case 1:
		return g.pick("/", "//", "/v1//models", "/v1/../v1/models", "/v1/a;b", "/v1/%41", "/v1/models/", "/v1/models//", "/v1/a b")
	}
	var b strings.Builder
	for range 1 + g.IntN(3) {
		b.WriteString("/" + g.pick(pathSegments...))
	}
	return b.String()
}

func (g *drawn) routePattern() string {
	switch g.IntN(8) {
	case 0:
		return "*"
	case 1, 2:
		return g.path() + "*"
	case 3, 4:
		return "regex:" + g.expression("/")
	case 5:
		return g.pick("v1/models", "", "*models", "/v1/models/", "/v1/*/files", "/v1/.*", "//v1*", "/v1/a;*", "/v1/{id}*")
	}
	return g.path()
}

// expression is one of Python's, most of them about what is asked.
func (g *drawn) expression(separator string) string {
	var b strings.Builder
	b.WriteString(g.pick("", "^", `\A`, "(?i)", "(?s)^", "(?a)", ""))
	parts := pathSegments
	if separator != "/" {
		parts = idParts
	}
	for range 1 + g.IntN(3) {
		b.WriteString(g.pick(separator, separator, separator, ".*", "(", "[a-z]"))
		b.WriteString(g.pick(g.pick(parts...), g.pick(parts...), `\w+`, `\d+`, `[^/]*`, `(v1|v2)`, `(?:a|é)`, `\S`, `[\w-]+`, `.`, `[A-Z]`, `\x76\61`, `[[:alpha:]]`, `v{,2}1`, `(?P<n>v1)`))
		b.WriteString(g.pick("", "", "", "?", "*", `\b`, "$", `\Z`, ")", `\B`, "{1,2}", `(?!admin)`, `\z`))
	}
	b.WriteString(g.pick("", "", "$", `\Z`, `\b`, `(/.*)?$`, ".*", `\b.*`))
	return b.String()
}

var idParts = []string{"model", "file", "llama-3", "llama", "é", "Llama", "12", "٣", "a*b", "{x}", "x\n", "::", "sql_record", "*"}

func (g *drawn) routePolicy() []any {
	list := []any{}
	for range g.IntN(5) {
		scope := map[string]any{"paths": g.oneOrMore(g.routePattern)}
		if g.sometimes(200) {
			scope["methods"] = []string{"GET"}
		}
		list = append(list, g.rule(scope))
	}
	return list
}

func (g *drawn) id() string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		b.WriteString(g.pick(idParts...))
	}
	return b.String()
}

func (g *drawn) resource() string {
	switch g.IntN(8) {
	case 0:
		return g.pick("*", "model", "model::*", "file::*", "sql_record::a::*", "", "model::lla*")
	case 1, 2, 3:
		return "regex:" + g.expression(g.pick("::", "model::", ""))
	case 4, 5:
		return g.pick("model", "file") + "::*"
	}
	return g.pick("model", "file") + "::" + g.id()
}

func (g *drawn) accessPolicy() []any {
	list := []any{}
	for range g.IntN(5) {
		scope := map[string]any{"actions": g.oneOrMore(func() string { return g.pick("create", "read", "read", "update", "delete") })}
		if g.sometimes(3) {
			scope["principal"] = g.pick("alice", "bob", "Élodie", "a b", "", "\u200b")
		}
		if !g.sometimes(3) {
			scope["resource"] = g.resource()
		}
		list = append(list, g.rule(scope))
	}
	return list
}

// question is what the oracle is asked.
type question struct {
	YAML      string  `json:"yaml"`
	Routes    [][]any `json:"routes"`
	Resources [][]any `json:"resources"`
}

func (g *drawn) question() (question, error) {
	q := question{Routes: [][]any{}, Resources: [][]any{}}
	auth := map[string]any{
		"provider_config": map[string]any{"type": "custom", "endpoint": "https://auth.example.com/validate"},
		"route_policy":    g.routePolicy(),
		"access_policy":   g.accessPolicy(),
	}
	// JSON is YAML, but for how it writes what is beyond the first plane.
	text, err := json.MarshalIndent(map[string]any{"server": map[string]any{"auth": auth}}, "", " ")
	q.YAML = string(text)
	for range 12 {
		path := g.path()
		if g.sometimes(6) {
			path = strings.ToUpper(path)
		}
		q.Routes = append(q.Routes, []any{path, g.person()})
		var owner *person
		if !g.sometimes(3) {
			owner = g.person()
		}
		q.Resources = append(q.Resources, []any{g.pick("model", "file", "sql_record"), g.id(), owner, g.pick("create", "read", "update", "delete"), g.person()})
	}
	return q, err
}
