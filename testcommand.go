package stackauth

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, testCommand) }

type testOptions struct {
	config  configFlags
	pattern string
	verbose bool
	enforce bool
	json    bool

	only *regexp.Regexp
}

func testCommand() *cobra.Command {
	var o testOptions
	cmd := &cobra.Command{
		Use:   "test [--config <file>] [-v] [--run <regexp>] [--enforce] [--json] <file>...",
		Short: "Checks a configuration against cases with expected decisions",
		Long: `
Checks what a configuration decides against what is expected, which files of
cases say. The gateway's own code decides, as with 'explain': nothing is
started, and nothing outside this process is asked.

A file is YAML or JSON:

    config: Caddyfile        # seen from this file; --config goes before it
    users:
      anna: {attributes: {roles: [admin, developer]}}
      emil: {principal: emil@example.com, tenant: acme, attributes: {roles: developer}}
    routes:                  # who may use a route, and who may not
      - {path: /v1/models, allow: [anna, emil], deny: [anonymous]}
      - {path: /v1/models, method: DELETE, deny: [anna, emil]}
      - {path: /v1/admin/users, client_ip: 10.1.2.3, allow: anna, deny: emil}
    cases:
      - name: administrators are so in the office only
        user: anna
        path: /v1/admin/users
        client_ip: 192.0.2.1
        expect: deny
        status: 403
      - name: developers read llamas, whoever owns them
        user: emil
        path: /v1/models
        resource: model::llama-3
        action: read
        owner: {principal: eve, tenant: acme, attributes: {teams: [ml]}}
        expect: allow
        rule: developers read llamas

users
    principal (default: the name), tenant, attributes. 'anonymous' is who has no
    credential.

routes
    path, method (default GET), host, client_ip, headers; allow and deny list
    users.

cases
    name, user or 'anonymous: true'; the request as with routes; resource, action
    (default read) and owner (a user's name, or principal, tenant, attributes);
    and at least one of expect (allow or deny), status and rule (its description;
    of one without, kind and number, such as 'permit 2'; 'none' where no rule
    decided). With a resource, allow means that both the route and the resource
    policy allow.

A request that is passed on counts as allowed, with status 200. One that Caddy
itself answers with an error (error, respond) counts as denied. One that nothing
answers, because no site has such a host, is neither.

-v
    Names the cases that pass, too.

--run <regexp>
    Only the cases whose name it matches.

--enforce
    As if no block were in shadow: what the rules will decide once they count.

--json
    Prints an object in each line: Action (run, output, pass, fail, error), File,
    Test, Line, Output, Elapsed. The last of a file has no Test. The fields are
    listed in docs/policy-tools.md.

Exits with 0 where all is as expected, with 1 where a case differs, and with 2
where a file or a configuration is broken, or there is nothing to run.`,
		Example: `  caddy stack-auth test policy-test.yaml
  caddy stack-auth test --config /etc/caddy/Caddyfile -v --run admin *-test.yaml`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return broken(cmd, errors.New("expected a file of cases"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, files []string) error { return o.run(cmd, files) },
	}
	cmd.DisableFlagsInUseLine = true
	cmd.SetFlagErrorFunc(broken)
	flags := cmd.Flags()
	o.config.bind(flags)
	flags.StringVar(&o.pattern, "run", "", "Run only the cases whose name this expression matches")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "Name the cases that pass")
	flags.BoolVar(&o.enforce, "enforce", false, "As if no block were in shadow")
	flags.BoolVar(&o.json, "json", false, "Print JSON")
	return cmd
}

func (o *testOptions) run(cmd *cobra.Command, files []string) error {
	var err error
	if o.only, err = regexp.Compile(o.pattern); err != nil {
		return broken(cmd, fmt.Errorf("--run: %w", err))
	}
	report := newTestReport(cmd.OutOrStdout(), o.json, o.verbose)
	ran, failed, unusable := 0, 0, 0
	for _, file := range files {
		n, differ, err := o.runFile(report, file)
		if err != nil {
			report.unusable(file, err)
			cmd.PrintErrln("Error:", plain(err.Error()))
			unusable++
		}
		ran, failed = ran+n, failed+differ
	}
	switch {
	case report.err != nil:
		return broken(cmd, report.err)
	case unusable > 0:
		return exit(cmd, exitBroken)
	case ran == 0:
		return broken(cmd, fmt.Errorf("--run %s: no case has such a name", o.pattern))
	case failed > 0:
		return exit(cmd, exitDiffers)
	}
	return nil
}

// runFile runs the cases of a file, and returns how many ran and how many
// differ. An error is of a file that cannot be run, or not to its end.
func (o *testOptions) runFile(report *testReport, file string) (ran, differ int, err error) {
	start := time.Now()
	content, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, err
	}
	f, err := parseCases(content)
	if err != nil {
		return 0, 0, inFile(file, err)
	}
	config := o.config
	if config.file == "" && f.config != "" {
		if config.file = f.config; !filepath.IsAbs(f.config) {
			config.file = filepath.Join(filepath.Dir(file), f.config)
		}
	}
	raw, err := config.load()
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", file, err)
	}
	if o.enforce {
		if raw, err = withoutShadow(raw); err != nil {
			return 0, 0, fmt.Errorf("%s: %w", file, err)
		}
	}
	r, err := rehearse(raw, true)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", file, err)
	}
	defer r.close()
	for i := range f.cases {
		c := &f.cases[i]
		if !o.only.MatchString(c.name) {
			continue
		}
		began := time.Now()
		report.begin(file, c)
		differences, err := r.try(c)
		if err != nil {
			return ran, differ, inFile(file, &lineError{c.line, fmt.Errorf("%s: %w", c.name, err)})
		}
		if ran++; len(differences) > 0 {
			differ++
		}
		report.end(file, c, differences, time.Since(began))
	}
	report.file(file, ran, differ, time.Since(start))
	return ran, differ, nil
}

// inFile names the file, and the line where that is known, as compilers do.
func inFile(file string, err error) error {
	if at, ok := errors.AsType[*lineError](err); ok {
		return fmt.Errorf("%s:%d: %w", file, at.line, at.err)
	}
	return fmt.Errorf("%s: %w", file, err)
}

// try runs a case, and returns what is not as it expects, with why.
func (r *rehearsal) try(c *testCase) ([]string, error) {
	request := c.request
	p, err := r.perform(&request, c.user)
	if err != nil {
		return nil, err
	}
	e, err := r.explanation(p, &request, nil)
	if err != nil {
		return nil, err
	}
	// What the route refuses is refused, whatever the resource policy says.
	if c.resource != nil && e.Decision == allowed {
		if e.Resource, err = r.judgeResource(p, c.resource); err != nil {
			return nil, err
		}
	}
	got := e.outcome(p)
	var differences []string
	differ := func(what string, want, is any) {
		differences = append(differences, fmt.Sprintf("%s: want %v, got %v", what, want, is))
	}
	if w := c.want.decision; w != "" && w != got.decision {
		differ("decision", w, got.decision)
	}
	if w := c.want.status; w != 0 && w != got.status {
		differ("status", w, got.status)
	}
	if w := c.want.rule; w != "" && w != got.rule {
		differ("rule", plain(w), plain(got.rule))
	}
	if len(differences) > 0 {
		differences = append(differences, e.deciding(p)...)
	}
	return differences, nil
}

// outcome is what cases are compared with.
func (e *explanation) outcome(p *performance) expectation {
	got := expectation{decision: e.Decision, status: e.Status, rule: noRule}
	if b := p.decider(); b != nil && b.Rule != "" {
		got.rule = b.Rule
	}
	if e.Resource != nil {
		got.decision, got.rule = e.Resource.Decision, noRule
		if e.Resource.Rule != "" {
			got.rule = e.Resource.Rule
		}
	}
	return got
}

// deciding is the step of the trace that decided.
func (e *explanation) deciding(p *performance) []string {
	b := p.decider()
	if b == nil {
		return []string{"no stack_auth block is for this request", "answer: " + e.answeredBy()}
	}
	lines := []string{fmt.Sprintf("block %d: %s", b.Block, b.verdict(b.Reason))}
	for _, rule := range b.Rules {
		if rule.Applies {
			lines = append(lines, fmt.Sprintf("%s %d, %s: applies", rule.Effect, rule.Number, named(rule.Description, rule.Scope)))
		}
	}
	if e.Resource != nil {
		return append(lines, "resource: "+e.Resource.verdict())
	}
	return append(lines, "answer: "+e.answeredBy())
}
