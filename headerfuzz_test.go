package stackauth_test

import (
	"bufio"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// checkHeaders lets the handler decide on a request with the given header
// lines, and reads what went on as an ASGI server does behind a proxy.
func checkHeaders(t *testing.T, d *direct, token, lines string) {
	t.Helper()
	// Read as the server reads it; what it refuses never gets here.
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(
		"POST /v1/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n" + lines + "\r\n\r\n")))
	if err != nil {
		return
	}
	w, passed, err := d.serve(r)
	if err != nil {
		t.Fatalf("%q: %v", lines, err)
	}
	if passed == nil {
		if w.Code != 400 && w.Code != 425 {
			t.Fatalf("%q: got %d", lines, w.Code)
		}
		return
	}
	// A proxy takes off what Connection names.
	sent := passed.Header.Clone()
	for _, line := range passed.Header["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			sent.Del(strings.TrimSpace(name))
		}
	}
	known := map[string]string{"x-auth-user-id": "alice", "x-auth-attributes": `{"roles":["user"]}`, "x-tenant-id": "", "x-internal-user": ""}
	seen := make(map[string]int)
	for name, values := range sent {
		folded := strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))
		want, ours := known[folded]
		if !ours {
			continue
		}
		seen[folded] += len(values)
		for _, v := range values {
			if v != want {
				t.Fatalf("%q: the stack reads %s: %s", lines, name, v)
			}
		}
	}
	if seen["x-auth-user-id"] != 1 || seen["x-auth-attributes"] != 1 || seen["x-tenant-id"] != 0 || seen["x-internal-user"] != 0 {
		t.Fatalf("%q: the stack reads %v", lines, seen)
	}
	reached{passed, ""}.isWithout(t, token)
	if len(passed.Trailer) != 0 || len(passed.Header["Trailer"]) != 0 {
		t.Fatalf("%q: trailers went on", lines)
	}
}

func TestNoSpellingOfAHeaderMakesAnIdentity(t *testing.T) {
	issuer, provider := offline(t)
	d := newDirect(t, "stack_auth {\n"+provider+"strip_headers X-Internal-*\n}")
	token := issuer.Token("alice", map[string]any{"roles": "user"})
	names := []string{
		"x-auth-user-id", "x-auth-attributes", "x-tenant-id", "x-internal-user", "connection", "trailer", "transfer-encoding", "te",
		"upgrade", "x-other", "x-ogx-provider-data", "keep-alive", "early-data", "authorization",
	}
	values := []string{"admin", "", "{}", "close", "x-auth-user-id", "X-Auth-Attributes, close", "keep-alive, X_Auth_User_Id", "websocket", "chunked", "a,b"}
	random := rand.New(rand.NewPCG(3, 4))
	for range 30_000 {
		var lines strings.Builder
		for range 1 + random.IntN(5) {
			lines.WriteString(respell(random, names[random.IntN(len(names))]) + ": " + respell(random, values[random.IntN(len(values))]) + "\r\n")
		}
		checkHeaders(t, d, token, strings.TrimSuffix(lines.String(), "\r\n"))
	}
}

// respell changes the case and the separators of a name.
func respell(random *rand.Rand, name string) string {
	b := []byte(name)
	for i, c := range b {
		switch {
		case c == '-' && random.IntN(3) == 0:
			b[i] = "_."[random.IntN(2)]
		case 'a' <= c && c <= 'z' && random.IntN(3) == 0:
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

func FuzzHeaders(f *testing.F) {
	for _, forged := range forgeries {
		f.Add(strings.ReplaceAll(strings.TrimSuffix(forged.lines, "\n"), "\n", "\r\n"))
	}
	f.Add("Transfer-Encoding: chunked\r\nTrailer: X-Auth-User-Id")
	f.Add("Upgrade: h2c\r\nConnection: upgrade")
	issuer, provider := offline(f)
	d := newDirect(f, "stack_auth {\n"+provider+"strip_headers X-Internal-*\n}")
	token := issuer.Token("alice", map[string]any{"roles": "user"})
	f.Fuzz(func(t *testing.T, lines string) { checkHeaders(t, d, token, lines) })
}
