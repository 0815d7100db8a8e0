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
// that rotate keys or stop the issuer have a Keycloak of their own.
var (
	idp       *keycloak
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

// startParts starts Keycloak and the two OGX beside each other: each is slow
// for a reason of its own.
func startParts(ctx context.Context, modelURL string) (stop func(context.Context) error, err error) {
	const ogxScript = "ogx/ogx.sh"
	var errs [4]error
	idp, errs[0] = newKeycloak(ctx, "keycloak")
	ogx, _, errs[1] = newPart(ctx, ogxScript, "STACK_OGX", "ogx", partsDir, "MODEL_URL="+modelURL)
	ogxMulti, _, errs[2] = newPart(ctx, ogxScript, "STACK_OGX", "ogx-multi", partsDir, "MODEL_URL="+modelURL,
		"OGX_TENANCY=multi", "OGX_TENANT_HEADER=x-tenant-id", "OGX_SHARE_BY=roles")
	if err := errors.Join(errs[:]...); err != nil {
		return func(context.Context) error { return nil }, err
	}

	parts := []*part{idp.part, ogx, ogxMulti}
	stop = func(ctx context.Context) error {
		var errs []error
		for _, p := range parts {
			errs = append(errs, p.stop(ctx))
		}
		if second != nil {
			errs = append(errs, second.stop(ctx))
		}
		return errors.Join(errs...)
	}
	var wg sync.WaitGroup
	for i, p := range parts {
		wg.Go(func() { errs[i] = p.start(ctx) })
	}
	wg.Go(func() { python, errs[3] = script(ctx, nil, ogxScript, "python") })
	wg.Wait()
	return stop, errors.Join(errs[:]...)
}
