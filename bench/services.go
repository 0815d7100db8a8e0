package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// services is what runs around the gateway: a stack that answers at once, an
// issuer and the service that forward_auth asks.
type services struct {
	keys                     *keyring
	issuer, upstream, helper string // addresses, the issuer's with its scheme
	helperPID                int

	stop func()
}

func startServices(ctx context.Context) (*services, error) {
	issuer, err := listen(ctx)
	if err != nil {
		return nil, err
	}
	upstream, err := listen(ctx)
	if err != nil {
		return nil, errors.Join(err, issuer.Close())
	}
	s := &services{issuer: "http://" + issuer.Addr().String(), upstream: upstream.Addr().String()}
	if s.keys, err = newKeyring(s.issuer); err != nil {
		return nil, err
	}
	published, err := s.publish()
	if err != nil {
		return nil, err
	}
	servers := []*http.Server{serve(issuer, published), serve(upstream, answer1K())}

	helper, err := s.startHelper(ctx)
	if err != nil {
		return nil, err
	}
	s.stop = func() {
		for _, server := range servers {
			_ = server.Close() // the run is over either way
		}
		_ = helper.Process.Kill()
		_ = helper.Wait() // it was killed: an error that says so is no news
	}
	return s, nil
}

func listen(ctx context.Context) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(ctx, "tcp", "127.0.0.1:0")
}

func serve(listener net.Listener, handler http.Handler) *http.Server {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Close
	return server
}

// publish serves discovery and keys.
func (s *services) publish() (http.Handler, error) {
	jwks, err := s.keys.jwks()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for path, document := range map[string]any{
		"/jwks":                             jwks,
		"/.well-known/openid-configuration": map[string]any{"issuer": s.issuer, "jwks_uri": s.issuer + "/jwks"},
	} {
		text, err := json.Marshal(document)
		if err != nil {
			return nil, fmt.Errorf("encoding %s: %w", path, err)
		}
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(text)
		})
	}
	return mux, nil
}

// answer1K is a stack that has nothing to think about.
func answer1K() http.Handler {
	const frame = `{"object":"list","data":[],"filler":""}`
	body := []byte(strings.Replace(frame, `""`, `"`+strings.Repeat("x", 1024-len(frame))+`"`, 1))
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
}

// introspectionPath is where the helper is an introspection endpoint.
const introspectionPath = "/introspect"

// runHelper is the other end of startHelper: a service that says yes to
// everything, in a process of its own so that its CPU time can be told apart.
func runHelper(ctx context.Context) error {
	listener, err := listen(ctx)
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == introspectionPath {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"active":true,"sub":"somebody","roles":["user"]}`)
				return
			}
			w.Header().Set("X-Auth-User-Id", "somebody")
			w.WriteHeader(http.StatusOK)
		}),
	}
	return server.Serve(listener)
}

func (s *services) startHelper(ctx context.Context) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, "-helper")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the helper: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the helper's address: %w", err), cmd.Process.Kill())
	}
	s.helper, s.helperPID = strings.TrimSpace(line), cmd.Process.Pid
	return cmd, nil
}
