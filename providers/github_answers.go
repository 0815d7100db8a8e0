package providers

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

// The claims that are made of GitHub's answers. What users write about
// themselves is not among them: a mapping of `company` would let each choose
// the attributes that rules are about.
const (
	claimPrincipal       = "principal"
	claimOrganizations   = "organizations"
	claimOrganizationIDs = "organization_ids"
)

// githubUser is what GET /user says of an account.
type githubUser struct {
	id, login, kind string
	suspended       bool
	expires         time.Time // of the token; zero if that is not said
}

// githubOrganization is an element of GET /user/orgs.
type githubOrganization struct{ id, login string }

// githubGrant is what POST /applications/{client_id}/token says of a token.
type githubGrant struct {
	clientID string
	expires  time.Time
}

// claims returns the user as claims. The principal has a name of its own, so
// that `principal_claim login` makes the bare login the principal.
func (u *githubUser) claims() map[string]any {
	claims := map[string]any{claimPrincipal: "github:" + u.id, "id": u.id, "login": u.login}
	if u.kind != "" {
		claims["type"] = u.kind
	}
	return claims
}

func addOrganizations(claims map[string]any, organizations []githubOrganization) {
	logins, ids := make([]any, 0, len(organizations)), make([]any, 0, len(organizations))
	for _, o := range organizations {
		logins, ids = append(logins, o.login), append(ids, o.id)
	}
	claims[claimOrganizations], claims[claimOrganizationIDs] = logins, ids
}

// readGitHubUser reads the answer of GET /user.
func readGitHubUser(reply *Reply) (*githubPage, error) {
	members, err := strictjson.Object(reply.Body)
	if err != nil {
		return nil, err
	}
	u := &githubUser{suspended: members["suspended_at"] != nil, expires: tokenExpiration(reply.Header)}
	u.kind, _ = members["type"].(string)
	if u.id, u.login, err = account(members); err != nil {
		return nil, err
	}
	return &githubPage{user: u}, nil
}

// readGitHubOrganizations reads the answer of GET /user/orgs.
func readGitHubOrganizations(reply *Reply) (*githubPage, error) {
	list, err := strictjson.List(reply.Body)
	if err != nil {
		return nil, err
	}
	if len(list) > githubListSize {
		return nil, fmt.Errorf("more than the %d organizations that were asked for", githubListSize)
	}
	page := &githubPage{organizations: make([]githubOrganization, 0, len(list))}
	for _, element := range list {
		members, ok := element.(map[string]any)
		if !ok {
			return nil, errors.New("expected a list of JSON objects")
		}
		var o githubOrganization
		if o.id, o.login, err = account(members); err != nil {
			return nil, err
		}
		page.organizations = append(page.organizations, o)
	}
	page.more, err = hasNextPage(reply.Header)
	return page, err
}

// readGitHubGrant reads the answer of POST /applications/{client_id}/token.
func readGitHubGrant(body []byte) (*githubGrant, error) {
	members, err := strictjson.Object(body)
	if err != nil {
		return nil, err
	}
	grant := new(githubGrant)
	app, _ := members["app"].(map[string]any)
	if grant.clientID, _ = app["client_id"].(string); grant.clientID == "" {
		return nil, errors.New("app.client_id is not a string with something in it")
	}
	switch expires := members["expires_at"].(type) {
	case nil:
	case string:
		if grant.expires, err = time.Parse(time.RFC3339, expires); err != nil {
			return nil, errors.New("expires_at is not a time")
		}
	default:
		return nil, errors.New("expires_at is not a string")
	}
	return grant, nil
}

// account returns what every account has: an id, which is its own for ever, and
// a login, which is so for now.
func account(members map[string]any) (id, login string, err error) {
	number, _ := members["id"].(strictjson.Number)
	// Neither sign, fraction nor exponent: 1, 1.0 and 1e0 must not be three users.
	n, err := strconv.ParseUint(string(number), 10, 63)
	if err != nil || n == 0 {
		return "", "", errors.New("id is not a positive integer")
	}
	if login, _ = members["login"].(string); login == "" {
		return "", "", errors.New("login is not a string with something in it")
	}
	return strconv.FormatUint(n, 10), login, nil
}

// tokenExpiration returns when GitHub says that the token ends. Only zones with
// an offset, and UTC, are read: of others Go would make up the offset. What
// cannot be read is as good as not there, for GitHub checks the end itself.
func tokenExpiration(header http.Header) time.Time {
	value := header.Get("Github-Authentication-Token-Expiration")
	for _, layout := range []string{"2006-01-02 15:04:05 UTC", "2006-01-02 15:04:05 -0700"} {
		if t, err := time.Parse(layout, value); err == nil {
			return t
		}
	}
	return time.Time{}
}

// errLink says that it cannot be told whether a page is the last.
var errLink = errors.New("the Link header cannot be read")

// hasNextPage reports whether an answer says that another page follows (RFC
// 8288). A Link that cannot be read is an error, and not the end of the list.
func hasNextPage(header http.Header) (bool, error) {
	rest := strings.Join(header.Values("Link"), ",")
	next := false
	for {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			return next, nil
		}
		_, parameters, closed := strings.Cut(rest, ">")
		if !closed || rest[0] != '<' {
			return false, errLink
		}
		var relations string
		var err error
		if relations, rest, err = linkRelations(parameters); err != nil {
			return false, err
		}
		for relation := range strings.FieldsSeq(relations) {
			next = next || strings.EqualFold(relation, "next")
		}
	}
}

// linkRelations reads the parameters of one link and returns its relations, and
// what stands behind it. Of several `rel` the first counts (RFC 8288, section 3.3).
func linkRelations(s string) (relations, rest string, err error) {
	found := false
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" || s[0] == ',' {
			return relations, s, nil
		}
		if s[0] != ';' {
			return "", "", errLink
		}
		var name, value string
		name, s = cutToken(strings.TrimLeft(s[1:], " \t"))
		s = strings.TrimLeft(s, " \t")
		if name == "" {
			return "", "", errLink
		}
		if strings.HasPrefix(s, "=") {
			if value, s, err = linkValue(strings.TrimLeft(s[1:], " \t")); err != nil {
				return "", "", err
			}
		}
		if !found && strings.EqualFold(name, "rel") {
			relations, found = value, true
		}
	}
}

// linkValue reads a token or a quoted string.
func linkValue(s string) (value, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		if value, rest = cutToken(s); value == "" {
			return "", "", errLink
		}
		return value, rest, nil
	}
	var text strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return text.String(), s[i+1:], nil
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		text.WriteByte(s[i])
	}
	return "", "", errLink
}

func cutToken(s string) (token, rest string) {
	end := 0
	for end < len(s) && isTokenChar(s[end]) {
		end++
	}
	return s[:end], s[end:]
}
