package stackauth

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddy-stack-auth/caddy-stack-auth/policylint"
)

func init() {
	subcommands = append(subcommands, lintCommand)
}

type lintOptions struct {
	config       configFlags
	json, strict bool
}

func lintCommand() *cobra.Command {
	var o lintOptions
	cmd := &cobra.Command{
		Use:   "lint [--config <path> [--adapter <name>]] [--json] [--strict]",
		Short: "Finds what is wrong with the rules of a configuration",
		Long: `
Looks at the stack_auth blocks of a configuration, and says what is wrong with
their rules: rules that never decide, forbids that something gets around,
patterns that match nothing or more than they seem to, attributes that no
provider gives, and roles that everybody has. Nothing is started, nobody is
asked: providers are taken at their configuration.

Of each finding it says where it is, what it means, and what to write instead.
An error is almost certainly not what was meant, or less safe than it looks; a
warning is often a mistake; a note is good to know.

--config, --adapter
    The configuration, as 'caddy adapt' takes it. Default: the Caddyfile in this
    folder.

--json
    Prints a list of objects with block, place, list, rule, name, code,
    severity, message and advice. rule and name are left out where a finding is
    about no rule in particular. Codes stay what they are.

--strict
    Notes count, too.

Exits with 0 when nothing is found, or notes only; with 1 when an error or a
warning is found (or a note, with --strict); with 2 when the configuration cannot
be read, or has no stack_auth.`,
		Example: `  caddy stack-auth lint --config /etc/caddy/Caddyfile
  caddy stack-auth lint --json --strict`,
		Args: func(cmd *cobra.Command, args []string) error {
			return lintFailure(cmd, cobra.NoArgs(cmd, args))
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	cmd.DisableFlagsInUseLine = true
	cmd.SetFlagErrorFunc(lintFailure)
	flags := cmd.Flags()
	o.config.bind(flags)
	flags.BoolVar(&o.json, "json", false, "Print JSON")
	flags.BoolVar(&o.strict, "strict", false, "Notes count, too")
	return cmd
}

// errFindings ends the command with 1. What there is to say has been said.
var errFindings = errors.New("findings")

// lintFailure ends the command with 2: it is no finding that lint could not look.
func lintFailure(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return broken(cmd, err)
}

func (o *lintOptions) run(cmd *cobra.Command) error {
	findings, err := o.findings()
	if err != nil {
		return lintFailure(cmd, err)
	}
	if o.json {
		err = printJSON(cmd.OutOrStdout(), findings)
	} else {
		err = printFindings(cmd.OutOrStdout(), findings)
	}
	if err != nil {
		return lintFailure(cmd, err)
	}
	for _, f := range findings {
		if f.Severity != policylint.Note || o.strict {
			cmd.SilenceErrors = true
			return errFindings
		}
	}
	return nil
}

func (o *lintOptions) findings() ([]policylint.Finding, error) {
	config, err := o.config.load()
	if err != nil {
		return nil, err
	}
	blocks, err := findBlocks(config)
	if err != nil {
		return nil, err
	}
	if len(blocks) == 0 {
		return nil, errors.New("the configuration has no stack_auth")
	}
	return lintBlocks(blocks)
}

// printFindings writes them for people, a paragraph each, and their number.
func printFindings(to io.Writer, findings []policylint.Finding) error {
	var b strings.Builder
	for i := range findings {
		f := &findings[i]
		fmt.Fprintf(&b, "%s: %s: %s\n", plain(whereOf(f)), f.Severity, f.Code)
		wrap(&b, plain(f.Message)+".")
		wrap(&b, "Instead: "+plain(f.Advice)+".")
		b.WriteByte('\n')
	}
	b.WriteString(countFindings(findings) + "\n")
	_, err := io.WriteString(to, b.String())
	return err
}

// whereOf is the place of a finding: where the block is, and which rule of it.
func whereOf(f *policylint.Finding) string {
	where := fmt.Sprintf("stack_auth %d", f.Block)
	if f.Place != "" {
		where = f.Place + ", " + where
	}
	switch f.List {
	case policylint.OfBlock:
		return where
	case policylint.OfProviders:
		return where + ", provider " + f.Name
	case policylint.OfAccessPolicy:
		where += ", access_policy"
	default:
	}
	numbered := fmt.Sprint(" ", f.Rule)
	switch {
	case f.Rule == 0 && f.List == policylint.OfAccessPolicy:
		return where
	case f.Rule == 0:
		return where + ", rules"
	case strings.HasSuffix(f.Name, numbered):
		return where + ", " + f.Name
	}
	return fmt.Sprintf("%s, rule%s %q", where, numbered, f.Name)
}

// wrap writes a text in lines, set in.
func wrap(b *strings.Builder, text string) {
	const indent = "    "
	for _, line := range linesOf(text, lineWidth-len(indent)) {
		b.WriteString(indent + line + "\n")
	}
}

// countFindings is the last line: `3 findings: 1 error, 2 warnings`.
func countFindings(findings []policylint.Finding) string {
	if len(findings) == 0 {
		return "no findings"
	}
	counts := make(map[policylint.Severity]int)
	for _, f := range findings {
		counts[f.Severity]++
	}
	var parts []string
	for _, severity := range []policylint.Severity{policylint.Error, policylint.Warning, policylint.Note} {
		if n := counts[severity]; n > 0 {
			parts = append(parts, numberOf(n, string(severity)))
		}
	}
	return numberOf(len(findings), "finding") + ": " + strings.Join(parts, ", ")
}

func numberOf(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return fmt.Sprintf("%d %s", n, word)
}
