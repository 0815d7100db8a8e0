package stackauth

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/time/rate"
)

const (
	refusalsPerSecond = 10
	refusalBurst      = 50
)

// refusalLog writes one line per refusal, with the reason that the caller is
// not told. Under a flood it writes a few per second and code, and keeps count
// of the others.
type refusalLog struct {
	mu     sync.RWMutex
	byCode map[string]*codeLimit // as many as there are codes
}

type codeLimit struct {
	limiter    *rate.Limiter
	category   string
	suppressed atomic.Uint64
}

func newRefusalLog() *refusalLog {
	return &refusalLog{byCode: make(map[string]*codeLimit)}
}

func (l *refusalLog) limitOf(code, category string) *codeLimit {
	l.mu.RLock()
	limit := l.byCode[code]
	l.mu.RUnlock()
	if limit != nil {
		return limit
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if limit = l.byCode[code]; limit == nil {
		limit = &codeLimit{limiter: rate.NewLimiter(refusalsPerSecond, refusalBurst), category: category}
		l.byCode[code] = limit
	}
	return limit
}

// refusal logs that the request was refused.
func (l *categoryLoggers) refusal(r *http.Request, x *exchange, no *refusal) {
	l.logRefusal("request refused", no.code, r, x, no)
}

// shadowRefusal logs that the request would have been refused.
func (l *categoryLoggers) shadowRefusal(r *http.Request, x *exchange, no *refusal) {
	l.logRefusal("request would be refused", "shadow "+no.code, r, x, no)
}

func (l *categoryLoggers) logRefusal(message, kind string, r *http.Request, x *exchange, no *refusal) {
	level := zapcore.InfoLevel
	if no.status >= http.StatusInternalServerError {
		level = zapcore.ErrorLevel
	}
	if errors.Is(r.Context().Err(), context.Canceled) {
		level = zapcore.DebugLevel // hung up: nobody was refused anything, and nobody is ill
	}
	logger := l.of(no.category)
	if !logger.Core().Enabled(level) {
		return
	}
	limit := l.refusals.limitOf(kind, no.category)
	if !limit.limiter.Allow() {
		limit.suppressed.Add(1)
		return
	}
	ce := logger.Check(level, message)
	if ce == nil {
		return
	}
	clientIP, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	fields := []zapcore.Field{
		zap.Int("status", no.status),
		zap.String("code", no.code),
		zap.String("reason", no.reason),
		zap.String("method", r.Method),
		zap.String("path", r.URL.Path),
		zap.String("client_ip", clientIP),
	}
	if x.provider != "" {
		fields = append(fields, zap.String("provider", x.provider))
	}
	if x.user != nil {
		fields = append(fields, zap.String("principal", x.user.Principal))
	}
	if x.rule != "" {
		fields = append(fields, zap.String("rule", x.rule))
	}
	if n := limit.suppressed.Swap(0); n > 0 {
		fields = append(fields, zap.Uint64("suppressed", n))
	}
	ce.Write(fields...)
}

// flush writes the counts that no later line took along.
func (l *refusalLog) flush(loggers *categoryLoggers) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for code, limit := range l.byCode {
		if n := limit.suppressed.Swap(0); n > 0 {
			loggers.of(limit.category).Info("requests refused",
				zap.String("code", code), zap.Uint64("suppressed", n))
		}
	}
}
