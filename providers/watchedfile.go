package providers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/shared"
)

const (
	// watchPeriod is how often a file is looked at.
	watchPeriod = time.Second

	// watchHolds is how long what a file last said counts while the file is
	// broken or gone.
	watchHolds = time.Minute

	maxWatchedFile = 8 << 20
)

// watchedFiles keeps the watches across configuration reloads, by absolute path.
var watchedFiles = shared.NewPool[*watchedFile]()

// watchedFile looks at a file every second, for all who use it. It reads what
// is there: times and inodes do not tell of every change, and Kubernetes swaps
// a link in the path.
type watchedFile struct {
	path   string
	end    context.CancelFunc
	buffer bytes.Buffer // of the goroutine that looks

	mu      sync.Mutex
	watches []*fileWatch
}

// fileWatch is one user's hold on a watched file.
type fileWatch struct {
	file *watchedFile
	log  *zap.Logger

	// use takes the content, or refuses it. It must not keep it.
	use func(content []byte) error

	digest  [sha256.Size]byte // of the content that use took last; under file.mu
	failing bool              // under file.mu
	checked atomic.Pointer[time.Time]
	leave   func() error // the file
}

// watchFile reads the file, and then again whenever it changes, until the watch
// is released. A file that cannot be used now is an error, and leaves nothing
// behind.
func watchFile(path string, log *zap.Logger, use func(content []byte) error) (*fileWatch, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	w := &fileWatch{log: log, use: use}
	now := time.Now()
	content, err := readFile(path, new(bytes.Buffer))
	if err == nil {
		err = w.try(content)
	}
	if err != nil {
		return nil, err
	}
	w.digest = sha256.Sum256(content)
	w.checked.Store(&now)
	w.file, w.leave, err = watchedFiles.Acquire(path, func() (*watchedFile, error) { return startWatching(path), nil })
	if err != nil {
		return nil, err
	}
	w.file.mu.Lock()
	defer w.file.mu.Unlock()
	w.file.watches = append(w.file.watches, w)
	return w, nil
}

// release gives the watch back. What was read stays for requests that are still
// under way, until it is too old.
func (w *fileWatch) release() error {
	w.file.mu.Lock()
	w.file.watches = slices.DeleteFunc(w.file.watches, func(o *fileWatch) bool { return o == w })
	w.file.mu.Unlock()
	return w.leave()
}

// fresh reports whether what the file last said still counts. It goes by when
// that was, and not by whether the file is known to be broken: a disk that hangs
// says nothing.
func (w *fileWatch) fresh(now time.Time) bool {
	checked := *w.checked.Load()
	// By whichever clock says more: one stands still while the machine sleeps.
	return max(now.Sub(checked), now.Round(0).Sub(checked.Round(0))) < watchHolds
}

func startWatching(path string) *watchedFile {
	ctx, cancel := context.WithCancel(context.Background())
	f := &watchedFile{path: path, end: cancel}
	go f.run(ctx)
	return f
}

// Destruct implements caddy.Destructor. It does not wait for a look that is
// under way.
func (f *watchedFile) Destruct() error {
	f.end()
	return nil
}

func (f *watchedFile) run(ctx context.Context) {
	tick := time.NewTicker(watchPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.look()
		}
	}
}

func (f *watchedFile) look() {
	now := time.Now() // what is read is at least as new
	content, err := readFile(f.path, &f.buffer)
	var digest [sha256.Size]byte
	if err == nil {
		digest = sha256.Sum256(content)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.watches {
		w.seen(now, content, digest, err)
	}
}

// seen tells the user of what was found in the file. file.mu is held.
func (w *fileWatch) seen(now time.Time, content []byte, digest [sha256.Size]byte, err error) {
	if now.Before(*w.checked.Load()) {
		return // the user has read the file since this look began
	}
	if err == nil && digest != w.digest {
		if err = w.try(content); err == nil {
			w.digest = digest
		}
	}
	switch {
	case err == nil:
		w.checked.Store(&now)
		if w.failing {
			w.log.Info("file can be used again")
		}
	case w.failing:
		w.log.Debug("file still cannot be used", zap.Error(err))
	default:
		w.log.Error("file cannot be used: what it said before counts for a minute", zap.Error(err))
	}
	w.failing = err != nil
}

// try gives the content to the user. Its reader may be wrong about something
// that nobody thought of; Caddy is not to end by that.
func (w *fileWatch) try(content []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading it panicked: %T", p)
		}
	}()
	return w.use(content)
}

// readFile reads a file into the buffer. Errors do not have the path, which may
// come from a placeholder.
func readFile(path string, into *bytes.Buffer) ([]byte, error) {
	// To open a pipe would be to wait for somebody who writes to it.
	info, err := os.Stat(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	case info.Size() > maxWatchedFile:
		return nil, errTooLarge
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	into.Reset()
	if _, err := into.ReadFrom(io.LimitReader(f, maxWatchedFile+1)); err != nil {
		return nil, withoutPath(err)
	}
	if into.Len() > maxWatchedFile {
		return nil, errTooLarge // it has grown
	}
	return into.Bytes(), nil
}

var errTooLarge = errors.New("more than 8 MiB")

func withoutPath(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", failed.Op, failed.Err)
	}
	return err
}
