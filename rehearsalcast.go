package stackauth

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

// standIn takes the place of a block's providers in a rehearsal, and vouches for
// the made-up caller. It is no module: only a rehearsal makes one.
type standIn struct {
	providers.Common
	rehearsal *rehearsal
	headers   []string
}

// Authenticate implements providers.Provider. Nobody is vouched for where the
// caller is anonymous, as if there were no credential.
func (s *standIn) Authenticate(*http.Request, providers.Credential) providers.Answer {
	if s.rehearsal.now == nil || s.rehearsal.now.user == nil {
		return providers.NotMine{}
	}
	return &providers.Yes{User: s.rehearsal.now.user}
}

// SourceHeaders implements providers.HeaderReader: what providers take the
// caller from is taken off for the made-up one too.
func (s *standIn) SourceHeaders() []string { return s.headers }

// Trusts implements providers.HeaderReader.
func (*standIn) Trusts(*http.Request) bool { return false }

// cast returns the stand-in for the providers of a block. They are read, so that
// a configuration which Caddy would not load is not rehearsed, and nothing more.
func (b *rehearsedBlock) cast(h *Handler) (*standIn, error) {
	s := &standIn{rehearsal: b.rehearsal}
	for i, raw := range h.ProvidersRaw {
		p, kind, err := readProvider(raw)
		if err != nil {
			return nil, fmt.Errorf("loading providers: provider %d: %w", i+1, err)
		}
		if s.Name = p.Options().Name; s.Name == "" {
			s.Name = kind
		}
		if reader, ok := p.(providers.HeaderReader); ok {
			s.headers = append(s.headers, reader.SourceHeaders()...)
		}
	}
	if len(h.ProvidersRaw) > 1 {
		s.Name = "" // who of them would have vouched nobody knows
	}
	return s, nil
}

func readProvider(raw json.RawMessage) (providers.Provider, string, error) {
	var options map[string]json.RawMessage
	if err := json.Unmarshal(raw, &options); err != nil {
		return nil, "", err
	}
	var kind string
	if err := json.Unmarshal(options["type"], &kind); err != nil || kind == "" {
		return nil, "", fmt.Errorf("no type")
	}
	delete(options, "type")
	info, err := caddy.GetModule(providers.Namespace + "." + kind)
	if err != nil {
		return nil, kind, err
	}
	p, ok := info.New().(providers.Provider)
	if !ok {
		return nil, kind, fmt.Errorf("module %s is not a provider of stack_auth", info.ID)
	}
	rest, err := json.Marshal(options)
	if err != nil {
		return nil, kind, err
	}
	if err := caddy.StrictUnmarshalJSON(rest, p); err != nil {
		return nil, kind, fmt.Errorf("%s: %w", kind, err)
	}
	return p, kind, nil
}

var _ providers.HeaderReader = (*standIn)(nil)
