package stackauth

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Categories of log lines. Each is a logger of its own below the module's, so
// that every line shows it and Caddy's include and exclude lists can name it.
const (
	categoryAuth      = "auth"
	categoryProviders = "providers"
	categoryPolicy    = "policy"
	categoryResources = "resources"
	categoryQuota     = "quota"
	categoryUpstream  = "upstream"

	categoryAll = "all"
)

var categories = []string{
	categoryAuth, categoryProviders, categoryPolicy, categoryResources, categoryQuota, categoryUpstream,
}

// levelVariable sets levels by category, in the form `policy=debug;all=info`.
const levelVariable = "STACK_AUTH_LOGGING"

// categoryLoggers are the loggers of one handler.
type categoryLoggers struct {
	byName   map[string]*zap.Logger
	refusals *refusalLog
}

func newCategoryLoggers(base *zap.Logger, configured map[string]string) (*categoryLoggers, error) {
	levels := make(levelSet)
	for category, level := range configured {
		if err := levels.set(category, level); err != nil {
			return nil, fmt.Errorf("log_levels: %w", err)
		}
	}
	fromEnvironment, complaints := parseLevels(os.Getenv(levelVariable))
	for _, complaint := range complaints {
		base.Warn("ignoring a part of "+levelVariable, zap.String("reason", complaint))
	}
	if _, everything := fromEnvironment[categoryAll]; everything {
		levels = fromEnvironment // `all` of the variable goes before any of the block
	} else {
		maps.Copy(levels, fromEnvironment)
	}
	l := &categoryLoggers{byName: make(map[string]*zap.Logger, len(categories)), refusals: newRefusalLog()}
	for _, category := range categories {
		named := base.Named(category)
		if level, there := levels.of(category); there {
			named = withLevel(named, level)
		}
		l.byName[category] = named
	}
	return l, nil
}

func (l *categoryLoggers) of(category string) *zap.Logger { return l.byName[category] }

// admission logs at debug that the request goes on, and as whose.
func (l *categoryLoggers) admission(r *http.Request, x *exchange) {
	if ce := l.of(categoryPolicy).Check(zapcore.DebugLevel, "request allowed"); ce != nil {
		ce.Write(
			zap.String("method", r.Method),
			zap.String("path", r.URL.Path),
			zap.String("principal", x.principal()),
			zap.String("provider", x.provider),
		)
	}
}

// flush writes what has been held back.
func (l *categoryLoggers) flush() {
	if l != nil {
		l.refusals.flush(l)
	}
}

// levelSet is the levels by category, with `all` among them.
type levelSet map[string]zapcore.Level

func (s levelSet) set(category, level string) error {
	category = strings.ToLower(strings.TrimSpace(category))
	if category != categoryAll && !isCategory(category) {
		return fmt.Errorf("category %q: expected one of %s or all", category, strings.Join(categories, ", "))
	}
	parsed, err := zapcore.ParseLevel(strings.ToLower(strings.TrimSpace(level)))
	if err != nil || parsed > zapcore.ErrorLevel {
		return fmt.Errorf("level %q of category %s: expected debug, info, warn or error", level, category)
	}
	s[category] = parsed
	return nil
}

func (s levelSet) of(category string) (zapcore.Level, bool) {
	if level, there := s[category]; there {
		return level, true
	}
	level, there := s[categoryAll]
	return level, there
}

func isCategory(name string) bool {
	return slices.Contains(categories, name)
}

// parseLevels reads `policy=debug;providers=warn,all=info`. What cannot be
// understood is complained of by name, and the rest applies.
func parseLevels(value string) (levelSet, []string) {
	levels := make(levelSet)
	var complaints []string
	for part := range strings.FieldsFuncSeq(value, func(c rune) bool { return c == ';' || c == ',' }) {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		category, level, found := strings.Cut(part, "=")
		if !found {
			complaints = append(complaints, fmt.Sprintf("%q: expected category=level", part))
			continue
		}
		if err := levels.set(category, level); err != nil {
			complaints = append(complaints, err.Error())
		}
	}
	return levels, complaints
}

// withLevel returns the logger with a level of its own. A higher level than
// the logs have is a matter of checking it first. A lower one is only given to
// Caddy's default log, and only where that log's include and exclude lists
// admit the category: other logs have chosen their level, and debug lines have
// no place in an audit file.
func withLevel(l *zap.Logger, level zapcore.Level) *zap.Logger {
	return l.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		c := &levelCore{Core: core, level: level}
		// Caddy's default logger is the default log behind its own lists: a
		// line of the highest level tells whether they admit the name.
		standard := caddy.Log().Core()
		probe := zapcore.Entry{Level: zapcore.FatalLevel, LoggerName: l.Name()}
		if standard.Check(probe, nil) != nil {
			c.standard = standard
		}
		return c
	}))
}

// levelCore lets pass what has the level of the category.
type levelCore struct {
	zapcore.Core
	level    zapcore.Level
	standard zapcore.Core // Caddy's default log; nil where it does not want these lines
}

// Enabled implements zapcore.LevelEnabler.
func (c *levelCore) Enabled(level zapcore.Level) bool {
	return level >= c.level && (c.standard != nil || c.Core.Enabled(level))
}

// Check implements zapcore.Core.
func (c *levelCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if e.Level < c.level {
		return ce
	}
	ce = c.Core.Check(e, ce)
	if c.standard != nil && !c.standard.Enabled(e.Level) {
		// Added itself, a core is written to without being asked again.
		ce = ce.AddCore(e, c.standard)
	}
	return ce
}

// With implements zapcore.Core.
func (c *levelCore) With(fields []zapcore.Field) zapcore.Core {
	with := &levelCore{Core: c.Core.With(fields), level: c.level}
	if c.standard != nil {
		with.standard = c.standard.With(fields)
	}
	return with
}
