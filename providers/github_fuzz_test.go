package providers

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/fetch"
)

// Any answer to GET /user: what is read as a user is one to encoding/json too,
// with the very same id and login.
func FuzzGitHubUserIsWhatEncodingJSONReads(f *testing.F) {
	for _, seed := range []string{
		`{"id":1,"login":"alice","type":"User"}`, `{"id":1.0,"login":"a"}`, `{"id":1e2,"login":"a"}`, `{"id":1,"id":2,"login":"a"}`,
		`{"id":9223372036854775807,"login":"a","suspended_at":null}`, `{"login":"a"}`, `[]`, ``, "{\"id\":1,\"login\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		page, err := readGitHubUser(&fetch.Reply{Body: body})
		if (err == nil) != (page != nil) {
			t.Fatalf("page is %v, error is %v", page, err)
		}
		if err != nil {
			return
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		var id int64
		var login string
		if json.Unmarshal(members["id"], &id) != nil || json.Unmarshal(members["login"], &login) != nil {
			t.Fatalf("id is %s, login is %s", members["id"], members["login"])
		}
		if page.user.id != strconv.FormatInt(id, 10) || id <= 0 || page.user.login != login || login == "" {
			t.Errorf("read as %+v, is %d and %q", page.user, id, login)
		}
	})
}

// Any answer to GET /user/orgs: what is read as a list is that list, to its end.
func FuzzGitHubOrganizationsAreWhatEncodingJSONReads(f *testing.F) {
	for _, seed := range []string{
		`[]`, `[{"id":1,"login":"acme"},{"id":2,"login":"oss"}]`, `[{"id":1}]`, `{}`, `null`, ``, `[],"":[]`, `[],"x":1`, `[]}`,
		`[{"id":1,"login":"a"}`, ` [ ] `, `[null]`, `[[{"id":1,"login":"a"}]]`,
	} {
		f.Add([]byte(seed), `<https://x/?page=2>; rel="next"`)
	}
	f.Fuzz(func(t *testing.T, body []byte, link string) {
		page, err := readGitHubOrganizations(&fetch.Reply{Body: body, Header: http.Header{"Link": {link}}})
		if err != nil {
			return
		}
		var list []map[string]json.RawMessage
		if err := json.Unmarshal(body, &list); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		if len(list) != len(page.organizations) {
			t.Fatalf("%d organizations are %d", len(list), len(page.organizations))
		}
		for i, o := range page.organizations {
			var id int64
			var login string
			if json.Unmarshal(list[i]["id"], &id) != nil || json.Unmarshal(list[i]["login"], &login) != nil {
				t.Fatalf("id is %s, login is %s", list[i]["id"], list[i]["login"])
			}
			if o.id != strconv.FormatInt(id, 10) || id <= 0 || o.login != login || login == "" {
				t.Errorf("read as %+v, is %d and %q", o, id, login)
			}
		}
		if page.more && !strings.Contains(strings.ToLower(strings.ReplaceAll(link, `\`, "")), "next") {
			t.Errorf("%q has a next page", link)
		}
	})
}

// Any Link: a next page that is there is found, however much stands around it,
// or nothing is read at all. The end of a list is never made up.
func FuzzANextPageIsNeverOverlooked(f *testing.F) {
	f.Add(`<https://x/?page=1>; rel="first"`, `; title="a, b"`)
	f.Add(`<x>`, "")
	f.Add(`,`, `;a;b=c`)
	f.Add(`<x>; rel="last`, `"`)
	f.Fuzz(func(t *testing.T, before, parameters string) {
		alone, err := hasNextPage(http.Header{"Link": {before}})
		if err != nil && alone {
			t.Errorf("%q: a next page and an error", before)
		}
		// On a line of its own it is there unless what is before it is open.
		more, errBoth := hasNextPage(http.Header{"Link": {before, `<https://x/?page=2>; rel="next"`}})
		if err == nil && (errBoth != nil || !more) {
			t.Errorf("%q hides the next page: %t, %v", before, more, errBoth)
		}
		own := `<https://x/?page=2>; rel="next"` + parameters
		if more, err := hasNextPage(http.Header{"Link": {own}}); err == nil && !more {
			t.Errorf("%q has no next page", own)
		}
	})
}

// Any answer about an app: only the very client id is believed.
func FuzzGitHubGrantHasTheClientIDThatIsThere(f *testing.F) {
	for _, seed := range []string{
		`{"app":{"client_id":"Iv1.app"},"expires_at":null}`, `{"app":{"client_id":"x"},"expires_at":"2027-01-01T00:00:00Z"}`,
		`{"app":{"client_id":"x","client_id":"y"}}`, `{"app":[]}`, `{}`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		grant, err := readGitHubGrant(body)
		if err != nil {
			return
		}
		var members map[string]json.RawMessage
		var app map[string]any
		if json.Unmarshal(body, &members) != nil || json.Unmarshal(members["app"], &app) != nil {
			t.Fatal("encoding/json refuses it")
		}
		if app["client_id"] != grant.clientID || grant.clientID == "" {
			t.Errorf("client id is %q, is %v", grant.clientID, app["client_id"])
		}
	})
}
