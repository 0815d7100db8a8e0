package providers

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/fetch"
)

// Any body: a yes is what encoding/json reads there, too, under exactly our
// names; what is not one object of the right form is never a yes or a no.
func FuzzCustomAnswer(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"principal":"alice","attributes":{"roles":["a","b"]}}`, `{"access_attributes":{"teams":["x"],"id":["y"]},"message":"m"}`,
		`{"principal":null,"attributes":null}`, `{"principal":""}`, `{"Principal":"x"}`, `{"principal":"a","principal":"b"}`, `{"attributes":{"r":[1]}}`,
		`{"attributes":{},"access_attributes":{}}`, `{"principal":"key:19ac0cb2e5b74884a33e29d2724f58d4"}`, `{"principal":" a"}`, `[]`, ``, "{\"a\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	v, err := loadKind(f, newContext(f, zap.NewNop()), "custom", "endpoint https://auth.example")
	if err != nil {
		f.Fatal(err)
	}
	p := v.(*Custom)
	f.Fuzz(func(t *testing.T, body []byte) {
		answer := p.read(&fetch.Reply{Status: http.StatusOK, Body: body}, "k")
		var all map[string]json.RawMessage
		broken := json.Unmarshal(body, &all) != nil || all == nil
		switch a := answer.(type) {
		case *CannotTell:
			return
		case *No:
			if broken {
				t.Fatalf("no, to what is no object: %s", a.Reason)
			}
		case *Yes:
			if broken {
				t.Fatalf("yes, to what is no object: %s", describe(a))
			}
			wantOracle(t, all, a.User)
		default:
			t.Fatalf("answer is %T", a)
		}
	})
}

// wantOracle demands that the user is the one that the members describe.
func wantOracle(t *testing.T, all map[string]json.RawMessage, user *abac.User) {
	t.Helper()
	var principal *string
	if raw, there := all["principal"]; there {
		if err := json.Unmarshal(raw, &principal); err != nil {
			t.Fatalf("yes, and principal is %s", raw)
		}
	}
	switch {
	case principal == nil && user.Principal != fingerprintOfK:
		t.Errorf("principal is %q, of nobody", user.Principal)
	case principal != nil && (user.Principal != *principal || *principal == "" || isFingerprint(*principal)):
		t.Errorf("principal is %q, of %q", user.Principal, *principal)
	}
	var one, other map[string][]string
	if raw := all["attributes"]; raw != nil && json.Unmarshal(raw, &one) != nil {
		t.Fatalf("yes, and attributes are %s", raw)
	}
	if raw := all["access_attributes"]; raw != nil && json.Unmarshal(raw, &other) != nil {
		t.Fatalf("yes, and access_attributes are %s", raw)
	}
	if one != nil && other != nil {
		t.Fatal("yes, to both")
	}
	if one == nil {
		one = other
	}
	var list []abac.Attribute
	given := false
	for name, values := range one {
		given = given || len(values) > 0
		if abac.CheckAttributeName(name) == nil {
			list = append(list, abac.Attribute{Name: name, Values: values})
		}
	}
	if !given {
		list = []abac.Attribute{{Name: "namespaces", Values: []string{fingerprintOfK}}}
	}
	if got, want := user.Attributes.JSON(), abac.NewAttributes(list...).JSON(); got != want {
		t.Errorf("attributes are %s, want %s", got, want)
	}
	if user.Tenant != "" {
		t.Errorf("tenant is %q", user.Tenant)
	}
}

var (
	escape   = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	replaced = regexp.MustCompile("\ufffd+")
)

// referenceParams is parse_qs as its documentation tells it, with nothing left
// out.
func referenceParams(query string) map[string][]string {
	params := make(map[string][]string)
	decode := func(s string) string {
		return escape.ReplaceAllStringFunc(strings.ReplaceAll(s, "+", " "), func(e string) string {
			c, _ := url.PathUnescape(e)
			return c
		})
	}
	for field := range strings.SplitSeq(query, "&") {
		if pair := strings.SplitN(field, "=", 2); len(pair) == 2 && pair[1] != "" {
			name := collapse(decode(pair[0]))
			params[name] = append(params[name], collapse(decode(pair[1])))
		}
	}
	return params
}

// collapse makes one U+FFFD of all that are next to each other, and of broken
// UTF-8: how many there are of it does not matter here.
func collapse(s string) string {
	return replaced.ReplaceAllString(strings.ToValidUTF8(s, "\ufffd"), "\ufffd")
}

// Any query: no panic, UTF-8 throughout, what parse_qs gives, and what
// url.ParseQuery gives where both know what to do.
func FuzzCustomParams(f *testing.F) {
	for _, seed := range []string{
		"limit=100&offset=0", "a=1&a=2&b=&=x&c", "a+b=c%2Bd", "%ff=%e2%82&%", "a;b=1", "api_key=x&Key=y&key%00=z", "a=%zz&b=%4", "é=%c3%a9", "&&==&a==b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if !utf8.ValidString(query) {
			return // it is refused
		}
		shown := shownParams(query)
		want := referenceParams(query)
		collapsed := make(map[string][]string)
		for name, values := range shown {
			for _, text := range append([]string{name}, values...) {
				if !utf8.ValidString(text) {
					t.Fatalf("%q is not UTF-8", text)
				}
			}
			if tellsSecret(wordsOf(name)) || len(values) == 0 || slices.Contains(values, "") {
				t.Errorf("%q: %q is shown", name, values)
			}
			collapsed[collapse(name)] = append(collapsed[collapse(name)], values...)
		}
		for name, values := range want {
			if tellsSecret(wordsOf(name)) {
				continue
			}
			got := collapsed[name]
			for i := range got {
				got[i] = collapse(got[i])
			}
			if strings.Contains(name, "\ufffd") { // of several names, in any order
				slices.Sort(got)
				slices.Sort(values)
			}
			if !slices.Equal(got, values) {
				t.Errorf("%q: %q is shown as %q, want %q", query, name, got, values)
			}
		}
		if len(collapsed) > len(want) {
			t.Errorf("%q is shown as %q, want %q", query, collapsed, want)
		}
		standard, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		for name, values := range standard {
			values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
			if utf8.ValidString(name) && !tellsSecret(wordsOf(name)) && utf8.ValidString(strings.Join(values, "")) && !slices.Equal(shown[name], values) {
				t.Errorf("%q: url.ParseQuery gives %q for %q, shown is %q", query, values, name, shown[name])
			}
		}
		if body, err := encodeShown(shown); err != nil || !json.Valid(body) {
			t.Errorf("%q is no JSON: %v", query, err)
		}
	})
}

// Any header name: what a server that makes variables of headers takes for one
// that is withheld is withheld, too; and what the rules of the contract name is.
func FuzzCustomHeaderNames(f *testing.F) {
	for _, seed := range []string{"X-Api-Key", "x_forwarded.for", "Accept", "X-LlamaStack-Provider-Data", "Set-Cookie", "authority", "X-Real-IP"} {
		f.Add(seed)
	}
	class := regexp.MustCompile(`^(authorization|proxy-.*|cookie2?|set-cookie|forwarded|x-forwarded-.*|x-real-ip|via|true-client-ip|cf-connecting-ip|` +
		`x-original-.*|x-rewrite-.*|x-envoy-.*|x-auth-.*|x-tenant-id|x-.*-provider-data|sec-websocket-(key|protocol)|connection|keep-alive|te|trailer|` +
		`transfer-encoding|upgrade|(.*-)?(key|token|secret|password|credentials?|assertion|signature))$`)
	f.Fuzz(func(t *testing.T, name string) {
		if !isHeaderName(name) {
			return
		}
		folded := FoldHeader(name)
		withheld := withheldHeader(name)
		if class.MatchString(folded) && !withheld {
			t.Errorf("%s is shown", name)
		}
		for _, other := range []string{folded, strings.ToUpper(name), strings.ReplaceAll(folded, "-", "_"), strings.ReplaceAll(folded, "-", ".")} {
			if withheldHeader(other) != withheld {
				t.Errorf("%s is withheld: %t, %s: %t", name, withheld, other, !withheld)
			}
		}
	})
}
