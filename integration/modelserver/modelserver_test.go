package modelserver

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func call(t *testing.T, method, path, body string) (status int, answer []byte) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	new(Server).ServeHTTP(w, r)
	answer, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, answer
}

func TestServerAnswersWhatAStackAsksFor(t *testing.T) {
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"health", "GET", "/health", "", 200, `"ok"`},
		{"models", "GET", "/v1/models", "", 200, `"llama-large"`},
		{"chat with a text", "POST", "/v1/chat/completions", `{"model":"llama-small","messages":[{"role":"user","content":"hello"}]}`, 200, `"You said: hello"`},
		{"chat with parts", "POST", "/v1/chat/completions", `{"model":"llama-small","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`, 200, `"You said: hi"`},
		{"chat with an unknown model", "POST", "/v1/chat/completions", `{"model":"gpt"}`, 404, `no model`},
		{"chat with no JSON", "POST", "/v1/chat/completions", `nope`, 400, `decoding the request`},
		{"embeddings without a text", "POST", "/v1/embeddings", `{"model":"embed-small"}`, 400, `input must be`},
		{"embeddings of a chat model", "POST", "/v1/embeddings", `{"model":"llama-small","input":"a"}`, 404, `no embedding model`},
		{"another path", "GET", "/v1/files", "", 404, `no such endpoint`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, answer := call(t, tc.method, tc.path, tc.body)
			if status != tc.status || !bytes.Contains(answer, []byte(tc.want)) {
				t.Errorf("got %d %s, want %d with %s", status, answer, tc.status, tc.want)
			}
		})
	}
}

func TestStreamEndsWithAChunkThatHasTheUsage(t *testing.T) {
	_, answer := call(t, "POST", "/v1/chat/completions", `{"model":"llama-small","stream":true,"messages":[{"role":"user","content":"one two"}]}`)
	events := strings.Split(strings.TrimSpace(string(answer)), "\n\n")
	if n := len(events); n < 4 || events[n-1] != "data: [DONE]" {
		t.Fatalf("the stream does not end as it should:\n%s", answer)
	}
	var text strings.Builder
	var last completion
	for _, event := range events[:len(events)-1] {
		last = completion{}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(event, "data: ")), &last); err != nil {
			t.Fatal(err)
		}
		for _, c := range last.Choices {
			text.WriteString(c.Delta.Content)
		}
	}
	if text.String() != "You said: one two" {
		t.Errorf("the chunks say %q", text.String())
	}
	if last.Usage == nil || last.Usage.Total != 6 || len(last.Choices) != 0 {
		t.Errorf("the last chunk is %+v", last)
	}
}

func TestEmbeddingOfATextIsAlwaysTheSame(t *testing.T) {
	first, second := Embed("a"), Embed("a")
	other := Embed("b")
	if len(first) != Dimensions {
		t.Fatalf("got %d numbers", len(first))
	}
	differs := false
	for i := range first {
		if first[i] != second[i] || first[i] < -1 || first[i] > 1 {
			t.Errorf("number %d: %v, then %v", i, first[i], second[i])
		}
		differs = differs || first[i] != other[i]
	}
	if !differs {
		t.Error("two texts have one embedding")
	}
}

func TestServerIsAHandler(t *testing.T) {
	srv := httptest.NewServer(new(Server))
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/v1/models", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("got %d", resp.StatusCode)
	}
}
