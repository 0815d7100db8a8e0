// Package testgithub is a stand-in for GitHub's REST API in tests, as far as
// finding out whose a token is needs it, after GitHub's published description:
// GET /user, GET /user/orgs and POST /applications/{client_id}/token, with
// pages, entity tags, rate limits, scopes, and the errors that go with them.
package testgithub

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Version is the only version of the API that there is.
const Version = "2022-11-28"

// limit is how many requests a token has an hour.
const limit = 5000

// User is an account.
type User struct {
	ID    int64
	Login string
	// Organizations are those of which the user is a member.
	Organizations []Organization
	// More is what the answer has besides; it goes before what is there.
	More map[string]any
}

// Organization is an organization.
type Organization struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
}

// Token is what stands behind the text of a token.
type Token struct {
	// User is whose it is; nil for the token of an installation.
	User *User
	// Scopes are those of a classic or OAuth token.
	Scopes []string
	// FineGrained tokens show no organizations.
	FineGrained bool
	// App is the client id of the app that it was issued to; empty for none.
	App string
	// Expires is when it ends; zero for never.
	Expires time.Time

	spent int
	reset time.Time
}

// Request is a request that was received, with the status that it got.
type Request struct {
	Method, Path string // with the query
	Header       http.Header
	Body         string
	Status       int
}

// Server is the stand-in. Its fields may be changed before it is used; what
// Change changes, at any time.
type Server struct {
	// URL is the address of the API, empty without a listener.
	URL string
	// Base is what stands before all paths, as /api/v3 at an Enterprise Server.
	Base string
	// Apps are the secrets of apps by their client ids.
	Apps map[string]string

	mu        sync.Mutex
	tokens    map[string]*Token
	requests  []Request
	intercept http.HandlerFunc
}

// New starts a server on a loopback address.
func New(t testing.TB) *Server {
	t.Helper()
	s := NewUnstarted()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// NewUnstarted returns a server that is only an http.Handler, for tests that
// bring a listener, or none, of their own.
func NewUnstarted() *Server {
	return &Server{Apps: map[string]string{}, tokens: map[string]*Token{}}
}

// Issue makes a token good.
func (s *Server) Issue(text string, t Token) {
	s.Change(func() { s.tokens[text] = &t })
}

// Revoke makes a token bad.
func (s *Server) Revoke(text string) {
	s.Change(func() { delete(s.tokens, text) })
}

// Change lets users and tokens be changed while requests are served.
func (s *Server) Change(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// Intercept lets a handler answer the requests for which it writes something.
func (s *Server) Intercept(h http.HandlerFunc) {
	s.Change(func() { s.intercept = h })
}

// Exhaust uses up what a token has left of its rate limit.
func (s *Server) Exhaust(text string, reset time.Time) {
	s.Change(func() { s.tokens[text].spent, s.tokens[text].reset = limit, reset })
}

// Spent returns how much a token has used of its rate limit.
func (s *Server) Spent(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens[text].spent
}

// Requests returns what was received since it was last called.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.requests
	s.requests = nil
	return list
}

// Paths returns what was received since then, as "GET /user 200".
func (s *Server) Paths() []string {
	requests := s.Requests()
	paths := make([]string, 0, len(requests))
	for _, r := range requests {
		paths = append(paths, fmt.Sprintf("%s %s %d", r.Method, r.Path, r.Status))
	}
	return paths
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return
		}
	}
	answer := &recorder{ResponseWriter: w}
	s.mu.Lock()
	intercept := s.intercept
	s.mu.Unlock()
	if intercept != nil {
		intercept(answer, r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if answer.status == 0 {
		s.serve(answer, r, body)
	}
	s.requests = append(s.requests, Request{r.Method, r.URL.RequestURI(), r.Header, string(body), answer.status})
}

// serve answers as GitHub does.
func (s *Server) serve(answer http.ResponseWriter, r *http.Request, body []byte) {
	path, found := strings.CutPrefix(r.URL.Path, s.Base)
	client, isApp := strings.CutPrefix(path, "/applications/")
	client, isCheck := strings.CutSuffix(client, "/token")
	switch {
	case r.UserAgent() == "":
		Refuse(answer, http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header")
	case r.Header.Get("X-Github-Api-Version") != Version:
		Refuse(answer, http.StatusBadRequest, "API version is not supported")
	case found && path == "/user" && r.Method == http.MethodGet:
		s.serveUser(answer, r)
	case found && path == "/user/orgs" && r.Method == http.MethodGet:
		s.serveOrganizations(answer, r)
	case found && isApp && isCheck && r.Method == http.MethodPost:
		s.serveCheck(answer, r, client, body)
	default:
		Refuse(answer, http.StatusNotFound, "Not Found")
	}
}

// recorder keeps the status.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	return r.ResponseWriter.Write(b)
}

// Refuse answers with an error as GitHub words it.
func Refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"message":%q,"documentation_url":"https://docs.github.com/rest","status":"%d"}`, message, status)
}

// bearer finds the token of a request, and refuses bad ones and those that have
// nothing left.
func (s *Server) bearer(w http.ResponseWriter, r *http.Request) (string, *Token) {
	text, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	t := s.tokens[text]
	if !isBearer || t == nil || !t.Expires.IsZero() && !time.Now().Before(t.Expires) {
		Refuse(w, http.StatusUnauthorized, "Bad credentials")
		return "", nil
	}
	if now := time.Now(); !now.Before(t.reset) {
		t.spent, t.reset = 0, now.Add(time.Hour)
	}
	if t.spent >= limit {
		t.rate(w.Header())
		Refuse(w, http.StatusForbidden, "API rate limit exceeded for user ID "+strconv.FormatInt(t.User.ID, 10)+".")
		return "", nil
	}
	return text, t
}

func (t *Token) rate(h http.Header) {
	h.Set("X-Ratelimit-Limit", strconv.Itoa(limit))
	h.Set("X-Ratelimit-Used", strconv.Itoa(t.spent))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(limit-t.spent))
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(t.reset.Unix(), 10))
	h.Set("X-Ratelimit-Resource", "core")
}
