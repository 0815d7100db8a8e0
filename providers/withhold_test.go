package providers

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
)

func requestOf(target string, header http.Header) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	maps.Copy(r.Header, header)
	return r
}

// Case 170, RFC 9700, section 4.9: what authenticates here is of no use to the
// stack, and of much use to whoever reads its logs.
func TestACredentialIsTakenOffWhereverItMayBe(t *testing.T) {
	for _, tc := range []struct {
		name, target string
		header       http.Header
		wantQuery    string
		want         http.Header
	}{
		{"nothing", "/?a=b", http.Header{"X": {"y"}}, "a=b", http.Header{"X": {"y"}}},
		{"Authorization", "/", http.Header{"Authorization": {"Bearer t"}}, "", http.Header{}},
		{"Authorization of another scheme", "/", http.Header{"Authorization": {"Basic t"}}, "", http.Header{}},
		{"Authorization twice", "/", http.Header{"Authorization": {"Bearer t", "Bearer u"}}, "", http.Header{}},
		{"Proxy-Authorization", "/", http.Header{"Proxy-Authorization": {"Bearer t"}}, "", http.Header{}}, // case 16
		{"Proxy_Authorization", "/", http.Header{"Proxy_authorization": {"Bearer t"}}, "", http.Header{}}, // where Caddy lets it in
		{"a header", "/", http.Header{"X-Api-Key": {"t"}}, "", http.Header{}},
		// CGI and WSGI servers know these as one variable (CVE-2025-64484).
		{"a header and its likes", "/", http.Header{"X-Api-Key": {"t"}, "X_api_key": {"u"}, "X.Api-Key": {"v"}, "x-api-key": {"w"}, "X-Api-Keys": {"x"}}, "", http.Header{"X-Api-Keys": {"x"}}},
		{"a query parameter", "/?a=b&key=t&c=d", nil, "a=b&c=d", http.Header{}},
		{"the only query parameter", "/?key=t", nil, "", http.Header{}},
		{"the first", "/?key=t&a=%20+;", nil, "a=%20+;", http.Header{}},
		{"the last", "/?a&&key=t", nil, "a&", http.Header{}},
		{"an escaped one", "/?k%65y=t&a", nil, "a", http.Header{}},
		{"every one of several", "/?key=t&a=b&key=u", nil, "a=b", http.Header{}},
		{"one behind a semicolon, with its neighbours", "/?x;key=t&a=b", nil, "a=b", http.Header{}},
		{"no parameter, the rest as it came", "/?a=%zz&&b;c", nil, "a=%zz&&b;c", http.Header{}},
		{"a cookie", "/", http.Header{"Cookie": {"a=b; token=t; c=d"}}, "", http.Header{"Cookie": {"a=b; c=d"}}},
		{"the only cookie", "/", http.Header{"Cookie": {"token=t"}}, "", http.Header{}},
		{"cookies in two lines", "/", http.Header{"Cookie": {"a=b;token=t", "token=u;c=d"}}, "", http.Header{"Cookie": {"a=b; c=d"}}},
		{"a cookie with blanks", "/", http.Header{"Cookie": {"a=b;  token =t"}}, "", http.Header{"Cookie": {"a=b"}}},
		{"other cookies as they came", "/", http.Header{"Cookie": {"a=b;c=d", "e"}}, "", http.Header{"Cookie": {"a=b;c=d", "e"}}},
		{"a subprotocol", "/", http.Header{"Sec-Websocket-Protocol": {"realtime, openai-insecure-api-key.t, openai-beta.realtime-v1"}}, "", http.Header{"Sec-Websocket-Protocol": {"realtime, openai-beta.realtime-v1"}}},
		{"the only subprotocol", "/", http.Header{"Sec-Websocket-Protocol": {"openai-insecure-api-key.t"}}, "", http.Header{}},
		{"all at once", "/?key=t&a", http.Header{"Authorization": {"x"}, "X-Api-Key": {"t"}, "Cookie": {"token=t; a=b"}, "Sec-Websocket-Protocol": {"openai-insecure-api-key.t"}, "Accept": {"*/*"}}, "a", http.Header{"Cookie": {"a=b"}, "Accept": {"*/*"}}},
	} {
		r := requestOf(tc.target, tc.header)
		original, url := r.URL, *r.URL
		before, uri := r.Header.Clone(), r.RequestURI
		w := everySource.Withhold(r)
		if !reflect.DeepEqual(r.Header, tc.want) {
			t.Errorf("%s: header is %v, want %v", tc.name, r.Header, tc.want)
		}
		if r.URL.RawQuery != tc.wantQuery {
			t.Errorf("%s: query is %q, want %q", tc.name, r.URL.RawQuery, tc.wantQuery)
		}
		wantURI := "/"
		if tc.wantQuery != "" {
			wantURI += "?" + tc.wantQuery
		}
		if r.RequestURI != wantURI {
			t.Errorf("%s: request URI is %q, want %q", tc.name, r.RequestURI, wantURI)
		}
		// Copies of the request share the URL, and an error route may get one.
		if original.RawQuery != tc.wantQuery {
			t.Errorf("%s: a copy of the request still has the query %q", tc.name, original.RawQuery)
		}
		if got := finding(everySource.Find(r)); got != "none" {
			t.Errorf("%s: what is left has %s", tc.name, got)
		}
		w.Restore(r)
		delete(before, "Proxy-Authorization") // nobody's further on
		delete(before, "Proxy_authorization")
		if !reflect.DeepEqual(r.Header, before) || r.URL.String() != url.String() || r.RequestURI != uri {
			t.Errorf("%s: restored to %s %s %v", tc.name, r.RequestURI, r.URL, r.Header)
		}
	}
}

// What was put on in the meantime does not stay where a credential was.
func TestRestoreTakesOffWhatStandsInAuthorization(t *testing.T) {
	r := requestOf("/", nil)
	w := everySource.Withhold(r)
	r.Header.Set("Authorization", "Bearer forwarded")
	w.Restore(r)
	if _, there := r.Header["Authorization"]; there {
		t.Error("a request has a credential that it did not come with")
	}
}

// OGX reads `Bearer ` in this case only (case 3).
func TestAForwardedCredentialIsInCanonicalForm(t *testing.T) {
	for _, tc := range []struct {
		target string
		header http.Header
	}{
		{"/", http.Header{"Authorization": {"Bearer t"}}},
		{"/", http.Header{"Authorization": {"bearer t"}}},
		{"/", http.Header{"Authorization": {"BEARER    t"}}},
		{"/", http.Header{"X-Api-Key": {"t"}}},
		{"/?key=t", nil},
		{"/", http.Header{"Cookie": {"token=t"}}},
		{"/", http.Header{"Sec-Websocket-Protocol": {"openai-insecure-api-key.t"}}},
		{"/?key=t", http.Header{"Authorization": {"Basic dDp0"}}},
	} {
		r := requestOf(tc.target, tc.header)
		c, err := everySource.Find(r)
		if err != nil {
			t.Fatal(err)
		}
		everySource.Withhold(r).Forward(r, c)
		if want := (http.Header{"Authorization": {"Bearer t"}}); !reflect.DeepEqual(r.Header, want) || r.URL.RawQuery != "" {
			t.Errorf("%s %v: forwarded with %v", tc.target, tc.header, r.Header)
		}
	}
}

// A request that did not come over the wire has no request URI to keep up.
func TestARequestWithoutARequestURIGetsNone(t *testing.T) {
	r := requestOf("/?key=t", nil)
	r.RequestURI = ""
	TokenSources{keyQuery}.Withhold(r)
	if r.RequestURI != "" || r.URL.RawQuery != "" {
		t.Errorf("%q, %q", r.RequestURI, r.URL.RawQuery)
	}
}

// Two sources that touch one header or query: what is put back is what was
// there before either.
func TestTwoSourcesInOnePlaceAreTakenOffAndPutBack(t *testing.T) {
	sources := TokenSources{keyQuery, {Source: "query", Name: "k"}, tokenCookie, {Source: "cookie", Name: "t2"}}
	header := http.Header{"Cookie": {"token=a; t2=b; c=d"}}
	r := requestOf("/?key=a&k=b&x=y", header)
	w := sources.Withhold(r)
	if r.URL.RawQuery != "x=y" || !reflect.DeepEqual(r.Header, http.Header{"Cookie": {"c=d"}}) {
		t.Errorf("left: %s %v", r.URL.RawQuery, r.Header)
	}
	w.Restore(r)
	if r.URL.RawQuery != "key=a&k=b&x=y" || !reflect.DeepEqual(r.Header, header) {
		t.Errorf("restored: %s %v", r.URL.RawQuery, r.Header)
	}
}

func TestHeadersFoldAsCGIServersFoldThem(t *testing.T) {
	for _, name := range []string{"X-Auth-User", "x-auth-user", "X_AUTH_USER", "x.Auth_uSer"} {
		if got := FoldHeader(name); got != "x-auth-user" {
			t.Errorf("%s folds to %s", name, got)
		}
	}
	// Only ASCII: no server takes the Kelvin sign for a k.
	if got := FoldHeader("\u212aey"); got != "\u212aey" {
		t.Errorf("folds to %s", got)
	}
}

// What was in Authorization is not what was verified, however alike it looks.
func TestOnlyTheVerifiedTokenIsForwarded(t *testing.T) {
	sources := TokenSources{{Source: sourceHeader, Name: "X-Api-Key"}}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["X-Api-Key"] = []string{"verified"}
	r.Header["Authorization"] = []string{"Bearer forged!!"} // of the same length
	c, err := sources.Find(r)
	if err != nil || c.Token != "verified" {
		t.Fatalf("found %q, %v", c.Token, err)
	}
	sources.Withhold(r).Forward(r, c)
	if got := r.Header["Authorization"]; len(got) != 1 || got[0] != "Bearer verified" {
		t.Errorf("forwarded %q", got)
	}
}

// Nothing was taken: there is nothing to put back, and nothing to take away.
func TestRestoringNothingChangesNothing(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Authorization"] = []string{"Bearer x"}
	Withheld{}.Restore(r)
	if r.Header.Get("Authorization") != "Bearer x" {
		t.Errorf("header is %v", r.Header)
	}
}
