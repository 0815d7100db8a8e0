package providers

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/caddyserver/caddy/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/keyset"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/shared"
)

const (
	maxAnswerSize = 64 << 10 // a larger one is found out anew each time

	// noTTL is how long a *no* is reused: long enough for a client that tries
	// again at once, short enough for a key that is just being set up.
	noTTL = 10 * time.Second
)

// answersPool keeps the answers across configuration reloads.
var answersPool = shared.NewPool[*answers]()

// answerLimits bound what is remembered, in number and in memory, for all
// providers of the process together. Only good credentials get in among the
// yeses, so a flood of bad ones pushes nobody out; but people in hundreds of
// groups have answers a hundred times as large as others'.
type answerLimits struct {
	pool  string
	yeses int
	bytes int64
	noes  int
}

var (
	// ofTokens is for questions about a token alone.
	ofTokens = answerLimits{pool: "tokens", yeses: 16384, bytes: 24 << 20, noes: 8192}

	// ofRequests is for questions with more than a token: whoever has one good
	// key can ask as many of these as he likes, and must not push out what is
	// known of the tokens of others.
	ofRequests = answerLimits{pool: "requests", yeses: 4096, bytes: 4 << 20, noes: 1024}
)

// answerKey stands for a question wherever an answer is kept: the token itself
// is not. It is a keyed hash, so that what is in memory says nothing about
// tokens to whoever reads it without the key.
type answerKey [sha256.Size]byte

// shapeKey stands for all that an answer depends on besides the question: the
// provider's identity, and what in its configuration shapes an answer.
type shapeKey [sha256.Size]byte

// remembered is an answer with what it depends on.
type remembered struct {
	yes    *Yes
	no     *No
	key    keyset.Print // that verified the token; zero where a service judged
	stored time.Time    // when the judge was asked
	ends   time.Time    // the credential's own end; zero if that is not known
	size   int64
}

// live reports whether the credential's own time is not over.
func (a *remembered) live(now time.Time) bool { return a.ends.IsZero() || now.Before(a.ends) }

// age is how long ago the judge was asked, by whichever clock says more: one
// stands still while the machine sleeps, and the other can be set back.
func (a *remembered) age(now time.Time) time.Duration {
	return max(now.Sub(a.stored), now.Round(0).Sub(a.stored.Round(0)))
}

func (a *remembered) answer() Answer {
	if a.yes != nil {
		return a.yes
	}
	return a.no
}

// answers remembers what was said of credentials, and joins questions that are
// asked at the same time.
type answers struct {
	limits  answerLimits
	secret  [sha256.Size]byte
	yeses   *lru.Cache[answerKey, *remembered]
	noes    *lru.Cache[answerKey, *remembered]
	flights singleflight.Group

	bytes atomic.Int64 // of yeses
	adds  sync.Mutex   // so that two answers for one key are not mixed up, nor both counted
}

// acquireAnswers takes hold of the answers of the process to one kind of
// questions.
func acquireAnswers(limits answerLimits) (m *answers, release func() error, err error) {
	return answersPool.Acquire(limits.pool, func() (*answers, error) { return newAnswers(limits) })
}

func newAnswers(limits answerLimits) (*answers, error) {
	m := &answers{limits: limits}
	if _, err := rand.Read(m.secret[:]); err != nil {
		return nil, fmt.Errorf("making answer cache: %w", err)
	}
	var err error
	m.yeses, err = lru.NewWithEvict(limits.yeses, func(_ answerKey, gone *remembered) { m.bytes.Add(-gone.size) })
	if err != nil {
		return nil, fmt.Errorf("making answer cache: %w", err)
	}
	if m.noes, err = lru.New[answerKey, *remembered](limits.noes); err != nil {
		return nil, fmt.Errorf("making answer cache: %w", err)
	}
	return m, nil
}

// Destruct implements caddy.Destructor. Requests that are still under way may
// use what is left.
func (m *answers) Destruct() error {
	m.yeses.Purge()
	m.noes.Purge()
	return nil
}

// keyOf returns the key of a question. It hashes the text where it is: a copy
// of it, made for each request only to be read, was a third of the cost.
// sha256.Sum256 changes nothing.
func (m *answers) keyOf(shape *shapeKey, question string) answerKey {
	var parts [3 * sha256.Size]byte
	digest := sha256.Sum256(unsafe.Slice(unsafe.StringData(question), len(question)))
	copy(parts[:], m.secret[:])
	copy(parts[sha256.Size:], shape[:])
	copy(parts[2*sha256.Size:], digest[:])
	return sha256.Sum256(parts[:])
}

// addYes remembers a yes, and forgets the least recently used ones while all of
// them together are too large. It does not undo the answer to a question that was
// asked later: the slower one is from before the revocation, or from before
// rights were taken away.
func (m *answers) addYes(key answerKey, a *remembered) {
	a.size = sizeOf(a.yes.User)
	m.adds.Lock()
	defer m.adds.Unlock()
	if later, there := m.noes.Peek(key); there && !later.stored.Before(a.stored) {
		return
	}
	if later, there := m.yeses.Peek(key); there && later.stored.After(a.stored) {
		return
	}
	m.noes.Remove(key)
	// Replaced by Add, an answer for the same key would not be counted off.
	m.yeses.Remove(key)
	if a.size > maxAnswerSize {
		return
	}
	m.bytes.Add(a.size)
	m.yeses.Add(key, a)
	for m.bytes.Load() > m.limits.bytes {
		if _, _, there := m.yeses.RemoveOldest(); !there {
			return
		}
	}
}

// addNo remembers a no. Whatever was remembered of the credential before is
// over: it has been revoked. A slow one counts from what it ends, if that was
// asked for later: a yes from in between would seem to be the last word.
func (m *answers) addNo(key answerKey, a *remembered) {
	m.adds.Lock()
	defer m.adds.Unlock()
	if yes, there := m.yeses.Peek(key); there && yes.stored.After(a.stored) {
		a.stored = yes.stored
	}
	m.yeses.Remove(key)
	if no, there := m.noes.Peek(key); there && no.stored.After(a.stored) {
		return
	}
	m.noes.Add(key, a)
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

var _ caddy.Destructor = (*answers)(nil)
