package providers

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/shared"
)

// What is kept of GitHub's answers is bounded in number and in memory. Only good
// tokens get in; to be pushed out costs a caller one request of the rate limit.
const (
	maxGitHubPages     = 8192
	maxGitHubPageBytes = 4 << 20
	maxGitHubPageSize  = 32 << 10 // a larger one is read anew each time
	maxTag             = 256
)

// githubPagesPool keeps the answers across configuration reloads.
var githubPagesPool = shared.NewPool[*githubPages]()

// githubPage is what one answer of GitHub said, with the tag by which GitHub can
// say that it still does. It is not changed once it is kept.
type githubPage struct {
	tag           string
	user          *githubUser
	organizations []githubOrganization
	more          bool // another page follows
}

// githubPages keeps answers by their pageKey. None of them lets anybody in: they
// are only used when GitHub, asked with the same token, says that nothing has
// changed.
type githubPages struct {
	pages *lru.Cache[answerKey, *githubPage]
	bytes atomic.Int64
	adds  sync.Mutex // two for one key at once would both be counted
}

// acquireGitHubPages takes hold of the answers, of all GitHubs together.
func acquireGitHubPages() (p *githubPages, release func() error, err error) {
	return githubPagesPool.Acquire("github", newGitHubPages)
}

func newGitHubPages() (*githubPages, error) {
	p := new(githubPages)
	var err error
	p.pages, err = lru.NewWithEvict(maxGitHubPages, func(_ answerKey, gone *githubPage) { p.bytes.Add(-gone.size()) })
	if err != nil {
		return nil, fmt.Errorf("making store of GitHub's answers: %w", err)
	}
	return p, nil
}

// Destruct implements caddy.Destructor. Requests that are still under way may
// use what is left.
func (p *githubPages) Destruct() error {
	p.pages.Purge()
	return nil
}

func (p *githubPages) get(key answerKey) *githubPage {
	page, _ := p.pages.Get(key)
	return page
}

// put keeps a page in place of the one before it, and forgets the least recently
// used ones while all of them together are too large. One without a tag can
// never be asked for again.
func (p *githubPages) put(key answerKey, page *githubPage) {
	p.adds.Lock()
	defer p.adds.Unlock()
	// Replaced by Add, a page for the same key would not be counted off.
	p.pages.Remove(key)
	size := page.size()
	if page.tag == "" || size > maxGitHubPageSize {
		return
	}
	p.bytes.Add(size)
	p.pages.Add(key, page)
	for p.bytes.Load() > maxGitHubPageBytes {
		if _, _, there := p.pages.RemoveOldest(); !there {
			return
		}
	}
}

// remove forgets a page, and reports whether there was one.
func (p *githubPages) remove(key answerKey) bool { return p.pages.Remove(key) }

// size estimates what keeping the page costs, in bytes: a fixed part for the
// entry, and what each organization takes with the places of its two strings.
func (p *githubPage) size() int64 {
	const entry, value = 512, 64
	size := entry + len(p.tag)
	if p.user != nil {
		size += value + len(p.user.id) + len(p.user.login) + len(p.user.kind)
	}
	for _, o := range p.organizations {
		size += value + len(o.id) + len(o.login)
	}
	return int64(size)
}

// tagOf returns the entity tag of an answer (RFC 9110, section 8.8.3), empty for
// none that could be sent back as it is.
func tagOf(header http.Header) string {
	tag := header.Get("ETag")
	opaque := strings.TrimPrefix(tag, "W/")
	if len(tag) > maxTag || len(opaque) < 2 || opaque[0] != '"' || opaque[len(opaque)-1] != '"' {
		return ""
	}
	for _, c := range []byte(opaque[1 : len(opaque)-1]) {
		if c <= ' ' || c > '~' || c == '"' {
			return ""
		}
	}
	return tag
}

var _ caddy.Destructor = (*githubPages)(nil)
