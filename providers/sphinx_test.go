package providers

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// sphinx is a provider that asks whatever the test puts behind it.
type sphinx struct {
	Common
	Network
	asked atomic.Int64
	says  func(context.Context, string) Answer
}

// newSphinx returns a sphinx at the address. Options are set before it is
// prepared.
func newSphinx(t testing.TB, address string, says func(context.Context, string) Answer, options ...func(*sphinx)) *sphinx {
	t.Helper()
	return sphinxWithLog(t, zap.NewNop(), address, says, options...)
}

func sphinxWithLog(
	t testing.TB, log *zap.Logger, address string, says func(context.Context, string) Answer, options ...func(*sphinx),
) *sphinx {
	t.Helper()
	o := &sphinx{says: says}
	for _, set := range options {
		set(o)
	}
	ctx := newContext(t, log)
	if err := errors.Join(
		o.SetUp(ctx, Defaults{Type: "sphinx", PrincipalClaim: []string{"sub"}}),
		o.SetUpNetwork(ctx),
		o.SetUpJudge(&o.Common, Judge{Address: address, CacheTTL: 30 * time.Second}),
	); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.CleanUpJudge(); err != nil {
			t.Error(err)
		}
	})
	return o
}

func withTTL(d time.Duration) func(*sphinx) {
	return func(o *sphinx) { o.CacheTTL = new(caddy.Duration(d)) }
}

func withStale(d time.Duration) func(*sphinx) {
	return func(o *sphinx) { o.StaleIfError = new(caddy.Duration(d)) }
}

func withTimeout(d time.Duration) func(*sphinx) {
	return func(o *sphinx) { o.Timeout = caddy.Duration(d) }
}

func named(name string) func(*sphinx) { return func(o *sphinx) { o.Name = name } }

// Authenticate implements Provider.
func (o *sphinx) Authenticate(r *http.Request, c Credential) Answer {
	return o.Ask(r, Question{Token: c.Token}, func(ctx context.Context) Answer {
		o.asked.Add(1)
		return o.says(ctx, c.Token)
	})
}

// within asks for a caller who waits no longer than ctx.
func (o *sphinx) within(ctx context.Context, token string) Answer {
	return o.Authenticate(httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/models", nil), Credential{Token: token})
}

// always gives one answer.
func always(a Answer) func(context.Context, string) Answer {
	return func(context.Context, string) Answer { return a }
}

// hangs answers when the time that it is given is over.
func hangs(ctx context.Context, _ string) Answer {
	<-ctx.Done()
	return &CannotTell{Err: ctx.Err()}
}

func yesUntil(principal string, expires time.Time) *Yes {
	return &Yes{User: &abac.User{Principal: principal}, Expires: expires}
}

var (
	errGone = &CannotTell{Err: errors.New("gone")}
	errOdd  = &CannotTell{Err: errors.New("odd"), Answered: true}
)

// wantAsked checks how often the judge was asked since the last look.
func (o *sphinx) wantAsked(t testing.TB, want int64) {
	t.Helper()
	if n := o.asked.Swap(0); n != want {
		t.Errorf("the judge was asked %d times, want %d", n, want)
	}
}
