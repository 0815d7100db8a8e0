package standin

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTheStandInAnswersAsAnOpenAIServerDoes(t *testing.T) {
	tests := map[string]struct {
		method, path, body string
		status             int
		want               []string
	}{
		"models":        {"GET", "/v1/models", "", 200, []string{`"object":"list"`, `"id":"demo-small"`, `"principal":"alice"`}},
		"files":         {"GET", "/v1/files", "", 200, []string{`"object":"list"`, `"data":[]`}},
		"who am I":      {"GET", "/v1/whoami", "", 200, []string{`"principal":"alice"`, `"attributes":{"roles":["admin"]}`, `"saw_token":false`}},
		"chat":          {"POST", "/v1/chat/completions", `{"model":"demo-small","messages":[{"role":"user","content":"good day"}]}`, 200, []string{`"object":"chat.completion"`, "Hello alice, you said: good day", `"total_tokens"`}},
		"chat in parts": {"POST", "/v1/chat/completions", `{"model":"demo-small","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}`, 200, []string{"Hello alice"}},
		"streamed chat": {"POST", "/v1/chat/completions", `{"model":"demo-large","stream":true,"messages":[{"role":"user","content":"good day"}]}`, 200, []string{`"object":"chat.completion.chunk"`, `"content":"Hello "`, `"finish_reason":"stop"`, `"total_tokens"`, "data: [DONE]\n\n"}},
		"unknown model": {"POST", "/v1/chat/completions", `{"model":"other"}`, 404, []string{`"type":"not_found_error"`}},
		"not JSON":      {"POST", "/v1/chat/completions", `model=x`, 400, []string{`"type":"invalid_request_error"`}},
		"unknown path":  {"GET", "/v1/nothing", "", 404, []string{`"type":"not_found_error"`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			req := httptest.NewRequestWithContext(t.Context(), test.method, test.path, strings.NewReader(test.body))
			req.Header.Set("X-Auth-User-Id", "alice")
			req.Header.Set("X-Auth-Attributes", `{"roles":["admin"]}`)
			rec := httptest.NewRecorder()
			New().ServeHTTP(rec, req)
			if rec.Code != test.status {
				t.Fatalf("status: got %d, want %d: %s", rec.Code, test.status, rec.Body)
			}
			for _, want := range test.want {
				if !strings.Contains(rec.Body.String(), want) {
					t.Errorf("no %s in %s", want, rec.Body)
				}
			}
		})
	}
}

func TestAttributesThatAreNotJSONAreShownAsNone(t *testing.T) {
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/whoami", nil)
	req.Header.Set("X-Auth-Attributes", "{")
	rec := httptest.NewRecorder()
	New().ServeHTTP(rec, req)
	if !strings.Contains(rec.Body.String(), `"attributes":null`) {
		t.Errorf("got %s", rec.Body)
	}
}
