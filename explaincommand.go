package stackauth

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

func init() { subcommands = append(subcommands, explainCommand) }

// Exit codes of explain and test.
const (
	exitDiffers = 1 // refused, or a case differs
	exitBroken  = 2 // there is no answer
)

type explainOptions struct {
	config    configFlags
	person    person
	attribute []string
	anonymous bool
	tokenFile string
	request   rehearsedRequest
	resource  string
	action    string
	owner     person
	ownerAttr []string
	json      bool
}

func explainCommand() *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use: "explain [--config <file>] (--principal <name> [--attribute <name>=<value>]... | --anonymous | " +
			"--token-file <file> | --token -) [flags] <method> <path>",
		Short: "Says what the gateway would do with a request, and why",
		Long: `
Says what a configuration would do with a request, and why: for each stack_auth
block that the request comes to, who calls, whether each require holds, and of
each rule why it applied or did not. Caddy's own routes and matchers are run,
without starting a server, and whatever would leave this process
(reverse_proxy, file_server, …) is left out and named.

Who calls is one of these:

--principal, --tenant, --attribute
    Somebody made up. Every block with providers takes the caller for this one,
    and no provider is loaded or asked: no network is needed. An attribute is
    <name>=<value>[,<value>...]; the flag may be repeated, and a comma that
    belongs to a value is written \, there.

--anonymous
    Somebody without a credential.

--token-file <file>, --token -
    Whoever has the token that is the first line of the file, or of standard
    input. The providers are asked as the gateway would ask them: keys are
    fetched, and services called. The token is not shown. There is no flag that
    takes a token itself, because other users of a machine can see arguments.

The request:

<method> <path>
    As a client would send them: the path with its escapes, and with a query.

--host
    The site, with a port where several servers have it. Default: the only one
    that the configuration has.

--client-ip
    The address of the client, or of the proxy in front that it comes through.
    Default: 127.0.0.1.

--header 'Name: value'
    May be repeated.

A resource beside it:

--resource <type>::<id>, --action, --owner, --owner-tenant, --owner-attribute
    Also says what the resource policy decides about it: that of the innermost
    block on the way, or the one that it inherits. Without --owner nobody owns
    the resource. This version of the gateway does not enforce resource
    policies: only this command and 'test' decide by them.

--json
    Prints one object instead: request, blocks, passed, omitted, answer,
    resource, decision, status. 'decision' is allow, deny, 'no answer' (no site
    is for the host, or no handler for the request) or 'cannot tell'. The fields
    are listed in docs/policy-tools.md.

Blocks are counted in the order of the adapted configuration.

Exits with 0 where the request is allowed, with 1 where it, or the resource, is
refused, and with 2 where something is wrong, nothing answers, or it could not be
told.`,
		Example: `  caddy stack-auth explain --principal anna --attribute roles=developer POST /v1/chat/completions
  caddy stack-auth explain --anonymous GET /v1/models
  caddy stack-auth explain --token - GET /v1/models < token.txt
  caddy stack-auth explain --principal anna --resource model::llama --action update PUT /v1/models/llama`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return broken(cmd, fmt.Errorf("expected a method and a path, got %s", numberOf(len(args), "argument")))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.request.Method, o.request.Path = args[0], args[1]
			return o.run(cmd)
		},
	}
	o.bind(cmd)
	return cmd
}

func (o *explainOptions) bind(cmd *cobra.Command) {
	cmd.DisableFlagsInUseLine = true
	cmd.SetFlagErrorFunc(brokenFlag)
	flags := cmd.Flags()
	o.config.bind(flags)
	flags.StringVar(&o.person.Principal, "principal", "", "Who calls, made up")
	flags.StringVar(&o.person.Tenant, "tenant", "", "The made-up caller's tenant")
	flags.StringArrayVar(&o.attribute, "attribute", nil, "An attribute of the made-up caller: name=value[,value...]")
	flags.BoolVar(&o.anonymous, "anonymous", false, "Somebody without a credential calls")
	flags.StringVar(&o.tokenFile, "token-file", "", "Whoever has the token in this file calls")
	flags.Var((*stdinToken)(&o.tokenFile), "token", "'-': whoever has the token on standard input calls")
	flags.StringVar(&o.request.Host, "host", "", "The site (default: the only one)")
	flags.StringVar(&o.request.ClientIP, "client-ip", defaultClientIP, "The client's address")
	flags.StringArrayVar(&o.request.Headers, "header", nil, "A header: 'Name: value'")
	flags.StringVar(&o.resource, "resource", "", "A resource to decide about: type::id")
	flags.StringVar(&o.action, "action", "", "What is done with it: create, read, update, delete (default read)")
	flags.StringVar(&o.owner.Principal, "owner", "", "Who owns it (default nobody)")
	flags.StringVar(&o.owner.Tenant, "owner-tenant", "", "The owner's tenant")
	flags.StringArrayVar(&o.ownerAttr, "owner-attribute", nil, "An attribute of the owner: name=value[,value...]")
	flags.BoolVar(&o.json, "json", false, "Print JSON")
}

// stdinToken is the value of --token, which is `-` and nothing else: what is
// written there by mistake is a token, and not shown again.
type stdinToken string

// Set implements pflag.Value.
func (s *stdinToken) Set(value string) error {
	if value != "-" {
		return errNoTokenArgument
	}
	*s = "-"
	return nil
}

// String implements pflag.Value.
func (s *stdinToken) String() string { return "" }

// Type implements pflag.Value.
func (s *stdinToken) Type() string { return "-" }

var errNoTokenArgument = errors.New("--token: expected '-', and the token on standard input: other users of a machine can see arguments")

func (o *explainOptions) run(cmd *cobra.Command) error {
	e, err := o.explain(cmd.InOrStdin())
	if err != nil {
		return broken(cmd, err)
	}
	if o.json {
		err = printJSON(cmd.OutOrStdout(), e)
	} else {
		_, err = io.WriteString(cmd.OutOrStdout(), e.text())
	}
	switch {
	case err != nil:
		return broken(cmd, err)
	case e.Decision == cannotTell || e.Decision == unanswered:
		return exit(cmd, exitBroken)
	case e.Decision != allowed || e.Resource != nil && e.Resource.Decision != allowed:
		return exit(cmd, exitDiffers)
	}
	return nil
}

func (o *explainOptions) explain(stdin io.Reader) (*explanation, error) {
	user, err := o.caller(stdin)
	if err != nil {
		return nil, err
	}
	if err := o.request.check(); err != nil {
		return nil, err
	}
	question, err := o.question()
	if err != nil {
		return nil, err
	}
	config, err := o.config.load()
	if err != nil {
		return nil, err
	}
	r, err := rehearse(config, o.request.Token == "")
	if err != nil {
		return nil, err
	}
	defer r.close()
	p, err := r.perform(&o.request, user)
	if err != nil {
		return nil, err
	}
	return r.explanation(p, &o.request, question)
}

// caller returns the made-up user, or reads the token.
func (o *explainOptions) caller(stdin io.Reader) (*abac.User, error) {
	madeUp := o.person.Principal != ""
	n := 0
	for _, chosen := range []bool{madeUp, o.anonymous, o.tokenFile != ""} {
		if chosen {
			n++
		}
	}
	if n != 1 {
		return nil, errors.New("say who calls with one of --principal, --anonymous, --token-file and --token -")
	}
	if !madeUp && (o.person.Tenant != "" || len(o.attribute) > 0) {
		return nil, errors.New("--tenant and --attribute are of a made-up caller: they need --principal")
	}
	var err error
	if o.tokenFile != "" {
		o.request.Token, err = o.readToken(stdin)
		return nil, err
	}
	if !madeUp {
		return nil, nil //nolint:nilnil // nobody is an answer
	}
	if o.person.Attributes, err = parseAttributes(o.attribute); err != nil {
		return nil, err
	}
	return o.person.user()
}

// readToken reads the token. Its errors do not show it.
func (o *explainOptions) readToken(stdin io.Reader) (string, error) {
	if o.tokenFile == "-" && o.config.file == "-" {
		return "", errors.New("standard input cannot be both the token and the configuration")
	}
	from := stdin
	if o.tokenFile != "-" {
		f, err := os.Open(o.tokenFile)
		if err != nil {
			return "", fmt.Errorf("reading token: %w", err)
		}
		defer f.Close()
		from = f
	}
	token, err := readKeyLine(from)
	if err != nil {
		return "", fmt.Errorf("reading token: %w", err)
	}
	if token = strings.TrimSpace(token); token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return "", errors.New("reading token: expected one line, without blanks")
	}
	return token, nil
}

func (o *explainOptions) question() (*resourceQuestion, error) {
	if o.resource == "" {
		if o.action != "" || o.owner.Principal != "" || o.owner.Tenant != "" || len(o.ownerAttr) > 0 {
			return nil, errors.New("--action and --owner are about a resource: they need --resource")
		}
		return nil, nil //nolint:nilnil // nothing was asked
	}
	owner, err := o.ownedBy()
	if err != nil {
		return nil, fmt.Errorf("owner: %w", err)
	}
	return newResourceQuestion(o.resource, o.action, owner)
}

func (o *explainOptions) ownedBy() (*abac.User, error) {
	if o.owner.Principal == "" && o.owner.Tenant == "" && len(o.ownerAttr) == 0 {
		return nil, nil //nolint:nilnil // nobody owns it
	}
	var err error
	if o.owner.Attributes, err = parseAttributes(o.ownerAttr); err != nil {
		return nil, err
	}
	return o.owner.user()
}

// exit ends the command with a code that says it all.
func exit(cmd *cobra.Command, code int) error {
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if code == exitDiffers {
		return errDiffers // Caddy's own code for any error
	}
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return code, nil })(cmd, nil)
}

var errDiffers = errors.New("exiting with status 1")

// brokenFlag is broken for flags. What was given to --token is not shown.
func brokenFlag(cmd *cobra.Command, err error) error {
	if errors.Is(err, errNoTokenArgument) {
		err = errNoTokenArgument
	}
	return broken(cmd, err)
}

// broken ends the command because there is no answer.
func broken(cmd *cobra.Command, err error) error {
	cmd.PrintErrln("Error:", plain(err.Error()))
	return exit(cmd, exitBroken)
}
