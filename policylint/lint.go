package policylint

import (
	"fmt"
	"strconv"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// Lint returns what is to be said about a block. The error is about rules that
// are not good, which no configuration that loads has.
func Lint(b *Block) ([]Finding, error) {
	l := &linter{report: report{block: b}}
	if err := l.read(); err != nil {
		return nil, err
	}
	for _, check := range []func(){
		l.checkBlock, l.checkAnonymous, l.checkAround, l.checkMethodChanges, l.checkPathChanges, l.checkPublic,
		l.checkMappings, l.checkAttributes, l.checkUniversalRoles, l.checkCallers, l.checkConditions, l.checkValues, l.checkPlaceholders,
		l.checkRequire,
		l.checkPatterns, l.checkWriting, l.checkForbids, l.checkPermitMatchers, l.checkExpressions, l.checkRoutesReached, l.checkOrder,
		l.checkResources, l.checkResourcesReached,
	} {
		check()
	}
	return l.sorted(), nil
}

// linter is a block that is looked at.
type linter struct {
	report
	routes    []route
	resources []resourceRule
	required  []clause
}

func (l *linter) read() error {
	rules := make([]abac.RouteRule, len(l.block.Rules))
	for i := range l.block.Rules {
		rules[i] = l.block.Rules[i].RouteRule
	}
	if _, err := abac.NewRoutePolicy(rules, l.block.Compat); err != nil {
		return err
	}
	if _, err := abac.NewPolicy(l.block.AccessPolicy, abac.Options{Compat: l.block.Compat, OwnerMatch: l.block.OwnerMatch}); err != nil {
		return fmt.Errorf("access_policy: %w", err)
	}
	for i := range l.block.Rules {
		r, err := readRoute(&l.block.Rules[i], l.block.Compat)
		if err != nil {
			return fmt.Errorf("rule %d: %w", i+1, err)
		}
		l.routes = append(l.routes, r)
	}
	for i := range l.block.AccessPolicy {
		r, err := readResourceRule(&l.block.AccessPolicy[i], l.block.Compat)
		if err != nil {
			return fmt.Errorf("access_policy: rule %d: %w", i+1, err)
		}
		l.resources = append(l.resources, r)
	}
	for _, q := range l.block.Require {
		l.required = append(l.required, requiredClause(q))
	}
	return nil
}

// ofRule is a route rule as the subject of a finding.
func (l *linter) ofRule(i int) subject {
	r := &l.block.Rules[i]
	return subject{OfRules, i + 1, nameOf(string(r.Effect), i, r.Description)}
}

// ofResourceRule is a rule of the access policy as the subject of a finding.
func (l *linter) ofResourceRule(i int) subject {
	r := &l.block.AccessPolicy[i]
	return subject{OfAccessPolicy, i + 1, nameOf(string(r.Effect), i, r.Description)}
}

func (l *linter) ofRequire(i int) subject {
	return subject{OfRequire, i + 1, nameOf("require", i, "")}
}

// nameOf is how the log calls a rule.
func nameOf(kind string, index int, description string) string {
	if description != "" {
		return description
	}
	return kind + " " + strconv.Itoa(index+1)
}
