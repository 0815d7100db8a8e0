package providers

import (
	"crypto/sha256"
	"fmt"
	"time"
	"unsafe"

	"github.com/caddyserver/caddy/v2"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/keyset"
)

// maxAnswers bounds a cache. Only good tokens get in, so a flood of bad ones
// pushes nobody out.
const maxAnswers = 16384

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
}

// answerCache remembers which tokens were good.
type answerCache struct {
	lru  *lru.Cache[tokenDigest, *cachedAnswer]
	pool string
}

// acquireAnswers returns the cache for answers of the given shape: all that an
// answer depends on besides the token, so that no answer is ever given to a
// question that was not asked.
func acquireAnswers(shape string) (*answerCache, error) {
	key := fmt.Sprintf("%x", sha256.Sum256([]byte(shape)))
	v, _, err := answerCaches.LoadOrNew(key, func() (caddy.Destructor, error) {
		entries, err := lru.New[tokenDigest, *cachedAnswer](maxAnswers)
		if err != nil {
			return nil, fmt.Errorf("making answer cache: %w", err)
		}
		return &answerCache{lru: entries, pool: key}, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*answerCache), nil
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
