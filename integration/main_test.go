//go:build integration

package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/integration/modelserver"
)

// The parts that all tests share. Nothing here is changed by a test; those
// that rotate keys or stop the issuer have a Keycloak or an oidc-provider of
// their own. Kubernetes may be stopped for a while, see its down.
var (
	idp       *keycloak
	oidc      *oidcProvider
	kube      *kubernetes
	ogx       *part // no tenants; who shares a team reads what the other owns
	ogxMulti  *part // tenancy multi; who shares a role reads what the other owns
	python    string
	partsDir  string
	secondIDP = sync.OnceValues(startSecondKeycloak)
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()

	partsDir = os.Getenv("STACK_AUTH_PARTS_DIR")
	if partsDir == "" {
		dir, err := os.MkdirTemp("", "stack-auth-parts-")
		if err != nil {
			fmt.Fprintln(os.Stderr, "making a folder for the parts:", err)
			return 1
		}
		defer os.RemoveAll(dir)
		partsDir = dir
	}
	models := httptest.NewServer(new(modelserver.Server))
	defer models.Close()

	stop, err := startParts(ctx, models.URL+"/v1")
	defer func() {
		if err := stop(context.WithoutCancel(ctx)); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the parts:", err)
			code = 1
		}
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting the parts:", err)
		return 1
	}
	return m.Run()
}

// startParts starts all of them beside each other: each is slow for a reason
// of its own.
func startParts(ctx context.Context, modelURL string) (stop func(context.Context) error, err error) {
	const ogxScript = "ogx/ogx.sh"
	var errs [6]error
	idp, errs[0] = newKeycloak(ctx, "keycloak")
	ogx, _, errs[1] = newPart(ctx, ogxScript, "STACK_OGX", "ogx", partsDir, "MODEL_URL="+modelURL)
	ogxMulti, _, errs[2] = newPart(ctx, ogxScript, "STACK_OGX", "ogx-multi", partsDir, "MODEL_URL="+modelURL,
		"OGX_TENANCY=multi", "OGX_TENANT_HEADER=x-tenant-id", "OGX_SHARE_BY=roles")
	oidc, errs[3] = newOIDC(ctx, partsDir)
	kube, errs[4] = newKubernetes(ctx, partsDir)
	if err := errors.Join(errs[:]...); err != nil {
		return func(context.Context) error { return nil }, err
	}

	parts := []server{idp, ogx, ogxMulti, oidc, kube}
	stop = func(ctx context.Context) error {
		toStop := parts
		if second != nil {
			toStop = append(toStop, second)
		}
		errs := make([]error, len(toStop))
		var wg sync.WaitGroup
		for i, p := range toStop {
			wg.Go(func() { errs[i] = p.stop(ctx) })
		}
		wg.Wait()
		return errors.Join(errs...)
	}
	var wg sync.WaitGroup
	for i, p := range parts {
		wg.Go(func() { errs[i] = p.start(ctx) })
	}
	wg.Go(func() { python, errs[5] = script(ctx, nil, ogxScript, "python") })
	wg.Wait()
	return stop, errors.Join(errs[:]...)
}
