// Package shared keeps what several modules use, and what must outlive a reload
// of the configuration: Caddy loads the new modules before it cleans up the old
// ones, so that there is always a user.
package shared

import (
	"sync"

	"github.com/caddyserver/caddy/v2"
)

// Pool keeps values of one type under keys that say what they physically are.
type Pool[T caddy.Destructor] struct{ *caddy.UsagePool }

// NewPool returns an empty pool.
func NewPool[T caddy.Destructor]() Pool[T] { return Pool[T]{caddy.NewUsagePool()} }

// Acquire takes hold of the value that is under the key, and makes it if nobody
// holds one. It ends with the last of its users, each of whom gives it back by
// release. Only the first call of release counts: a user who is counted off
// twice would end it under another.
func (p Pool[T]) Acquire(key string, construct func() (T, error)) (value T, release func() error, err error) {
	v, _, err := p.LoadOrNew(key, func() (caddy.Destructor, error) { return construct() })
	if err != nil {
		return value, nil, err
	}
	release = sync.OnceValue(func() error {
		_, err := p.Delete(key)
		return err
	})
	return v.(T), release, nil
}
