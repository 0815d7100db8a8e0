package providers

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// fake is a provider that gives one answer.
type fake struct {
	Common
	Network
	answer Answer
	panics any
	scope  Scope
	asked  int
}

func (f *fake) Authenticate(*http.Request, Credential) Answer {
	f.asked++
	if f.panics != nil {
		panic(f.panics)
	}
	return f.answer
}

func (f *fake) Scope() Scope { return f.scope }

// newFake returns a provider with a name and a prefix of its own.
func newFake(name string, answer Answer) *fake {
	return &fake{Common: Common{Name: name, PrincipalPrefix: name + ":"}, answer: answer}
}

func yesTo(principal string) *Yes { return &Yes{User: &abac.User{Principal: principal}} }

var (
	errUnsure = &CannotTell{Err: errors.New("unsure")}
	refused   = &No{Reason: "refused"}
)

func judge(t *testing.T, c *Chain) (Answer, Provider) {
	t.Helper()
	return c.Authenticate(httptest.NewRequest(http.MethodGet, "/", nil), Credential{Token: "t"})
}

// Contract, several providers: only *not mine* goes on, for the next judge
// would be shown a token that is not its own; with `fallthrough` also *no* and
// *cannot tell*, and then the latter counts more.
func TestTheChainStopsAtTheFirstAnswerThatCounts(t *testing.T) {
	for _, tc := range []struct {
		chain string // n: no, c: cannot tell, -: not mine, y: yes; upper case with fallthrough
		want  string
		asked string // how far
	}{
		{"", "not mine", ""},
		{"-", "not mine", "-"},
		{"y", "yes", "y"},
		{"n", "no", "n"},
		{"c", "cannot tell", "c"},
		{"--", "not mine", "--"},
		{"-y", "yes", "-y"},
		{"-n", "no", "-n"},
		{"-c", "cannot tell", "-c"},
		{"yn", "yes", "y"},
		{"ny", "no", "n"},
		{"cy", "cannot tell", "c"},
		{"Ny", "yes", "Ny"},
		{"Cy", "yes", "Cy"},
		{"NCy", "yes", "NCy"},
		{"Nn", "no", "Nn"},
		{"Nc", "cannot tell", "Nc"},
		{"Cn", "cannot tell", "Cn"},
		{"N-", "no", "N-"},
		{"C-", "cannot tell", "C-"},
		{"CN", "cannot tell", "CN"},
		{"NC", "cannot tell", "NC"},
		{"CN-n", "cannot tell", "CN-n"},
		{"N-ny", "no", "N-n"},
		{"CNny", "cannot tell", "CNn"},
		{"N", "no", "N"},
		{"C", "cannot tell", "C"},
	} {
		var list []Provider
		for i, kind := range tc.chain {
			name := fmt.Sprint("p", i)
			f := newFake(name, map[rune]Answer{'n': refused, 'c': errUnsure, '-': NotMine{}, 'y': yesTo(name + ":alice")}[kind|0x20])
			if kind == '-' {
				f.answer = NotMine{}
			}
			f.Fallthrough = kind == 'N' || kind == 'C'
			list = append(list, f)
		}
		chain, err := NewChain(list, false)
		if err != nil {
			t.Fatalf("%s: %v", tc.chain, err)
		}
		answer, by := judge(t, chain)
		if got, _, _ := strings.Cut(describe(answer), ":"); got != tc.want {
			t.Errorf("%s: answer is %s, want %s", tc.chain, got, tc.want)
		}
		if (by == nil) != (tc.want == "not mine") {
			t.Errorf("%s: answered by %v", tc.chain, by)
		}
		if by != nil && !strings.ContainsRune("ncyNC", rune(tc.chain[indexOf(list, by)])) {
			t.Errorf("%s: answered by one that did not", tc.chain)
		}
		for i, p := range list {
			if want := i < len(tc.asked); (p.(*fake).asked == 1) != want {
				t.Errorf("%s: provider %d was asked %d times", tc.chain, i+1, p.(*fake).asked)
			}
		}
	}
}

// Where nobody takes a credential for its own, the log says why not; the
// caller is told nothing.
func TestNotMineSaysWhyOfEveryProvider(t *testing.T) {
	chain, err := NewChain([]Provider{
		newFake("a", NotMine{Reason: "not a JWT"}), newFake("b", NotMine{}), newFake("c", NotMine{Reason: "another prefix"}),
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	if answer, by := judge(t, chain); answer != Answer(NotMine{Reason: "a: not a JWT; c: another prefix"}) || by != nil {
		t.Errorf("%#v by %v", answer, by)
	}
	if answer, _ := judge(t, new(Chain)); answer != Answer(NotMine{}) {
		t.Errorf("%#v of nobody", answer)
	}
}

func indexOf(list []Provider, p Provider) int {
	for i, q := range list {
		if p == q {
			return i
		}
	}
	return -1
}

// kin has the method of an answer and is none.
type kin struct{ Yes }

// Nobody gets in, and nothing ends, because a provider is broken: 503, for the
// credential may be good.
func TestAProviderThatGivesNoAnswerCannotTell(t *testing.T) {
	for name, answer := range map[string]Answer{
		"nil":                 nil,
		"a nil yes":           (*Yes)(nil),
		"a yes to nobody":     &Yes{},
		"a yes to no one":     yesTo(""),
		"a nil no":            (*No)(nil),
		"a nil cannot tell":   (*CannotTell)(nil),
		"no reason":           &CannotTell{},
		"a pointer not mine":  &NotMine{},
		"another type":        &kin{Yes: *yesTo("admin")},
		"another type's zero": (*kin)(nil),
	} {
		chain, err := NewChain([]Provider{newFake("a", answer), newFake("b", yesTo("b:admin"))}, false)
		if err != nil {
			t.Fatal(err)
		}
		got, by := judge(t, chain)
		cannot, ok := got.(*CannotTell)
		if !ok || cannot.Err.Error() != "provider gave no answer" || by.Options().Name != "a" {
			t.Errorf("%s: %s by %v", name, describe(got), by)
		}
	}
}

func TestAProviderThatPanicsCannotTell(t *testing.T) {
	for _, v := range []any{"secret", errors.New("secret"), http.ErrAbortHandler, 5} {
		broken := newFake("a", nil)
		broken.panics = v
		chain, err := NewChain([]Provider{broken, newFake("b", yesTo("b:admin"))}, false)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := judge(t, chain)
		cannot, ok := got.(*CannotTell)
		// What it panicked with may have a part of the token in it.
		if want := fmt.Sprintf("provider panicked: %T", v); !ok || cannot.Err.Error() != want {
			t.Errorf("%v: %s, want %s", v, describe(got), want)
		}
	}
}

// Two people must not become one: the "github:1" of a provider without a
// prefix is not the 1 of the one whose prefix is "github:".
func TestAPrincipalThatReadsAsAnotherProvidersIsRefused(t *testing.T) {
	for _, tc := range []struct {
		prefixes  [2]string
		principal string // of the first
		shared    bool
		want      string
	}{
		{[2]string{"", "github:"}, "github:1", false, "no"},
		{[2]string{"", "github:"}, "github:", false, "no"},
		{[2]string{"", "github:"}, "github", false, "yes"},
		{[2]string{"", "github:"}, "GitHub:1", false, "yes"},
		{[2]string{"", "github:"}, "alice", false, "yes"},
		{[2]string{"", "github:"}, "github:1", true, "yes"}, // the operator says that they are one
		{[2]string{"a", "ab"}, "abx", false, "no"},
		{[2]string{"a", "ab"}, "ax", false, "yes"},
		{[2]string{"ab", "a"}, "abx", false, "yes"}, // its own prefix is the longer one
		{[2]string{"x:", "y:"}, "x:y:1", false, "yes"},
	} {
		one, two := newFake("one", yesTo(tc.principal)), newFake("two", NotMine{})
		one.PrincipalPrefix, two.PrincipalPrefix = tc.prefixes[0], tc.prefixes[1]
		chain, err := NewChain([]Provider{one, two}, tc.shared)
		if err != nil {
			t.Fatal(err)
		}
		answer, by := judge(t, chain)
		if got, _, _ := strings.Cut(describe(answer), ":"); got != tc.want || by != Provider(one) {
			t.Errorf("%+v: %s", tc, describe(answer))
		}
		alone, err := NewChain([]Provider{one}, false)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ = judge(t, alone)
		wantYes(t, answer, tc.principal)
	}
}

func TestProvidersThatWouldNotDoWhatTheySeemToAreErrors(t *testing.T) {
	jwt := func(issuer string) Scope { return Scope{JWT: true, Issuer: issuer} }
	const never = "it would never be asked: provider one claims all of its tokens (tell them apart by issuer or with tokens, or give that one fallthrough)"
	for _, tc := range []struct {
		name     string
		one, two func(*fake)
		shared   bool
		want     string // of the error, behind "provider 2 (two): "
	}{
		{"nothing in common", func(*fake) {}, func(*fake) {}, false, ""},
		{"one name", func(f *fake) { f.Name = "two" }, func(*fake) {}, false, `an earlier provider has the name "two": give each a name of its own`},
		{
			"one prefix", func(f *fake) { f.PrincipalPrefix = "p:" }, func(f *fake) { f.PrincipalPrefix = "p:" }, false,
			`principal_prefix "p:" is also that of provider one: one's alice would be the other's; give them different prefixes, or say shared_principals`,
		},
		{"one prefix, shared", func(f *fake) { f.PrincipalPrefix = "p:" }, func(f *fake) { f.PrincipalPrefix = "p:" }, true, ""},
		{"any issuer first", func(f *fake) { f.scope = jwt("") }, func(f *fake) { f.scope = jwt("b") }, false, never},
		{"any issuer first, falling through", func(f *fake) { f.scope = jwt(""); f.Fallthrough = true }, func(f *fake) { f.scope = jwt("b") }, false, ""},
		{"any issuer second", func(f *fake) { f.scope = jwt("a") }, func(f *fake) { f.scope = jwt("") }, false, ""},
		{"two issuers", func(f *fake) { f.scope = jwt("a") }, func(f *fake) { f.scope = jwt("b") }, false, ""},
		{"one issuer twice", func(f *fake) { f.scope = jwt("a") }, func(f *fake) { f.scope = jwt("a") }, false, never},
		{"opaque beside JWT", func(f *fake) { f.scope = jwt("") }, func(f *fake) { f.scope = Scope{Opaque: true} }, false, ""},
		{"opaque twice", func(f *fake) { f.scope = Scope{Opaque: true} }, func(f *fake) { f.scope = Scope{Opaque: true} }, false, never},
		{"both before one", func(f *fake) { f.scope = Scope{JWT: true, Opaque: true} }, func(f *fake) { f.scope = Scope{Opaque: true} }, false, never},
		{"one before both", func(f *fake) { f.scope = Scope{Opaque: true} }, func(f *fake) { f.scope = Scope{JWT: true, Opaque: true} }, false, ""},
		{
			"prefixes apart", func(f *fake) { f.scope = Scope{Opaque: true, Prefixes: []string{"a"}} },
			func(f *fake) { f.scope = Scope{Opaque: true, Prefixes: []string{"b"}} }, false, "",
		},
		{
			"a prefix within a prefix", func(f *fake) { f.scope = Scope{Opaque: true, Prefixes: []string{"x", "a"}} },
			func(f *fake) { f.scope = Scope{Opaque: true, Prefixes: []string{"ab", "x"}} }, false, never,
		},
		{
			"a prefix around a prefix", func(f *fake) { f.scope = Scope{Opaque: true, Prefixes: []string{"ab"}} },
			func(f *fake) { f.scope = Scope{Opaque: true, Prefixes: []string{"a"}} }, false, "",
		},
		{
			"a prefix before any", func(f *fake) { f.scope = Scope{Opaque: true, Prefixes: []string{"a"}} },
			func(f *fake) { f.scope = Scope{Opaque: true} }, false, "",
		},
		{
			"any before a prefix", func(f *fake) { f.scope = Scope{Opaque: true} },
			func(f *fake) { f.scope = Scope{Opaque: true, Prefixes: []string{"a"}} }, false, never,
		},
		{"a scope that cannot be said", func(f *fake) { f.scope = Scope{JWT: true, Opaque: true} }, func(*fake) {}, false, ""},
	} {
		one, two := newFake("one", NotMine{}), newFake("two", NotMine{})
		tc.one(one)
		tc.two(two)
		chain, err := NewChain([]Provider{one, two}, tc.shared)
		if tc.want == "" {
			if err != nil || chain == nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		if err == nil || err.Error() != "provider 2 (two): "+tc.want || chain != nil {
			t.Errorf("%s: %v, want %s", tc.name, err, tc.want)
		}
	}
}

// simple is a guest that embeds Common alone.
type simple struct{ Common }

func (*simple) Authenticate(*http.Request, Credential) Answer { return refused }

// What Common gives a guest is enough to be a provider.
func TestAGuestThatEmbedsCommonIsAProvider(t *testing.T) {
	s := &simple{Common{Name: "simple"}}
	chain, err := NewChain([]Provider{s, newFake("b", yesTo("b:x"))}, false)
	if err != nil {
		t.Fatal(err)
	}
	answer, by := judge(t, chain)
	if answer != Answer(refused) || by != Provider(s) || s.YieldsTenant() || s.Options() != &s.Common {
		t.Errorf("%s by %v", describe(answer), by)
	}
	if scope := s.Scope(); scope.covers(scope) {
		t.Error("a scope that cannot be said covers something")
	}
	s.TenantClaim = "org"
	if !s.YieldsTenant() {
		t.Error("a provider with a tenant_claim yields no tenant")
	}
}

// The answers are different types; that each is one is all that they share.
func TestTheFourAnswersAreAnswers(t *testing.T) {
	for _, a := range []Answer{yesTo("a"), NotMine{}, refused, errUnsure} {
		if !isAnswer(a) {
			t.Errorf("%T is no answer", a)
		}
	}
}
