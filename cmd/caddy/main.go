// Command caddy is a Caddy with this module in it, for people without
// xcaddy, for the tests and for the benchmarks.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-stack-auth/caddy-stack-auth"
)

func main() {
	caddycmd.Main()
}
