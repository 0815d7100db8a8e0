package providers

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// finding is what Find made of a request: a token, nothing, or a fault.
func finding(c Credential, err error) string {
	var presented *CredentialError
	switch {
	case errors.As(err, &presented) && c.Token == "":
		return map[Fault]string{
			FaultMalformed: "malformed", FaultDuplicate: "duplicate", FaultTooLong: "too long", FaultOrigin: "origin",
		}[presented.Fault] + ": " + err.Error()
	case err != nil:
		return "error and token"
	case c.Token == "":
		return "none"
	}
	return "token " + c.Token
}

// Group A: `Authorization: Bearer <token>` and everything like it.
func TestTheAuthorizationHeaderIsReadInOneWay(t *testing.T) {
	long := strings.Repeat("t", 32<<10)
	const (
		noToken  = "malformed: header has no token behind the scheme"
		noScheme = "malformed: header has no authentication scheme"
		noChar   = "malformed: token has a character that no token has"
		two      = "malformed: header has more than one authentication scheme"
	)
	for _, tc := range []struct{ name, value, want string }{
		{"2: empty", "", noScheme},
		{"2: scheme alone", "Bearer", noToken},
		{"2: scheme and a space", "Bearer ", "malformed: token is empty"},
		{"3: as it should be", "Bearer t", "token t"},
		{"3: lower case", "bearer t", "token t"},
		{"3: upper case", "BEARER t", "token t"},
		{"3: mixed case", "BeArEr t", "token t"},
		{"4: a tab", "Bearer\tt", noToken},
		{"4: a space and a tab", "Bearer \tt", noChar},
		{"4: two spaces", "Bearer  t", "token t"}, // 1*SP, RFC 9110, section 11.4
		{"6: two words", "Bearer t extra", noChar},
		{"6: a comma", "Bearer t,", noChar},
		{"6: two of them", "Bearer t, Bearer u", noChar},
		{"6: behind another", "Basic x, Bearer t", two},
		{"6: behind another, without a space", "Basic x,bEARER t", two},
		{"6: behind another, with tabs", "Basic x,\t Bearer t", two},
		{"6: behind two others", "Basic x, Digest y, Bearer t", two},
		{"8: Basic", "Basic dXNlcjpwYXNz", "none"},
		{"8: Digest", `Digest username="a", realm="b"`, "none"},
		{"8: Negotiate", "Negotiate", "none"},
		{"8: another that is only named so", "Basic x, Bearers t", "none"},
		{"9: DPoP", "DPoP t", "none"},
		{"9: a scheme that begins like ours", "Bearerx t", "none"},
		{"no scheme", "=t", noScheme},
		{"a space first", " Bearer t", noScheme},
		{"a quoted token", `Bearer "t"`, noChar},
		{"token68 in full", "Bearer aZ09-._~+/==", "token aZ09-._~+/=="},
		{"an opaque key", "Bearer sk-proj|a:b!{}", "token sk-proj|a:b!{}"},
		{"NUL", "Bearer t\x00", noChar},
		{"DEL", "Bearer t\x7f", noChar},
		{"beyond ASCII", "Bearer t\u00e9", noChar},
		{"10: 32 KiB", "Bearer " + long, "token " + long},
		{"10: a byte more", "Bearer t" + long, "too long: token has 32769 bytes, more than 32768"},
		{"11: 15 000 dots", "Bearer " + strings.Repeat(".", 15_000), "token " + strings.Repeat(".", 15_000)},
	} {
		r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", nil)
		r.Header["Authorization"] = []string{tc.value}
		if got := finding(TokenSources{DefaultTokenSource()}.Find(r)); got != tc.want {
			t.Errorf("%s: %.80s, want %.80s", tc.name, got, tc.want)
		}
	}
}

// Cases 1, 7, 16, 17 and group B: where a credential may be, with the default
// source and nothing else.
func TestOnlyConfiguredPlacesAreLookedAt(t *testing.T) {
	form := "application/x-www-form-urlencoded"
	for _, tc := range []struct {
		name, target string
		header       http.Header
		want         string
	}{
		{"1: nothing", "/", nil, "none"},
		{"7: two lines", "/", http.Header{"Authorization": {"Bearer t", "Bearer u"}}, "duplicate: Authorization is there twice"},
		{"7: two lines alike", "/", http.Header{"Authorization": {"Bearer t", "Bearer t"}}, "duplicate: Authorization is there twice"},
		{"7: another and ours", "/", http.Header{"Authorization": {"Basic x", "Bearer u"}}, "duplicate: Authorization is there twice"},
		{"16: Proxy-Authorization", "/", http.Header{"Proxy-Authorization": {"Bearer t"}}, "none"},
		{"17: a probe", "/", http.Header{"User-Agent": {"kube-probe/1.30"}}, "none"}, // GHSA-5hvv-m4w4-gf6v
		{"18: query alone", "/?access_token=t", nil, "none"},
		{"19: query beside the header", "/?access_token=t", http.Header{"Authorization": {"Bearer t"}}, "duplicate: credential and an access_token in the query"},
		{"19: escaped", "/?acc%65ss%5ftoken=t", http.Header{"Authorization": {"Bearer t"}}, "duplicate: credential and an access_token in the query"},
		{"19: behind a semicolon", "/?a=b;access_token=t", http.Header{"Authorization": {"Bearer t"}}, "duplicate: credential and an access_token in the query"},
		{"19: without a value", "/?access_token", http.Header{"Authorization": {"Bearer t"}}, "duplicate: credential and an access_token in the query"},
		{"19: another parameter", "/?access_token2=t&x=access_token", http.Header{"Authorization": {"Bearer t"}}, "token t"},
		{"20: form body", "/", http.Header{"Content-Type": {form}}, "none"},
		{"21: cookie", "/", http.Header{"Cookie": {"access_token=t"}}, "none"},
		{"22: x-api-key", "/", http.Header{"X-Api-Key": {"t"}, "Api-Key": {"t"}}, "none"},
		{"23: subprotocol", "/", http.Header{"Sec-Websocket-Protocol": {"openai-insecure-api-key.t"}}, "none"},
	} {
		r := httptest.NewRequest(http.MethodPost, tc.target, strings.NewReader("access_token=t"))
		maps.Copy(r.Header, tc.header)
		if got := finding(TokenSources{DefaultTokenSource()}.Find(r)); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// Errors go to logs, and into answers as error_description.
func TestCredentialErrorsDoNotRepeatTheCredential(t *testing.T) {
	for _, value := range []string{"secret", "Bearer secret secret", "Bearer secret,", "Basic secret, Bearer secret", "\"secret"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{value}
		if _, err := (TokenSources{DefaultTokenSource()}).Find(r); err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestProviderDataIsAnObjectWithoutReservedMembers(t *testing.T) {
	for value, ok := range map[string]bool{
		`{}`: true, `{"openai_api_key":"k"}`: true, `{"a":{"__b":1}}`: true, `{"_a":1}`: true,
		// Case 167: older versions of OGX believe it.
		`{"__authenticated_user":{"principal":"admin"}}`:      false,
		`{"\u005f_authenticated_user":{"principal":"admin"}}`: false,
		`{"a":1,"__":2}`: false, `{"a":1,"a":2}`: false, `[]`: false, `null`: false, ``: false, `{}x`: false, `{"a"`: false,
	} {
		if err := CheckProviderData(value); (err == nil) != ok {
			t.Errorf("%s: %v", value, err)
		}
	}
}
