// Command demo is the quick start: one command that starts a gateway with
// this module, and what is missing around it, and prints what to try.
//
//	go run ./cmd/demo
//
// It stands in front of $STACK_URL, or else of a small built-in stand-in
// stack; it accepts tokens of $OIDC_ISSUER (for $OIDC_AUDIENCE), or else of
// an embedded development issuer whose key lives in memory only.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	opts := options{
		stackURL: os.Getenv("STACK_URL"),
		issuer:   os.Getenv("OIDC_ISSUER"),
		audience: os.Getenv("OIDC_AUDIENCE"),
	}
	flag.StringVar(&opts.listen, "listen", "127.0.0.1:8080", "`host:port` of the gateway")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "demo: reading arguments: expected flags only, got %q\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := run(opts); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

const usage = `Usage: go run ./cmd/demo [flags]

Starts a gateway with caddy-stack-auth and prints what to try.

Environment:
  STACK_URL      the stack to stand in front of, as http://host:port
                 (default: a small built-in stand-in)
  OIDC_ISSUER    whose tokens are accepted, as its tokens spell it in iss
                 (default: an embedded development issuer)
  OIDC_AUDIENCE  what tokens must name in aud (default: llama-stack)

Flags:
`

func run(opts options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d, err := start(opts)
	if err != nil {
		return err
	}
	if _, err := fmt.Print(d.instructions()); err != nil {
		return fmt.Errorf("printing what to try: %w", err)
	}
	<-ctx.Done()
	stop() // a second Ctrl-C ends it at once
	fmt.Println("\nStopping.")
	return d.stop()
}

// colours tells whether log lines go to somebody's terminal.
func colours() bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
