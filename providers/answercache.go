package providers

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/caddyserver/caddy/v2"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/keyset"
)

// A cache is bounded in number and in memory. Only good tokens get in, so a
// flood of bad ones pushes nobody out; but people in hundreds of groups have
// answers a hundred times as large as others'.
const (
	maxAnswers     = 16384
	maxAnswerBytes = 24 << 20
	maxAnswerSize  = 64 << 10 // a larger one is found out anew each time
)

// answerCaches keeps caches across configuration reloads.
var answerCaches = caddy.NewUsagePool()

// tokenDigest stands for a token wherever one is kept: the token itself is
// not.
type tokenDigest [sha256.Size]byte

// digestOf hashes a token where it is: a copy of it, made for each request
// only to be read, was a third of the cost. sha256.Sum256 changes nothing.
func digestOf(token string) tokenDigest {
	return sha256.Sum256(unsafe.Slice(unsafe.StringData(token), len(token)))
}

// cachedAnswer is a yes with what it depends on.
type cachedAnswer struct {
	yes    *Yes
	key    keyset.Print // that verified the token
	stored time.Time
	ends   time.Time // exp and leeway
	size   int64
}

// answerCache remembers which tokens were good.
type answerCache struct {
	lru   *lru.Cache[tokenDigest, *cachedAnswer]
	bytes atomic.Int64
	adds  sync.Mutex // two adds for one token at once would count both
	pool  string
}

// acquireAnswers returns the cache for answers of the given shape: all that an
// answer depends on besides the token, so that no answer is ever given to a
// question that was not asked.
func acquireAnswers(shape string) (*answerCache, error) {
	key := fmt.Sprintf("%x", sha256.Sum256([]byte(shape)))
	v, _, err := answerCaches.LoadOrNew(key, func() (caddy.Destructor, error) {
		return newAnswerCache(key)
	})
	if err != nil {
		return nil, err
	}
	return v.(*answerCache), nil
}

func newAnswerCache(pool string) (*answerCache, error) {
	c := &answerCache{pool: pool}
	var err error
	c.lru, err = lru.NewWithEvict(maxAnswers, func(_ tokenDigest, gone *cachedAnswer) {
		c.bytes.Add(-gone.size)
	})
	if err != nil {
		return nil, fmt.Errorf("making answer cache: %w", err)
	}
	return c, nil
}

// add remembers an answer, and forgets the least recently used ones while all
// of them together are too large.
func (c *answerCache) add(digest tokenDigest, a *cachedAnswer) {
	a.size = sizeOf(a.yes.User)
	if a.size > maxAnswerSize {
		return
	}
	c.adds.Lock()
	defer c.adds.Unlock()
	// Replaced by Add, an answer for the same token would not be counted off.
	c.lru.Remove(digest)
	c.bytes.Add(a.size)
	c.lru.Add(digest, a)
	for c.bytes.Load() > maxAnswerBytes {
		if _, _, there := c.lru.RemoveOldest(); !there {
			return
		}
	}
}

// sizeOf estimates what remembering a user costs, in bytes: a fixed part for
// the entry, and what each value and its place in the lists take.
func sizeOf(u *abac.User) int64 {
	const entry, value = 512, 48
	size := entry + len(u.Principal) + len(u.Tenant) + len(u.Attributes.JSON())
	for attribute := range u.Attributes.All() {
		size += value + len(attribute.Name)
		for _, v := range attribute.Values {
			size += value + len(v)
		}
	}
	return int64(size)
}

// Destruct implements caddy.Destructor.
func (c *answerCache) Destruct() error {
	c.lru.Purge()
	return nil
}

func (c *answerCache) release() error {
	_, err := answerCaches.Delete(c.pool)
	return err
}
