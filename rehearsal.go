package stackauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// rehearsal is a configuration that is asked what it would do with requests,
// without being started: Caddy's own servers with their routes, matchers and
// stack_auth handlers, and with stand-ins for whatever would touch the world
// outside. A second reading of the configuration would be wrong exactly where
// somebody has to be sure.
//
// It answers one request at a time.
type rehearsal struct {
	blocks   []configBlock
	servers  []*rehearsedServer
	stops    []stop
	omitted  []string // what of the servers was left out, for every answer
	madeUp   bool     // callers are made up, and no provider is loaded
	entering int      // the number of the block that is provisioned next
	now      *performance
	cancel   context.CancelFunc
}

// rehearsalKey is where handlers find the rehearsal that they are part of. No
// configuration and no request can put anything there.
type rehearsalKey struct{}

// performance is one request, and what became of it.
type performance struct {
	user   *abac.User // the made-up caller; nil: anonymous
	token  string     // of a real one, not to be shown
	blocks []*blockReport
	passed []stop // what it passed, and was not run
	answer *stop  // what would have answered; nil: nothing, or a stack_auth
	caller *abac.User
	known  bool // a stack_auth established who calls, or that nobody does
	status int
	aborts bool
	unread bool // net/http would not read it as a request
}

// rehearse prepares a configuration. With madeUp, callers are made up and
// nothing outside this process is asked anything; without, providers are loaded
// as they are and may ask the services that they have.
func rehearse(config []byte, madeUp bool) (*rehearsal, error) {
	r := &rehearsal{madeUp: madeUp}
	config = caddy.RemoveMetaFields(config) // as Caddy does when it loads one
	var err error
	if r.blocks, err = findBlocks(config); err != nil {
		return nil, err
	}
	if len(r.blocks) == 0 {
		return nil, errors.New("the configuration has no stack_auth block")
	}
	var tree map[string]any
	d := json.NewDecoder(bytes.NewReader(config))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	staged, err := r.stage(tree)
	if err != nil {
		return nil, err
	}
	registerStop()
	return r, r.provision(staged, tree)
}

// provision loads the servers, and nothing that the configuration has beside
// them. They are never started.
func (r *rehearsal) provision(staged json.RawMessage, tree map[string]any) error {
	// Logs of the configuration may go to files, or over the network. This one
	// takes nothing, and is on stderr because Caddy says so where that changes.
	silent := &caddy.CustomLog{BaseLog: caddy.BaseLog{Level: "FATAL"}, Include: []string{"nothing"}}
	cfg := &caddy.Config{
		Admin:   &caddy.AdminConfig{Disabled: true},
		Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{caddy.DefaultLoggerName: silent}},
	}
	base, err := caddy.ProvisionContext(cfg)
	if err != nil {
		return err
	}
	cfg.AppsRaw = caddy.ModuleMap{"http": staged}
	if !r.madeUp {
		// What a provider's transport may need, such as the CAs of `pki`, is loaded
		// when it asks for it.
		if err := addApps(cfg.AppsRaw, tree); err != nil {
			return err
		}
	}
	ctx, cancel := caddy.NewContext(base)
	r.cancel = cancel
	ctx = ctx.WithValue(rehearsalKey{}, r)
	app, err := ctx.App("http")
	if err != nil {
		r.close()
		return err
	}
	for _, s := range r.servers {
		s.server = app.(*caddyhttp.App).Servers[s.name]
	}
	return nil
}

func addApps(to caddy.ModuleMap, tree map[string]any) error {
	apps, _ := tree["apps"].(map[string]any)
	for name, app := range apps {
		switch name {
		case "http", "tls", "events":
			continue
		}
		raw, err := json.Marshal(app)
		if err != nil {
			return err
		}
		to[name] = raw
	}
	return nil
}

// close lets go of what was loaded.
func (r *rehearsal) close() { r.cancel() }

// patience is how long the judges of a real token may take, together.
const patience = 30 * time.Second

// perform lets the request go its way, and returns what became of it.
func (r *rehearsal) perform(q *rehearsedRequest, user *abac.User) (*performance, error) {
	s, host, err := r.serverFor(q.Host)
	if err != nil {
		return nil, err
	}
	q.Host = host
	p := &performance{user: user, token: q.Token}
	r.now = p
	defer func() { r.now = nil }()
	req, err := q.build(s, r.tokenSource(s))
	if err != nil {
		return nil, err
	}
	if req == nil { // net/http would answer before Caddy sees it
		p.status, p.unread = http.StatusBadRequest, true
		return p, nil
	}
	ctx, cancel := context.WithTimeout(req.Context(), patience)
	defer cancel()
	w := &discardedAnswer{header: make(http.Header)}
	if err := serve(s.server, w, req.WithContext(ctx)); err != nil {
		return nil, errors.New(p.withoutToken(err.Error()))
	}
	p.status = w.status
	if p.status == 0 {
		p.status = http.StatusOK
	}
	return p, nil
}

// withoutToken takes the token out of a text that somebody else has made: what
// a matcher or a panic says may be what it has read from the request.
func (p *performance) withoutToken(text string) string {
	if p.token == "" {
		return text
	}
	return strings.NewReplacer(p.token, hiddenToken, url.QueryEscape(p.token), hiddenToken).Replace(text)
}

const hiddenToken = "[token]"

// serve keeps a handler or matcher that panics from being taken for an answer.
func serve(s http.Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("a module of the configuration panicked: %v", v)
		}
	}()
	s.ServeHTTP(w, r)
	return nil
}

// Decisions about a request as a whole.
const (
	cannotTell = "cannot tell"

	// unanswered is neither allowed nor denied: no site is for the request, because
	// its host is misspelt, or no handler.
	unanswered = "no answer"
)

// decision returns what became of the request as a whole: it is allowed if no
// stack_auth refused it, and what would have answered is no error either.
func (p *performance) decision() string {
	for _, b := range p.blocks {
		if b.Refusal != nil && b.Refusal.Status == http.StatusServiceUnavailable {
			return cannotTell
		}
		if b.Refusal != nil {
			return denied
		}
	}
	if p.status >= http.StatusBadRequest || p.aborts {
		return denied
	}
	return allowed
}

// decider returns the report of the block that decided: which refused the
// request, or else the last that asked its rules.
func (p *performance) decider() *blockReport {
	var last *blockReport
	for _, b := range p.blocks {
		if b.Refusal != nil {
			return b
		}
		if b.Matched && (last == nil || len(b.Require) > 0 || b.RuleCount > 0) {
			last = b
		}
	}
	return last
}

// discardedAnswer keeps of an answer its status.
type discardedAnswer struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (w *discardedAnswer) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *discardedAnswer) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *discardedAnswer) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return len(b), nil
}

var (
	_ http.ResponseWriter = (*discardedAnswer)(nil)
	_ io.Writer           = (*discardedAnswer)(nil)
)
