package stackauth

import (
	"context"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

// warmer is a provider that can get ready before its first request.
type warmer interface{ Warm() }

// warmOnStart lets providers fetch what they need as soon as Caddy runs. Not
// earlier: loading a configuration, which `caddy validate` does too, must work
// without a network, and a configuration that is rejected must leave no trace.
func warmOnStart(ctx caddy.Context, list []providers.Provider) error {
	app, _ := ctx.AppIfConfigured("events")
	if events, ok := app.(*caddyevents.App); ok {
		return events.On("started", onStart(list))
	}
	return nil // without events, the first request does it
}

type onStart []providers.Provider

// Handle implements caddyevents.Handler.
func (list onStart) Handle(context.Context, caddy.Event) error {
	for _, p := range list {
		if w, ok := p.(warmer); ok {
			w.Warm()
		}
	}
	return nil
}
