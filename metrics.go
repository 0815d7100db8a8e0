package stackauth

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// decisions counts what rules decided. It is one for the process, so that it
// counts on when the configuration is reloaded.
var decisions = prometheus.NewCounterVec(prometheus.CounterOpts{
	Namespace: "caddy",
	Subsystem: "stack_auth",
	Name:      "decisions_total",
	Help:      "Decisions of require, permit and forbid, by what was decided and whether it was enforced or in shadow.",
}, []string{"decision", "mode"})

// The four of them, looked up once.
var (
	allowedEnforced = decisions.WithLabelValues(allowed, "enforced")
	deniedEnforced  = decisions.WithLabelValues(denied, "enforced")
	allowedInShadow = decisions.WithLabelValues(allowed, "shadow")
	deniedInShadow  = decisions.WithLabelValues(denied, "shadow")
)

func countDecision(allow, shadow bool) {
	switch {
	case allow && shadow:
		allowedInShadow.Inc()
	case shadow:
		deniedInShadow.Inc()
	case allow:
		allowedEnforced.Inc()
	default:
		deniedEnforced.Inc()
	}
}

// registerMetrics adds the metrics to those of a configuration.
func registerMetrics(registry *prometheus.Registry) error {
	err := registry.Register(decisions)
	if _, again := errors.AsType[prometheus.AlreadyRegisteredError](err); again {
		return nil // by another handler of the same configuration
	}
	return err
}
