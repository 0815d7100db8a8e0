package testgithub

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

func (s *Server) serveUser(w http.ResponseWriter, r *http.Request) {
	text, t := s.bearer(w, r)
	switch {
	case t == nil:
	case t.User == nil:
		Refuse(w, http.StatusForbidden, "Resource not accessible by integration")
	default:
		u := map[string]any{
			"id": t.User.ID, "login": t.User.Login, "type": "User", "site_admin": false, "name": nil, "company": nil,
			"email": nil, "two_factor_authentication": true,
		}
		maps.Copy(u, t.User.More)
		t.answer(w, r, text, u)
	}
}

func (s *Server) serveOrganizations(w http.ResponseWriter, r *http.Request) {
	text, t := s.bearer(w, r)
	if t == nil {
		return
	}
	if !t.FineGrained && !slices.Contains(t.Scopes, "read:org") && !slices.Contains(t.Scopes, "user") {
		t.rate(w.Header())
		Refuse(w, http.StatusForbidden, "You need at least read:org scope or user scope to list your organizations.")
		return
	}
	list := []Organization{}
	if !t.FineGrained {
		list = t.User.Organizations
	}
	size, page := number(r, "per_page", 30), number(r, "page", 1)
	size = min(size, 100)
	first := min((page-1)*size, len(list))
	last := min(first+size, len(list))
	if pages := (len(list) + size - 1) / size; page < pages {
		w.Header().Set("Link", fmt.Sprintf(`<%[1]s/user/orgs?per_page=%[2]d&page=%[3]d>; rel="next", <%[1]s/user/orgs?per_page=%[2]d&page=%[4]d>; rel="last"`,
			s.URL, size, page+1, pages))
	} else if page > 1 {
		w.Header().Set("Link", fmt.Sprintf(`<%s/user/orgs?per_page=%d&page=1>; rel="first"`, s.URL, size))
	}
	t.answer(w, r, text, append([]Organization{}, list[first:last]...))
}

func number(r *http.Request, name string, otherwise int) int {
	if n, err := strconv.Atoi(r.URL.Query().Get(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// answer sends v, or that it has not changed, which costs nothing.
func (t *Token) answer(w http.ResponseWriter, r *http.Request, text string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		Refuse(w, http.StatusInternalServerError, "Server Error")
		return
	}
	h := w.Header()
	tag := fmt.Sprintf(`W/"%x"`, sha256.Sum256(append([]byte(text+h.Get("Link")), body...)))
	h.Set("ETag", tag)
	h.Set("Cache-Control", "private, max-age=60, s-maxage=60")
	h.Set("Vary", "Accept, Authorization, Cookie, X-GitHub-OTP")
	if !t.Expires.IsZero() {
		h.Set("Github-Authentication-Token-Expiration", t.Expires.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if r.Header.Get("If-None-Match") == tag {
		t.rate(h)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	t.spent++
	t.rate(h)
	h.Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(body)
}

func (s *Server) serveCheck(w http.ResponseWriter, r *http.Request, client string, body []byte) {
	id, secret, found := r.BasicAuth()
	if want, known := s.Apps[client]; !found || !known || id != client || secret != want {
		Refuse(w, http.StatusUnauthorized, "Bad credentials")
		return
	}
	var asked struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &asked); err != nil || asked.AccessToken == "" {
		Refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	t := s.tokens[asked.AccessToken]
	if t == nil || t.App != client {
		Refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	answer := map[string]any{"id": 1, "app": map[string]any{"client_id": client, "name": "stand-in"}, "scopes": t.Scopes, "expires_at": nil}
	if !t.Expires.IsZero() {
		answer["expires_at"] = t.Expires.UTC().Format(time.RFC3339)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(answer)
}
