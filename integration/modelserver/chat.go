package modelserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// created is the time that every answer bears: answers to equal questions are
// equal.
const created = 1_700_000_000

type chatRequest struct {
	Model    string `json:"model"`
	Stream   bool   `json:"stream"`
	Messages []struct {
		Role    string `json:"role"`
		Content any    `json:"content"`
	} `json:"messages"`
}

// question is the text of the last message, which may come as a string or as
// a list of parts.
func (c *chatRequest) question() string {
	if len(c.Messages) == 0 {
		return ""
	}
	switch content := c.Messages[len(c.Messages)-1].Content.(type) {
	case string:
		return content
	case []any:
		var texts []string
		for _, part := range content {
			if p, ok := part.(map[string]any); ok {
				if text, ok := p["text"].(string); ok {
					texts = append(texts, text)
				}
			}
		}
		return strings.Join(texts, " ")
	}
	return ""
}

type message struct {
	Role    string `json:"role,omitempty"`
	Content string `json:"content"`
}

type choice struct {
	Index        int      `json:"index"`
	Message      *message `json:"message,omitempty"`
	Delta        *message `json:"delta,omitempty"`
	FinishReason *string  `json:"finish_reason"`
}

type completion struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created int64    `json:"created"`
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   *usage   `json:"usage,omitempty"`
}

func (s *Server) chat(w http.ResponseWriter, r *http.Request) {
	var req chatRequest
	if !readJSON(w, r, &req) {
		return
	}
	if !known(req.Model) {
		writeError(w, http.StatusNotFound, fmt.Sprintf("no model %q", req.Model))
		return
	}
	answer := "You said: " + req.question()
	c := completion{
		ID:      fmt.Sprintf("chatcmpl-%d", s.chats.Add(1)),
		Created: created,
		Model:   req.Model,
	}
	prompt, done := countTokens(req.question()), countTokens(answer)
	tokens := &usage{Prompt: prompt, Completion: done, Total: prompt + done}
	stop := "stop"
	if !req.Stream {
		c.Object, c.Usage = "chat.completion", tokens
		c.Choices = []choice{{Message: &message{Role: "assistant", Content: answer}, FinishReason: &stop}}
		writeJSON(w, http.StatusOK, c)
		return
	}

	w.Header().Set("Content-Type", "text/event-stream")
	c.Object = "chat.completion.chunk"
	send := func(choices []choice, u *usage) {
		c.Choices, c.Usage = choices, u
		chunk, err := json.Marshal(c)
		if err != nil { // plain data: cannot fail
			panic(err)
		}
		fmt.Fprintf(w, "data: %s\n\n", chunk)
		// each word by itself, so that a gateway that buffers is seen
		_ = http.NewResponseController(w).Flush()
	}
	for i, word := range strings.SplitAfter(answer, " ") {
		delta := &message{Content: word}
		if i == 0 {
			delta.Role = "assistant"
		}
		send([]choice{{Delta: delta}}, nil)
	}
	send([]choice{{Delta: &message{}, FinishReason: &stop}}, nil)
	send([]choice{}, tokens)
	fmt.Fprint(w, "data: [DONE]\n\n")
}
