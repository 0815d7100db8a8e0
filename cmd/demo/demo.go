package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile" // the Caddyfile adapter
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	_ "github.com/caddyserver/caddy/v2/modules/filestorage"
	_ "github.com/caddyserver/caddy/v2/modules/logging"

	_ "github.com/caddy-stack-auth/caddy-stack-auth"
	"github.com/caddy-stack-auth/caddy-stack-auth/cmd/demo/internal/devissuer"
	"github.com/caddy-stack-auth/caddy-stack-auth/cmd/demo/internal/standin"
)

// defaultAudience is what tokens must name unless $OIDC_AUDIENCE says
// otherwise.
const defaultAudience = "llama-stack"

// printedLifetime is how long the tokens of the printed lines are good for:
// a working day, as nobody wants to restart the demo for fresh ones.
const printedLifetime = 12 * time.Hour

// options are what the caller of the demo may choose.
type options struct {
	listen   string // host:port of the gateway; port 0 takes a free one
	stackURL string // "" starts the stand-in
	issuer   string // "" starts the development issuer
	audience string
}

// address is a host:port taken apart.
type address struct{ host, port string }

// demo is the running gateway with what was started beside it.
type demo struct {
	options

	url       string // of the gateway
	caddyfile string
	ownIssuer bool
	ownStack  bool
	tokens    map[string]string // by user name; only with the own issuer
	servers   []*http.Server
}

// start brings everything up, or cleans up and says what failed.
func start(opts options) (_ *demo, err error) {
	if opts.audience == "" {
		opts.audience = defaultAudience
	}
	if err := checkWord("OIDC_AUDIENCE", opts.audience); err != nil {
		return nil, err
	}
	d := &demo{options: opts}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.stop())
		}
	}()

	// First of all the one thing that often fails.
	listen, err := freeAddress(opts.listen)
	if err != nil {
		return nil, err
	}
	d.url = "http://" + net.JoinHostPort(listen.host, listen.port)
	if err := d.startIssuer(); err != nil {
		return nil, err
	}
	if err := d.startStack(); err != nil {
		return nil, err
	}
	d.caddyfile, err = settings{
		Host: listen.host, Port: listen.port,
		Issuer: d.issuer, Audience: d.audience, Stack: d.stackURL,
		OwnIssuer: d.ownIssuer, OwnStack: d.ownStack,
		Colours: colours(),
	}.caddyfile()
	if err != nil {
		return nil, err
	}

	adapter := caddyconfig.GetAdapter("caddyfile")
	if adapter == nil {
		return nil, errors.New("adapting the Caddyfile: the adapter is not linked in")
	}
	config, warnings, err := adapter.Adapt([]byte(d.caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return nil, fmt.Errorf("adapting the Caddyfile: %w", err)
	}
	for _, warning := range warnings {
		return nil, fmt.Errorf("adapting the Caddyfile: %s", warning)
	}
	if err := caddy.Load(config, true); err != nil {
		return nil, fmt.Errorf("starting the gateway: %w", err)
	}
	return d, nil
}

// startIssuer uses the given issuer, or else serves one of its own.
func (d *demo) startIssuer() error {
	if d.issuer != "" {
		return checkWord("OIDC_ISSUER", d.issuer)
	}
	listener, err := listenLoopback()
	if err != nil {
		return fmt.Errorf("starting the development issuer: %w", err)
	}
	d.ownIssuer = true
	d.issuer = "http://" + listener.Addr().String()
	issuer, err := devissuer.New(d.issuer, d.audience)
	if err != nil {
		_ = listener.Close()
		return fmt.Errorf("starting the development issuer: %w", err)
	}
	d.serve(listener, issuer)
	d.tokens = make(map[string]string, len(devissuer.Users))
	for _, user := range devissuer.Users {
		token, err := issuer.Token(user, printedLifetime)
		if err != nil {
			return err
		}
		d.tokens[user.Name] = token
	}
	return nil
}

// startStack uses the given stack, or else serves the stand-in.
func (d *demo) startStack() error {
	if d.stackURL != "" {
		return checkStackURL(d.stackURL)
	}
	listener, err := listenLoopback()
	if err != nil {
		return fmt.Errorf("starting the stand-in stack: %w", err)
	}
	d.ownStack = true
	d.stackURL = "http://" + listener.Addr().String()
	d.serve(listener, standin.New())
	return nil
}

func (d *demo) serve(listener net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	d.servers = append(d.servers, server)
	go func() { _ = server.Serve(listener) }() // ends with stop
}

// stop ends the gateway first, so that it never serves without what is
// behind it.
func (d *demo) stop() error {
	errs := []error{caddy.Stop()}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, server := range d.servers {
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, server.Close())
		}
	}
	return errors.Join(errs...)
}

func listenLoopback() (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(context.Background(), "tcp", "127.0.0.1:0")
}

// freeAddress takes the address for a moment and gives it back. Caddy shares
// its ports (SO_REUSEPORT), so that two gateways would start without an
// error and take turns in answering.
func freeAddress(listen string) (address, error) {
	host, _, err := net.SplitHostPort(listen)
	if err != nil || host == "" {
		return address{}, fmt.Errorf("reading -listen: expected host:port, got %q", listen)
	}
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", listen)
	if err != nil {
		return address{}, fmt.Errorf("starting the gateway: %w (choose another address: -listen 127.0.0.1:8090)", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return address{host: host, port: port}, errors.Join(err, listener.Close())
}
