package providers

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

func init() {
	caddy.RegisterModule(new(APIKey))
}

// APIKey knows callers by API keys that are listed in the configuration, in a
// file, or in both. Of a key only its SHA-256 is kept, so the list is no
// secret: whoever reads it learns no key. `caddy stack-auth hash-key` makes
// keys and prints their hashes.
//
// A plain hash is enough for keys that nobody can guess, and it costs nothing
// per request. A password, whose hash can be found by trying, does not belong
// here.
//
// A token that is not one of the keys is left to the other providers. A key
// that is taken out of the file is refused within two seconds.
type APIKey struct {
	Common

	// A JSON file with a list of keys, as `keys` has it. It must be good when
	// the configuration is loaded; a change takes effect within two seconds. A
	// file that is broken or gone leaves the last good keys for 60 s. After that
	// it cannot be told whether a token is one of them, and callers get 503;
	// those with a key of `keys` do not. At most 8 MiB.
	File string `json:"file,omitempty"`

	// The keys.
	Keys []ListedKey `json:"keys,omitempty"`

	listed keyTable // of Keys
	known  atomic.Pointer[keyTable]
	watch  *fileWatch // nil without a file
}

// keyTable finds keys by their hashes.
type keyTable map[[sha256.Size]byte]*knownKey

// knownKey is a key with the answer that it gives, made when it was read.
type knownKey struct {
	yes      *Yes
	ends     bool // at yes.Expires
	fromFile bool
}

// CaddyModule implements caddy.Module.
func (*APIKey) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  Namespace + ".api_key",
		New: func() caddy.Module { return new(APIKey) },
	}
}

// Provision implements caddy.Provisioner.
func (a *APIKey) Provision(ctx caddy.Context) error {
	// No mapping: an attribute of a key has the name that it is to have.
	if err := a.SetUp(ctx, Defaults{Type: "api_key"}); err != nil {
		return err
	}
	if err := a.check(); err != nil {
		return err
	}
	a.listed = make(keyTable, len(a.Keys))
	if err := a.add(a.listed, "key", a.Keys, false); err != nil {
		return err
	}
	a.known.Store(&a.listed)
	if a.File == "" {
		return nil
	}
	path, err := Expand("file", a.File)
	if err != nil {
		return err
	}
	a.watch, err = watchFile(path, a.Logger().With(zap.String("file", a.File)), a.takeFile)
	if err != nil {
		return fmt.Errorf("file %s: %w", a.File, err)
	}
	return nil
}

// Cleanup implements caddy.CleanerUpper. It runs after a failed Provision too.
func (a *APIKey) Cleanup() error {
	if a.watch == nil {
		return nil
	}
	return a.watch.release()
}

// check finds what is wrong with the options as they are written.
func (a *APIKey) check() error {
	switch {
	case a.File == "" && len(a.Keys) == 0:
		return errors.New("file or key is required")
	case len(a.PrincipalClaim) > 0:
		return errors.New("principal_claim has no meaning for api_key: each key has its principal")
	case a.TenantClaim != "":
		return errors.New("tenant_claim has no meaning for api_key: say tenant in the block of the key")
	}
	if err := CheckPlaceholders("file", a.File); err != nil {
		return err
	}
	seen := make(map[[sha256.Size]byte]int, len(a.Keys))
	for i := range a.Keys {
		if err := a.Keys[i].check(a.PrincipalPrefix); err != nil {
			return fmt.Errorf("key %d: %w", i+1, err)
		}
		digest, _ := a.Keys[i].digest()
		if earlier, again := seen[digest]; again {
			return fmt.Errorf("key %d: its hash is that of key %d", i+1, earlier)
		}
		seen[digest] = i + 1
	}
	return nil
}

// takeFile takes what is in the file for the keys from there, all of them or,
// if one is wrong, none.
func (a *APIKey) takeFile(content []byte) error {
	keys, err := readKeyFile(content)
	if err != nil {
		return err
	}
	known := maps.Clone(a.listed)
	if err := a.add(known, "entry", keys, true); err != nil {
		return err
	}
	a.known.Store(&known)
	a.Logger().Info("key file has been read", zap.String("file", a.File), zap.Int("keys", len(keys)))
	return nil
}

// add puts keys into the table, with the users that they stand for: a request
// then makes nothing. An error numbers them, and calls them what.
func (a *APIKey) add(known keyTable, what string, keys []ListedKey, fromFile bool) error {
	over := expiredKeys{now: time.Now()}
	for i := range keys {
		digest, err := keys[i].digest()
		if err != nil {
			return fmt.Errorf("%s %d: %w", what, i+1, err)
		}
		if _, again := known[digest]; again {
			return fmt.Errorf("%s %d: its hash is that of a key in the configuration", what, i+1)
		}
		user, err := a.IdentifyAs(keys[i].Principal, keys[i].Tenant, keys[i].claims())
		if err != nil {
			return fmt.Errorf("%s %d: %w", what, i+1, err)
		}
		ends, expires, err := keys[i].end()
		if err != nil {
			return fmt.Errorf("%s %d: %w", what, i+1, err)
		}
		if ends {
			over.look(user.Principal, expires)
		}
		known[digest] = &knownKey{yes: &Yes{User: user, Expires: expires}, ends: ends, fromFile: fromFile}
	}
	over.warn(a.Logger())
	return nil
}

// Made once: an answer costs no allocation.
var (
	notOneOfTheKeys Answer = NotMine{Reason: "not one of its keys"}
	expiredKey      Answer = &No{Reason: reasonExpired, Expired: true}
	keysOutOfDate   Answer = &CannotTell{Err: errors.New("the key file cannot be read, and what was last read is too old")}
)

// Authenticate implements Provider.
//
// A key is found by its hash: no comparison depends on how much of a key
// somebody has guessed, for a hash tells nothing of how near another is. Every
// token takes the same way here, known or not (case 229).
func (a *APIKey) Authenticate(_ *http.Request, c Credential) Answer {
	if c.Token == "" {
		return NotMine{}
	}
	now := time.Now()
	// Before the keys are looked at: if the file is read in between, the keys of
	// before must not count by the time of the new ones.
	tooOld := a.watch != nil && !a.watch.fresh(now)
	key := (*a.known.Load())[digestOf(c.Token)]
	switch {
	case (key == nil || key.fromFile) && tooOld:
		// Not even "not mine" can be said: the token may be a key that was added
		// since, and is then shown to nobody else.
		return keysOutOfDate
	case key == nil:
		return notOneOfTheKeys
	case key.ends && !now.Before(key.yes.Expires):
		return expiredKey
	}
	return key.yes
}

// digestOf hashes a key where it is, without a copy. sha256.Sum256 changes
// nothing.
func digestOf(key string) [sha256.Size]byte {
	return sha256.Sum256(unsafe.Slice(unsafe.StringData(key), len(key)))
}

// Scope implements Provider. Keys are opaque, and only the known ones are
// claimed.
func (*APIKey) Scope() Scope { return Scope{Opaque: true, Listed: true} }

// YieldsTenant implements Provider: a key has one, or the file may have.
func (a *APIKey) YieldsTenant() bool { return a.File != "" || a.namesTenant() }

// TenantsAreOptional reports whether no tenant is configured, although users may
// turn out to have one: the file is for anybody, and says so or not.
func (a *APIKey) TenantsAreOptional() bool { return !a.namesTenant() }

func (a *APIKey) namesTenant() bool {
	for i := range a.Keys {
		if a.Keys[i].Tenant != "" {
			return true
		}
	}
	return false
}

var (
	_ caddy.Provisioner  = (*APIKey)(nil)
	_ caddy.CleanerUpper = (*APIKey)(nil)
	_ Provider           = (*APIKey)(nil)
)
