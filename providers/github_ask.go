package providers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

const (
	// githubVersion is the version of the API that answers are read as.
	githubVersion = "2022-11-28"

	githubUserPath = "/user"

	// maxGitHubLists is how many pages of organizations are read. Nobody is a
	// member of ten thousand; a list that does not end is not a list.
	maxGitHubLists = 100
)

// githubListSize is how many organizations a page has: GitHub's most.
const githubListSize = 100

// githubListPath returns where a page of the user's organizations is. It is made
// here and never taken from an answer, which could send the token elsewhere.
func githubListPath(page int) string {
	return fmt.Sprintf("/user/orgs?per_page=%d&page=%d", githubListSize, page)
}

// askUser asks whose token it is. Without a user there is an answer.
func (g *GitHubToken) askUser(ctx context.Context, token string) (*githubUser, Answer) {
	page, reply, err := g.read(ctx, token, githubUserPath, readGitHubUser)
	switch {
	case err != nil:
		return nil, cannotRead(reply, "GitHub: user", err)
	case page != nil && page.user.suspended:
		return nil, &No{Reason: "GitHub: the account is suspended"}
	case page != nil:
		return page.user, nil
	case reply.Status == http.StatusUnauthorized:
		return nil, &No{Reason: "GitHub: status 401"}
	}
	if wait, limited := githubLimit(reply, time.Now()); limited {
		return nil, overLimit(reply, wait)
	}
	if reply.Status == http.StatusForbidden {
		// The token of an installation, a permission that is missing, an account
		// that is suspended. What GitHub says only for now was found above.
		return nil, &No{Reason: "GitHub: status 403"}
	}
	return nil, Unusable(reply, "GitHub: user: status %d", reply.Status)
}

// askOrganizations asks for all organizations that the token shows. A page that
// fails leaves unknown what is on it: a part is not the whole.
func (g *GitHubToken) askOrganizations(ctx context.Context, token string) ([]githubOrganization, Answer) {
	var all []githubOrganization
	for number := 1; number <= maxGitHubLists; number++ {
		page, reply, err := g.read(ctx, token, githubListPath(number), readGitHubOrganizations)
		if err != nil {
			return nil, cannotRead(reply, "GitHub: organizations", err)
		}
		if page == nil {
			if wait, limited := githubLimit(reply, time.Now()); limited {
				return nil, overLimit(reply, wait)
			}
			if reply.Status == http.StatusForbidden {
				// Whoever has the token can take the scope off it.
				cannot := Unusable(reply, "GitHub: organizations: status 403 (a classic or OAuth token needs the scope read:org)")
				cannot.Provoked = true
				return nil, cannot
			}
			return nil, Unusable(reply, "GitHub: organizations: status %d", reply.Status)
		}
		all = append(all, page.organizations...)
		if !page.more {
			return all, nil
		}
	}
	return nil, &CannotTell{Err: fmt.Errorf("GitHub: organizations: more than %d pages", maxGitHubLists), Answered: true}
}

// read asks for what is at the path, and returns what the answer says. GitHub
// is told what is known already, so that an answer that has not changed counts
// against nobody's rate limit. Without a page there is a reply, whose status is
// for the caller to judge; an error comes with a reply where there was one.
func (g *GitHubToken) read(
	ctx context.Context, token, path string, reader func(*Reply) (*githubPage, error),
) (*githubPage, *Reply, error) {
	key := g.pageKey(token, path)
	known := g.pages.get(key)
	reply, err := g.get(ctx, token, path, known)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case reply.Status == http.StatusNotModified && known != nil:
		return known, reply, nil
	case reply.Status == http.StatusUnauthorized:
		g.forget(token)
	case reply.Status == http.StatusOK:
		page, err := reader(reply)
		if err != nil {
			g.pages.remove(key)
			return nil, reply, err
		}
		page.tag = tagOf(reply.Header)
		g.pages.put(key, page)
		return page, reply, nil
	}
	return nil, reply, nil
}

// pageKey stands for an answer: for what was asked, with which token, of whom.
// A path has no space, so that no two questions are one text.
func (g *GitHubToken) pageKey(token, path string) answerKey {
	return g.answers.keyOf(&g.trust, path+" "+token)
}

// forget drops all that is known by a token that is not good any more.
func (g *GitHubToken) forget(token string) {
	g.pages.remove(g.pageKey(token, githubUserPath))
	for number := 1; g.pages.remove(g.pageKey(token, githubListPath(number))); number++ {
	}
}

func (g *GitHubToken) get(ctx context.Context, token, path string, known *githubPage) (*Reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.base+path, nil)
	if err != nil {
		return nil, errors.New("preparing request to GitHub")
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if known != nil {
		req.Header.Set("If-None-Match", known.tag)
	}
	return g.send(req)
}

func (g *GitHubToken) send(req *http.Request) (*Reply, error) {
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-Github-Api-Version", githubVersion)
	return g.Fetch(req)
}

// checkApplication asks whether the token was issued to the configured app, and
// returns when it ends, if GitHub says. Anything but a yes is an answer.
func (g *GitHubToken) checkApplication(ctx context.Context, token string) (time.Time, Answer) {
	body, err := json.Marshal(map[string]string{"access_token": token})
	if err != nil {
		return time.Time{}, &CannotTell{Err: errors.New("preparing request to GitHub"), Answered: true}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.base+g.application.path(), bytes.NewReader(body))
	if err != nil {
		return time.Time{}, &CannotTell{Err: errors.New("preparing request to GitHub")}
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(g.application.ClientID, g.application.ClientSecret)
	reply, err := g.send(req)
	if err != nil {
		return time.Time{}, &CannotTell{Err: err}
	}
	switch reply.Status {
	case http.StatusOK:
		return g.judgeApplication(reply)
	case http.StatusNotFound, http.StatusUnprocessableEntity:
		return time.Time{}, &No{Reason: fmt.Sprintf("GitHub: not a token of the configured application: status %d", reply.Status)}
	}
	if wait, limited := githubLimit(reply, time.Now()); limited {
		// The gateway's own limit, and so everybody's: asking on would not help.
		return time.Time{}, &CannotTell{
			Err: fmt.Errorf("GitHub: the application's rate limit is used up: status %d", reply.Status), RetryAfter: wait,
		}
	}
	switch reply.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		// That is about us, and not about the caller.
		return time.Time{}, Unusable(reply, "GitHub refuses the gateway's client_id and client_secret: status %d", reply.Status)
	}
	return time.Time{}, Unusable(reply, "GitHub: application: status %d", reply.Status)
}

func (g *GitHubToken) judgeApplication(reply *Reply) (time.Time, Answer) {
	issued, err := readGitHubGrant(reply.Body)
	switch {
	case err != nil:
		return time.Time{}, Unusable(reply, "GitHub: application: %w", err)
	case issued.clientID != g.application.ClientID:
		return time.Time{}, &No{Reason: "GitHub: token was issued to another application"}
	}
	return issued.expires, nil
}

// cannotRead is what a call that gave nothing, or nothing readable, comes to.
func cannotRead(reply *Reply, what string, err error) Answer {
	if reply == nil {
		return &CannotTell{Err: err}
	}
	return Unusable(reply, "%s: %w", what, err)
}

// overLimit is what a caller hears who has asked GitHub too often. That limit is
// the caller's own, so the breaker takes no notice of it.
func overLimit(reply *Reply, wait time.Duration) Answer {
	return &CannotTell{Err: fmt.Errorf("GitHub: rate limit: status %d", reply.Status), RetryAfter: wait, Answered: true, Provoked: true}
}

// githubLimit reports whether an answer only says that there were too many
// requests, or failures, and for how long: then the token may be good. Of
// secondary limits, and of the lock after failed logins, there is nothing but
// the message, and GitHub's advice to wait for a minute.
func githubLimit(reply *Reply, now time.Time) (time.Duration, bool) {
	usedUp := strings.TrimSpace(reply.Header.Get("X-Ratelimit-Remaining")) == "0"
	dated := reply.Header.Get("Retry-After") != ""
	switch {
	case reply.Status == http.StatusTooManyRequests:
	case reply.Status == http.StatusForbidden && (usedUp || dated || saysTooMany(reply.Body)):
	default:
		return 0, false
	}
	wait := reply.RetryAfter(now)
	if wait == 0 && usedUp {
		if reset, err := strconv.ParseInt(reply.Header.Get("X-Ratelimit-Reset"), 10, 64); err == nil {
			wait = time.Duration(min(max(reset-now.Unix(), 0), 3600)) * time.Second
		}
	}
	if !usedUp && !dated {
		wait = time.Minute
	}
	return min(max(wait, time.Second), time.Hour), true
}

func saysTooMany(body []byte) bool {
	message, _ := strictjson.String(body, "message")
	message = strings.ToLower(message)
	for _, phrase := range []string{"rate limit", "abuse detection", "number of login attempts"} {
		if strings.Contains(message, phrase) {
			return true
		}
	}
	return false
}
