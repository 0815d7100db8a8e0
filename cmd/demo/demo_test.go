package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
)

// answer is what a test looks at.
type answer struct {
	status int
	header http.Header
	body   string
}

// curl does what the printed line asks curl to do, and fails where the line
// is not one that can be copied as it stands.
func curl(t *testing.T, line string, env map[string]string) answer {
	t.Helper()
	var target string
	header := http.Header{}
	words := shellWords(t, os.Expand(line, func(name string) string { return env[name] }))
	for i := 1; i < len(words); i++ {
		switch word := words[i]; {
		case word == "-i":
		case word == "-H" && i+1 < len(words):
			i++
			name, value, ok := strings.Cut(words[i], ": ")
			if !ok {
				t.Fatalf("no header in %q", line)
			}
			header.Set(name, value)
		case strings.HasPrefix(word, "http://") && target == "":
			target = word
		default:
			t.Fatalf("unexpected %q in %q", word, line)
		}
	}
	return get(t, target, header)
}

func get(t *testing.T, target string, header http.Header) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	return do(t, req)
}

func do(t *testing.T, req *http.Request) answer {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
}

// shellWords splits at blanks outside double quotes.
func shellWords(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	if strings.Count(line, `"`)%2 != 0 {
		t.Fatalf("unbalanced quotes in %q", line)
	}
	return words
}

func startDemo(t *testing.T, opts options) *demo {
	t.Helper()
	opts.listen = "127.0.0.1:0"
	d, err := start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func curlLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "curl ") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

// errorCode is error.code of an OpenAI-shaped error.
func errorCode(t *testing.T, a answer) string {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type of the refusal: got %q, want application/json", got)
	}
	var body struct {
		Error struct{ Message, Type, Code string }
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("reading the refusal %q: %v", a.body, err)
	}
	return body.Error.Code
}

func TestPrintedLinesGiveWhatIsPrintedBesideThem(t *testing.T) {
	d := startDemo(t, options{})
	text := d.instructions()
	for _, want := range []string{d.caddyfile[:20], "development tokens", "xcaddy build"} {
		if !strings.Contains(strings.ReplaceAll(text, "\n    ", "\n"), want) {
			t.Errorf("the instructions do not say %q", want)
		}
	}
	lines := curlLines(text)
	if len(lines) != 3 {
		t.Fatalf("lines that start with curl: got %d, want 3:\n%s", len(lines), text)
	}

	t.Run("a good token passes and the stack is told who calls", func(t *testing.T) {
		a := curl(t, lines[0], nil)
		if a.status != http.StatusOK {
			t.Fatalf("got %d %s, want 200", a.status, a.body)
		}
		var got struct {
			Principal  string              `json:"principal"`
			Attributes map[string][]string `json:"attributes"`
			SawToken   bool                `json:"saw_token"`
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Fatal(err)
		}
		if got.Principal != "alice" || strings.Join(got.Attributes["roles"], " ") != "admin developer" ||
			strings.Join(got.Attributes["teams"], " ") != "ml-platform" || got.SawToken {
			t.Errorf("the stack saw %s", a.body)
		}
	})

	t.Run("no token is 401 with a challenge", func(t *testing.T) {
		a := curl(t, lines[1], nil)
		if a.status != http.StatusUnauthorized || errorCode(t, a) != "missing_credential" {
			t.Errorf("got %d %s, want 401 missing_credential", a.status, a.body)
		}
		if got := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer ") {
			t.Errorf("WWW-Authenticate: got %q, want Bearer …", got)
		}
	})

	t.Run("a token without the role is 403", func(t *testing.T) {
		a := curl(t, lines[2], nil)
		if a.status != http.StatusForbidden || errorCode(t, a) != "insufficient_permissions" {
			t.Errorf("got %d %s, want 403 insufficient_permissions", a.status, a.body)
		}
	})

	t.Run("the same path is open to who has the role", func(t *testing.T) {
		a := curl(t, strings.Replace(lines[2], d.tokens["bob"], d.tokens["alice"], 1), nil)
		if a.status != http.StatusOK {
			t.Errorf("got %d %s, want 200", a.status, a.body)
		}
	})

	t.Run("a forged identity header does not reach the stack", func(t *testing.T) {
		a := get(t, d.url+"/v1/whoami", http.Header{
			"Authorization":  {"Bearer " + d.tokens["bob"]},
			"X-Auth-User-Id": {"alice"},
		})
		if a.status != http.StatusOK || !strings.Contains(a.body, `"principal":"bob"`) {
			t.Errorf("got %d %s, want 200 for bob", a.status, a.body)
		}
	})

	t.Run("a token from the token endpoint passes", func(t *testing.T) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.issuer+"/token", strings.NewReader("username=bob"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		var grant struct {
			Token string `json:"access_token"`
		}
		if err := json.Unmarshal([]byte(do(t, req).body), &grant); err != nil {
			t.Fatal(err)
		}
		a := get(t, d.url+"/v1/models", http.Header{"Authorization": {"Bearer " + grant.Token}})
		if a.status != http.StatusOK || !strings.Contains(a.body, "demo-small") {
			t.Errorf("got %d %s, want 200 and the models", a.status, a.body)
		}
	})
}

func TestAnIssuerAndAStackOfYourOwnAreUsed(t *testing.T) {
	// The embedded ones of a first demo play the outside world of a second;
	// loading it replaces the first one's gateway, nothing else.
	outside := startDemo(t, options{audience: "other-api"})
	d := startDemo(t, options{stackURL: outside.stackURL, issuer: outside.issuer, audience: "other-api"})
	if d.tokens != nil {
		t.Fatal("tokens for an issuer that is not ours")
	}
	text := d.instructions()
	if !strings.Contains(text, "TOKEN=$(") {
		t.Errorf("the instructions do not say how to get a token:\n%s", text)
	}
	lines := curlLines(text)
	if len(lines) != 3 {
		t.Fatalf("lines that start with curl: got %d, want 3:\n%s", len(lines), text)
	}
	for i, want := range []int{http.StatusOK, http.StatusUnauthorized, http.StatusForbidden} {
		a := curl(t, lines[i], map[string]string{"TOKEN": outside.tokens["bob"]})
		if a.status != want {
			t.Errorf("%s\ngot %d %s, want %d", lines[i], a.status, a.body, want)
		}
	}
}

func TestWhatCannotWorkIsSaidAtTheStart(t *testing.T) {
	var config net.ListenConfig
	taken, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()

	for name, test := range map[string]struct {
		opts options
		want string
	}{
		"a taken port":           {options{listen: taken.Addr().String()}, "choose another address"},
		"no host to listen on":   {options{listen: ":8080"}, "expected host:port"},
		"a stack with a path":    {options{stackURL: "http://127.0.0.1:8321/v1"}, "expected nothing after host and port"},
		"a stack without scheme": {options{stackURL: "127.0.0.1:8321"}, "reading STACK_URL"},
		"a stack that is text":   {options{stackURL: "http://{x}"}, "reading STACK_URL"},
		"an issuer of two words": {options{issuer: "https://a https://b"}, "reading OIDC_ISSUER"},
		"an audience of a block": {options{audience: "a {"}, "reading OIDC_AUDIENCE"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.opts.listen == "" {
				test.opts.listen = "127.0.0.1:0"
			}
			_, err := start(test.opts)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}
