// Package standin is a small OpenAI-compatible server for the demo. It knows
// no models: it answers with who the gateway said is calling, so that the
// identity headers can be seen to arrive.
package standin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// The models that it claims to have.
const (
	ModelSmall = "demo-small"
	ModelLarge = "demo-large"
)

// created is a fixed time stamp: answers of a stand-in need not differ.
const created = 1_750_000_000

// New returns the server's handler.
func New() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"status": "OK"})
	})
	mux.HandleFunc("GET /v1/whoami", whoami)
	mux.HandleFunc("GET /v1/admin/whoami", whoami)
	mux.HandleFunc("GET /v1/models", models)
	mux.HandleFunc("GET /v1/files", files)
	mux.HandleFunc("POST /v1/chat/completions", chat)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "not_found_error", "the stand-in stack has no "+r.Method+" "+r.URL.Path)
	})
	return mux
}

// identity is what the gateway handed over, as a stack would read it.
type identity struct {
	Principal  string          `json:"principal"`
	Attributes json.RawMessage `json:"attributes"`
	// SawToken says whether the caller's credential came through too.
	SawToken bool `json:"saw_token"`
}

func identityOf(r *http.Request) identity {
	id := identity{
		Principal:  r.Header.Get("X-Auth-User-Id"),
		Attributes: json.RawMessage("null"),
		SawToken:   r.Header.Get("Authorization") != "",
	}
	if raw := r.Header.Get("X-Auth-Attributes"); json.Valid([]byte(raw)) {
		id.Attributes = json.RawMessage(raw)
	}
	return id
}

func whoami(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, identityOf(r))
}

func models(w http.ResponseWriter, r *http.Request) {
	model := func(id string) map[string]any {
		return map[string]any{"id": id, "object": "model", "created": created, "owned_by": "stand-in"}
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"object": "list", "data": []any{model(ModelSmall), model(ModelLarge)}, "identity": identityOf(r),
	})
}

func files(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"object": "list", "data": []any{}, "has_more": false, "identity": identityOf(r),
	})
}

type chatRequest struct {
	Model    string `json:"model"`
	Stream   bool   `json:"stream"`
	Messages []struct {
		Role string `json:"role"`
		// Content is a string or a list of parts; only strings are echoed.
		Content json.RawMessage `json:"content"`
	} `json:"messages"`
}

func chat(w http.ResponseWriter, r *http.Request) {
	var req chatRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&req); err != nil {
		writeError(w, http.StatusBadRequest, "invalid_request_error", "the body is not a chat completion request")
		return
	}
	if req.Model != ModelSmall && req.Model != ModelLarge {
		writeError(w, http.StatusNotFound, "not_found_error",
			fmt.Sprintf("no model %q; there are %s and %s", req.Model, ModelSmall, ModelLarge))
		return
	}
	said := ""
	if n := len(req.Messages); n > 0 {
		// Not a string: said stays empty, and so does the echo.
		_ = json.Unmarshal(req.Messages[n-1].Content, &said)
	}
	id := identityOf(r)
	text := fmt.Sprintf("Hello %s, you said: %s", id.Principal, said)
	words := strings.SplitAfter(text, " ")
	usage := map[string]int{
		"prompt_tokens": len(strings.Fields(said)), "completion_tokens": len(words),
		"total_tokens": len(strings.Fields(said)) + len(words),
	}
	if req.Stream {
		streamChat(w, req.Model, words, usage)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"id": "chatcmpl-demo", "object": "chat.completion", "created": created, "model": req.Model,
		"choices": []any{map[string]any{
			"index": 0, "finish_reason": "stop",
			"message": map[string]any{"role": "assistant", "content": text},
		}},
		"usage":    usage,
		"identity": id,
	})
}

// streamChat sends a word a chunk and the usage with the last one.
func streamChat(w http.ResponseWriter, model string, words []string, usage map[string]int) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	flush := http.NewResponseController(w)
	send := func(delta map[string]any, finish any, usage any) {
		data, err := json.Marshal(map[string]any{
			"id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": created, "model": model,
			"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}},
			"usage":   usage,
		})
		if err != nil {
			return
		}
		_, _ = fmt.Fprintf(w, "data: %s\n\n", data)
		_ = flush.Flush() // the caller went away: the next write finds out too
	}
	for i, word := range words {
		delta := map[string]any{"content": word}
		if i == 0 {
			delta["role"] = "assistant"
		}
		send(delta, nil, nil)
	}
	send(map[string]any{}, "stop", usage)
	_, _ = fmt.Fprint(w, "data: [DONE]\n\n")
}

func writeError(w http.ResponseWriter, status int, kind, message string) {
	writeJSON(w, status, map[string]any{
		"error": map[string]any{"message": message, "type": kind, "code": nil},
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller went away: nobody to tell
}
