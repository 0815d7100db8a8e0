// Package integration tests the module against real parts: a Keycloak, an
// oidc-provider, a kube-apiserver, an OGX, a Caddy binary, and the clients that
// people use. Its tests have the build tag integration, so that `go test ./...`
// needs nothing but Go:
//
//	go test -tags integration -count=1 -timeout 25m ./integration/...
//
// The scripts beside it fetch and start the parts. They want bash, curl, jq,
// flock, unzip, openssl, etcd, Java 17, Maven, Node with npm, and a Python of
// 3.12 or newer.
// What is missing is a failure, never a skip.
//
//	STACK_AUTH_CADDY      a Caddy with the module (default: cmd/caddy is built)
//	STACK_AUTH_PARTS_DIR  where the parts keep state, logs and pid files
//	                      (default: a temporary folder)
package integration
