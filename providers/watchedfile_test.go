package providers

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// soon is within what a change of a file takes effect.
const soon = 2 * time.Second

func TestAKeyThatIsTakenOutOfTheFileIsRefusedWithinTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := newKeyFile(t, entry(t, aliceKey, "alice"), entry(t, bobKey, "bob"))
		p := newKind[*APIKey](t, "api_key", "file "+file.path)
		wantYes(t, askKind(t, p, aliceKey), "alice")
		wantNotMine(t, askKind(t, p, carolKey))

		file.holds(entry(t, bobKey, "bob"), entry(t, carolKey, "carol"))
		time.Sleep(soon)
		wantNotMine(t, askKind(t, p, aliceKey))
		wantYes(t, askKind(t, p, bobKey), "bob")
		wantYes(t, askKind(t, p, carolKey), "carol")

		file.holds(entry(t, bobKey, "robert", `"attributes":[{"attribute":"roles","values":["x"]}]`))
		time.Sleep(soon)
		if u := wantYes(t, askKind(t, p, bobKey), "robert").User; !u.Attributes.Has("roles", "x") {
			t.Errorf("attributes are %s", u.Attributes.JSON())
		}
		file.holds() // nobody any more: that is no mistake
		time.Sleep(soon)
		wantNotMine(t, askKind(t, p, bobKey))
		time.Sleep(time.Hour)
		wantNotMine(t, askKind(t, p, bobKey))
	})
}

// As the kubelet does it: the file is a link to ..data/keys.json, and ..data a
// link to a directory, which is swapped.
func TestASecretThatKubernetesSwapsIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mount := t.TempDir()
		publish := func(version, text string) {
			t.Helper()
			dir := filepath.Join(mount, "..data_"+version)
			for _, err := range []error{
				os.Mkdir(dir, 0o700),
				os.WriteFile(filepath.Join(dir, "keys.json"), []byte(text), 0o600),
				os.Symlink("..data_"+version, filepath.Join(mount, "..data_tmp")),
				os.Rename(filepath.Join(mount, "..data_tmp"), filepath.Join(mount, "..data")),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		publish("1", "["+entry(t, aliceKey, "alice")+"]")
		path := filepath.Join(mount, "keys.json")
		if err := os.Symlink("..data/keys.json", path); err != nil {
			t.Fatal(err)
		}
		p := newKind[*APIKey](t, "api_key", "file "+path)
		wantYes(t, askKind(t, p, aliceKey), "alice")
		publish("2", "["+entry(t, bobKey, "bob")+"]")
		if err := os.RemoveAll(filepath.Join(mount, "..data_1")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(soon)
		wantNotMine(t, askKind(t, p, aliceKey))
		wantYes(t, askKind(t, p, bobKey), "bob")
	})
}

func TestABrokenFileLeavesItsLastKeysForAMinute(t *testing.T) {
	for name, harm := range map[string]func(keyFile){
		"gone":           keyFile.remove,
		"half written":   func(f keyFile) { f.write(`[{"hash":"` + someHash[:20]) },
		"emptied":        func(f keyFile) { f.write("") },
		"of another use": func(f keyFile) { f.write(`{"keys":[]}`) },
		"with a mistake": func(f keyFile) { f.write(`[{"hash":"` + aliceKey + `","principal":"alice"}]`) },
		"a directory": func(f keyFile) {
			f.remove()
			if err := os.Mkdir(f.path, 0o700); err != nil {
				f.t.Fatal(err)
			}
		},
		"too large": func(f keyFile) { f.write("[" + strings.Repeat(" ", maxWatchedFile) + "]") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.DebugLevel)
				file := newKeyFile(t, entry(t, aliceKey, "alice"))
				p, err := loadKind(t, newContext(t, zap.New(core)), "api_key", "file "+file.path+"\n"+keyLine(t, bobKey, "bob"))
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(10*time.Second + time.Second/2)
				good := time.Now().Add(-time.Second / 2) // the last look that found it good
				harm(file)
				for time.Since(good) < watchHolds-time.Second {
					time.Sleep(time.Second)
					wantYes(t, askKind(t, p, aliceKey), "alice")
					wantNotMine(t, askKind(t, p, carolKey))
				}
				time.Sleep(time.Until(good.Add(watchHolds)) - time.Nanosecond)
				wantYes(t, askKind(t, p, aliceKey), "alice")
				time.Sleep(time.Nanosecond)

				// Nobody can say now whether alice still has her key, or carol has one.
				wantCannotTell(t, askKind(t, p, aliceKey))
				wantCannotTell(t, askKind(t, p, carolKey))
				wantYes(t, askKind(t, p, bobKey), "bob")
				wantNotMine(t, askKind(t, p, ""))
				time.Sleep(time.Hour)
				wantCannotTell(t, askKind(t, p, aliceKey))

				if err := os.RemoveAll(file.path); err != nil {
					t.Fatal(err)
				}
				file.holds(entry(t, carolKey, "carol"))
				time.Sleep(soon)
				wantNotMine(t, askKind(t, p, aliceKey))
				wantYes(t, askKind(t, p, carolKey), "carol")

				if n := logs.FilterLevelExact(zap.ErrorLevel).Len(); n != 1 {
					t.Errorf("%d errors are logged", n)
				}
				if n := logs.FilterMessage("file can be used again").FilterLevelExact(zap.InfoLevel).Len(); n != 1 {
					t.Errorf("%d times logged that it is good again", n)
				}
				for _, line := range logs.All() {
					if text := line.Message + fmt.Sprint(line.ContextMap()); strings.Contains(text, aliceKey) || strings.Contains(text, someHash[:20]) {
						t.Errorf("the log has what is in the file: %s", text)
					}
				}
			})
		})
	}
}

// The same keys come back: they were never taken in again, and count anew.
func TestAFileThatComesBackAsItWasIsGoodAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := newKeyFile(t, entry(t, aliceKey, "alice"))
		p := newKind[*APIKey](t, "api_key", "file "+file.path)
		for range 2 {
			file.remove()
			time.Sleep(2 * watchHolds)
			wantCannotTell(t, askKind(t, p, aliceKey))
			file.holds(entry(t, aliceKey, "alice"))
			time.Sleep(soon)
			wantYes(t, askKind(t, p, aliceKey), "alice")
		}
	})
}

// The providers behind are not shown what may be a key: fail closed, although
// callers with another credential get 503 then. In front, they are asked first.
func TestWhileKeysCannotBeToldNobodyBehindIsShownThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		file := newKeyFile(t, entry(t, aliceKey, "alice"))
		keys := newKind[*APIKey](t, "api_key", "file "+file.path+"\nprincipal_prefix key:")
		jwts := newProvider(t, issuer, usual)
		jwt := issuer.Token("bob", map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
		file.remove()
		time.Sleep(2 * watchHolds)
		ask := func(token string, list ...Provider) Answer {
			t.Helper()
			chain, err := NewChain(list, false)
			if err != nil {
				t.Fatal(err)
			}
			a, _ := chain.Authenticate(httptest.NewRequestWithContext(t.Context(), "GET", "/", nil), Credential{Token: token})
			return a
		}
		wantCannotTell(t, ask(aliceKey, keys, jwts))
		wantCannotTell(t, ask(jwt, keys, jwts))
		if issuer.Fetches() != 0 {
			t.Error("the provider behind was asked")
		}
		wantYes(t, ask(jwt, jwts, keys), "bob")
		wantCannotTell(t, ask(aliceKey, jwts, keys))
	})
}

// The file has an entry for a key that one of two configurations lists itself:
// that one does not take the file, the other does.
func TestAFileThatContradictsOneConfigurationIsGoodForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := newKeyFile(t, entry(t, bobKey, "bob"))
		own := newKind[*APIKey](t, "api_key", "file "+file.path+"\n"+keyLine(t, aliceKey, "alice"))
		other := newKind[*APIKey](t, "api_key", "file "+file.path)
		file.holds(entry(t, aliceKey, "mallory"))
		time.Sleep(soon)
		wantYes(t, askKind(t, own, aliceKey), "alice")
		wantYes(t, askKind(t, own, bobKey), "bob") // of the last good list
		wantYes(t, askKind(t, other, aliceKey), "mallory")
		wantNotMine(t, askKind(t, other, bobKey))
		time.Sleep(watchHolds)
		wantYes(t, askKind(t, own, aliceKey), "alice")
		wantCannotTell(t, askKind(t, own, bobKey))
		wantNotMine(t, askKind(t, other, bobKey))
	})
}

// A key that was let in by mistake, or for a day: the file is again what it was.
func TestAChangeThatIsTakenBackIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := newKeyFile(t, entry(t, aliceKey, "alice"))
		p := newKind[*APIKey](t, "api_key", "file "+file.path)
		for range 3 {
			file.holds(entry(t, aliceKey, "alice"), entry(t, bobKey, "bob"))
			time.Sleep(soon)
			wantYes(t, askKind(t, p, bobKey), "bob")
			file.holds(entry(t, aliceKey, "alice"))
			time.Sleep(soon)
			wantNotMine(t, askKind(t, p, bobKey))
		}
	})
}
