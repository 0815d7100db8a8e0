package stackauth

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/spf13/cobra"

	"github.com/caddy-stack-auth/caddy-stack-auth/ogximport"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

func init() { subcommands = append(subcommands, importCommand) }

type importOptions struct {
	partial, json bool
	envFile       string
}

// imported is what --json prints.
type imported struct {
	Caddyfile string             `json:"caddyfile"`
	Notes     []ogximport.Remark `json:"notes"`
	Refusals  []ogximport.Remark `json:"refusals"`
}

func importCommand() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import [--partial] [--envfile <file>] [--json] <run.yaml>",
		Short: "Makes a stack_auth block of the server.auth of OGX or Llama Stack",
		Long: `
Reads the run file of an OGX or Llama Stack of any age ('-' for standard input),
and prints a block for a Caddyfile that decides as its server.auth does: the
provider (provider_config, or the forms before it), route_policy, access_policy
and server.tenancy. Nothing else of the file is looked at.

The block always says 'compat ogx'. What that does not switch is rewritten:
expressions of Python, which read \w, \d, \s and letters in any case otherwise
than RE2 does; conditions about owners, which are constant on a route; patterns
that can match nothing. What is rewritten or differs is noted on standard error,
with its line.

What cannot be carried over is listed there, too, with its line and the reason:
then no block is printed. The list also has what OGX passes over without a word,
such as a misspelt key, or a forbid with an expression that Python rejects.

Secrets of the file are not printed: {env.NAME} stands for each, and the notes
say what to set. API keys are printed as hashes.

--partial
    Prints a block all the same, with the list in comments. It lets in nobody
    whom OGX would refuse: a permit that cannot be carried over is left out, a
    forbid becomes a wider one, and without its provider the block answers 401.

--envfile
    What the environment of OGX is, as NAME=value lines. Only needed where the
    file depends on a variable in a place that has to be known, such as a rule;
    what can be a placeholder stays one.

--json
    Prints {"caddyfile": …, "notes": […], "refusals": […]}, of which each remark
    has line, key and text.

Exits with 0 when there is a block, with 1 when something is refused (not with
--partial), and with 2 when a file is broken or the command is misspelt.`,
		Example: `  caddy stack-auth import run.yaml > stack_auth.caddy
  caddy stack-auth import --partial --envfile ogx.env run.yaml`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return broken(cmd, errors.New("expected one run file, or - for standard input"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	cmd.DisableFlagsInUseLine = true
	cmd.SetFlagErrorFunc(broken)
	flags := cmd.Flags()
	flags.BoolVar(&o.partial, "partial", false, "Print a block without what cannot be carried over")
	flags.BoolVar(&o.json, "json", false, "Print JSON")
	flags.StringVar(&o.envFile, "envfile", "", "File with the environment of OGX")
	return cmd
}

func (o *importOptions) run(cmd *cobra.Command, name string) error {
	options := ogximport.Options{Partial: o.partial, HashKey: providers.HashKey}
	if o.envFile != "" {
		env, err := readEnv(o.envFile)
		if err != nil {
			return broken(cmd, err)
		}
		options.Env = func(name string) (string, bool) { v, set := env[name]; return v, set }
	}
	file, err := readRunFile(cmd, name)
	if err != nil {
		return broken(cmd, err)
	}
	r, err := ogximport.Import(file, options)
	if err != nil {
		return broken(cmd, fmt.Errorf("%s: %w", name, err))
	}
	if err := checkBlock(r.Caddyfile); err != nil {
		r.Caddyfile = ""
		r.Refusals = append(r.Refusals, ogximport.Remark{Key: "server.auth", Text: "the block cannot be loaded: " + err.Error()})
	}
	if err := o.print(cmd, name, r); err != nil {
		return broken(cmd, err)
	}
	if r.Caddyfile == "" {
		return exit(cmd, exitDiffers)
	}
	return nil
}

func (o *importOptions) print(cmd *cobra.Command, name string, r *ogximport.Result) error {
	if o.json {
		all := imported{r.Caddyfile, r.Notes, r.Refusals}
		if all.Notes == nil {
			all.Notes = []ogximport.Remark{}
		}
		if all.Refusals == nil {
			all.Refusals = []ogximport.Remark{}
		}
		return printJSON(cmd.OutOrStdout(), all)
	}
	for _, list := range []struct {
		what    string
		remarks []ogximport.Remark
	}{{"note", r.Notes}, {"not carried over", r.Refusals}} {
		for _, remark := range list.remarks {
			about := remark.Text
			if remark.Key != "" { // it is about the file
				about = remark.Key + ": " + about
			}
			cmd.PrintErrln(plain(fmt.Sprintf("%s:%d: %s: %s", name, remark.Line, list.what, about)))
		}
	}
	_, err := io.WriteString(cmd.OutOrStdout(), r.Caddyfile)
	return err
}

func readEnv(name string) (map[string]string, error) {
	file, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	env, err := ogximport.ParseEnv(string(file))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return env, nil
}

// maxRunFile is more than the import reads, so that it says so itself.
const maxRunFile = 8 << 20

func readRunFile(cmd *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxRunFile))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxRunFile))
}

// adaptVariable is what Caddy replaces when it reads a Caddyfile.
var adaptVariable = regexp.MustCompile(`\{\$[A-Z0-9_]+(?::([^}]*))?\}`)

// checkBlock adapts a block, with a value for each variable, so that none is
// ever printed that Caddy does not read.
func checkBlock(block string) error {
	if block == "" {
		return nil
	}
	filled := adaptVariable.ReplaceAllStringFunc(block, func(variable string) string {
		if text := adaptVariable.FindStringSubmatch(variable)[1]; text != "" {
			return text
		}
		return "1"
	})
	_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(":0 {\n"+filled+"}\n"), nil)
	return err
}
