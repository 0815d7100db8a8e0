// Package modelserver is a small OpenAI-compatible model server: what stands
// behind a stack in the tests, so that no model needs to be downloaded.
//
// It knows nothing of callers. An answer repeats what was asked, so that a
// test sees whether its own words came back.
package modelserver

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
)

// Models are the models that the server offers.
var Models = []string{"llama-small", "llama-large", "embed-small"}

// Dimensions is the length of every embedding.
const Dimensions = 8

// maxBody bounds what a request may carry; it is a test server, but a test
// that runs away should fail and not take the machine with it.
const maxBody = 8 << 20

// Server is the http.Handler. The zero value is ready for use.
type Server struct {
	chats atomic.Int64
}

// Chats counts the chat completions that were answered.
func (s *Server) Chats() int64 { return s.chats.Load() }

// ServeHTTP answers the four endpoints that a stack asks a model server for.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET /health", "GET /v1/health":
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	case "GET /v1/models":
		s.models(w)
	case "POST /v1/chat/completions":
		s.chat(w, r)
	case "POST /v1/embeddings":
		s.embeddings(w, r)
	default:
		writeError(w, http.StatusNotFound, "no such endpoint: "+r.Method+" "+r.URL.Path)
	}
}

func (s *Server) models(w http.ResponseWriter) {
	type model struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
	}
	list := make([]model, 0, len(Models))
	for _, id := range Models {
		list = append(list, model{ID: id, Object: "model", Created: created, OwnedBy: "modelserver"})
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": list})
}

type embeddingsRequest struct {
	Model string `json:"model"`
	Input any    `json:"input"`
}

func (s *Server) embeddings(w http.ResponseWriter, r *http.Request) {
	var req embeddingsRequest
	if !readJSON(w, r, &req) {
		return
	}
	if req.Model != "embed-small" {
		writeError(w, http.StatusNotFound, fmt.Sprintf("no embedding model %q", req.Model))
		return
	}
	var inputs []string
	switch in := req.Input.(type) {
	case string:
		inputs = []string{in}
	case []any:
		for _, v := range in {
			inputs = append(inputs, fmt.Sprint(v))
		}
	}
	if len(inputs) == 0 {
		writeError(w, http.StatusBadRequest, "input must be a text or a list of texts")
		return
	}
	type embedding struct {
		Object    string    `json:"object"`
		Index     int       `json:"index"`
		Embedding []float64 `json:"embedding"`
	}
	var (
		data   []embedding
		tokens int
	)
	for i, in := range inputs {
		data = append(data, embedding{Object: "embedding", Index: i, Embedding: Embed(in)})
		tokens += countTokens(in)
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"object": "list", "model": req.Model, "data": data,
		"usage": usage{Prompt: tokens, Total: tokens},
	})
}

// Embed gives a text's embedding: the same numbers for the same text, each
// from -1 to 1.
func Embed(text string) []float64 {
	vector := make([]float64, Dimensions)
	for i := range vector {
		h := fnv.New32a()
		fmt.Fprintf(h, "%d %s", i, text)
		vector[i] = float64(h.Sum32())/(1<<31) - 1
	}
	return vector
}

type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens,omitempty"`
	Total      int `json:"total_tokens"`
}

// countTokens takes a word for a token.
func countTokens(text string) int { return len(strings.Fields(text)) }

func known(model string) bool { return slices.Contains(Models, model) }

func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(v); err != nil {
		writeError(w, http.StatusBadRequest, "decoding the request: "+err.Error())
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The caller is gone if this fails; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(v)
}

func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]any{"error": map[string]string{
		"message": message, "type": "invalid_request_error",
	}})
}
