package stackauth

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

// subcommands make the commands below `caddy stack-auth`, one in a file.
var subcommands []func() *cobra.Command

func init() {
	subcommands = append(subcommands, hashKeyCommand)
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "stack-auth",
		Usage: "<command>",
		Short: "Helps with stack_auth: who calls a model server, and what they may do",
		Long: `
Commands for the operators of a gateway with stack_auth.
'caddy stack-auth <command> --help' says more about each.`,
		CobraFunc: func(cmd *cobra.Command) {
			// With a function of its own, so that a misspelt command is an error and
			// not a page of help that ends well.
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				if err := cobra.NoArgs(cmd, args); err != nil {
					return broken(cmd, err)
				}
				return nil
			}
			cmd.SetFlagErrorFunc(broken)
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			for _, make := range subcommands {
				cmd.AddCommand(make())
			}
		},
	})
}

const (
	keyBytes      = 32 // 256 bits
	defaultPrefix = "sak_"
	maxPrefix     = 32

	// guessable is the length below which a key may be found from its hash: 32
	// random characters are out of reach, and words are shorter.
	guessable = 32

	// maxKeyLine is more than the longest key and its line ending.
	maxKeyLine = 64 << 10
)

type hashKeyOptions struct {
	stdin, json       bool
	principal, prefix string
}

func hashKeyCommand() *cobra.Command {
	var o hashKeyOptions
	cmd := &cobra.Command{
		Use:   "hash-key [--principal <name>] [--prefix <text>] [--stdin] [--json]",
		Short: "Makes an API key and its hash for provider api_key",
		Long: `
Makes a new API key of 256 random bits, and prints it with its hash. The key is
for the caller, who presents it as a bearer token; it is shown this once and
kept nowhere. The hash is for the gateway, in the Caddyfile or in the key file
of provider api_key, and need not be secret: no key can be found from it.

--principal
    Who calls with the key: written into the line for the Caddyfile.

--prefix
    What the key begins with, instead of 'sak_': up to 32 letters, digits,
    _ and -. Scanners for leaked secrets go by such prefixes.

--stdin
    Reads a key that exists already from standard input, one line, and prints
    its hash and nothing else. A key of fewer than 32 characters is warned
    about: a short or well-known one can be found from its hash by trying.

--json
    Prints {"key": …, "hash": …}, with --stdin only the hash.

Exits with 0, with 1 when something is wrong, and with 2 when the command is
misspelt.`,
		Example: `  caddy stack-auth hash-key --principal ci-runner
  caddy stack-auth hash-key --stdin < existing-key.txt`,
		// Not cobra.NoArgs, which shows the argument: that may be a key.
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return broken(cmd, errors.New("unexpected argument: a key is read from standard input, with --stdin"))
			}
			if err := cmd.ValidateFlagGroups(); err != nil { // here, for the exit code
				return broken(cmd, err)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	// Not its own words, which show what was written: that may be a key.
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, _ error) error {
		return broken(cmd, errors.New("a flag is unknown, or has a value that it cannot have: see --help"))
	})
	flags := cmd.Flags()
	flags.StringVar(&o.principal, "principal", "", "Who calls with the key")
	flags.StringVar(&o.prefix, "prefix", defaultPrefix, "What the key begins with")
	flags.BoolVar(&o.stdin, "stdin", false, "Hash the key that standard input has")
	flags.BoolVar(&o.json, "json", false, "Print JSON")
	cmd.MarkFlagsMutuallyExclusive("stdin", "principal")
	cmd.MarkFlagsMutuallyExclusive("stdin", "prefix")
	cmd.MarkFlagsMutuallyExclusive("json", "principal")
	return cmd
}

func (o *hashKeyOptions) run(cmd *cobra.Command) error {
	if o.stdin {
		return o.hashExisting(cmd)
	}
	// Before there is a key: an error must not come when one has been shown.
	principal, err := o.quotedPrincipal()
	if err != nil {
		return err
	}
	key, err := newKey(o.prefix)
	if err != nil {
		return err
	}
	hash, err := providers.HashKey(key)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(cmd.OutOrStdout(), map[string]string{"key": key, "hash": hash})
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), `Key, for the caller (shown this once, kept nowhere):

	%s

Its hash:

	%s

For the Caddyfile, in provider api_key:

	key %s %s
`, key, hash, hash, principal)
	return err
}

func (o *hashKeyOptions) hashExisting(cmd *cobra.Command) error {
	key, err := readKeyLine(cmd.InOrStdin())
	if err != nil {
		return err
	}
	hash, err := providers.HashKey(key)
	if err != nil {
		return err
	}
	if len(key) < guessable {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: the key has fewer than %d characters. Whoever has its hash may find it by trying: "+
			"use a new one, which `caddy stack-auth hash-key` makes\n", guessable)
	}
	if o.json {
		return printJSON(cmd.OutOrStdout(), map[string]string{"hash": hash})
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), hash)
	return err
}

// newKey returns a key of 256 random bits behind the prefix. What a prefix may
// have keeps the key one token, and from looking like a JWT.
func newKey(prefix string) (string, error) {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	if len(prefix) > maxPrefix || strings.Trim(prefix, allowed) != "" {
		return "", fmt.Errorf("prefix: expected at most %d letters, digits, _ and -", maxPrefix)
	}
	var random [keyBytes]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("making key: %w", err)
	}
	return prefix + base64.RawURLEncoding.EncodeToString(random[:]), nil
}

// readKeyLine reads one line. Its errors do not show it.
func readKeyLine(from io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(from, maxKeyLine))
	if err != nil {
		return "", fmt.Errorf("reading standard input: %w", err)
	}
	line, found := strings.CutSuffix(string(b), "\n")
	if found {
		line = strings.TrimSuffix(line, "\r")
	}
	if strings.Contains(line, "\n") {
		return "", errors.New("standard input has more than one line: expected a key")
	}
	return line, nil
}

// quotedPrincipal returns the principal as a Caddyfile has it.
func (o *hashKeyOptions) quotedPrincipal() (string, error) {
	if o.principal == "" {
		return "<principal>", nil
	}
	if _, err := abac.NewUser(o.principal, "", abac.Attributes{}); err != nil {
		return "", err
	}
	// A brace may begin a placeholder, in quotes too, or end a block.
	if !strings.ContainsAny(o.principal, "{}") {
		for _, quote := range []string{"", "`", `"`} {
			quoted := quote + o.principal + quote
			if isOneToken(quoted, o.principal) {
				return quoted, nil
			}
		}
	}
	return "", fmt.Errorf("principal %q cannot be written into a Caddyfile: leave it out and use the key file", o.principal)
}

// isOneToken reports whether the Caddyfile reads what is quoted as the text.
func isOneToken(quoted, text string) bool {
	tokens, err := caddyfile.Tokenize([]byte("key sha256:0 "+quoted+"\n"), "")
	return err == nil && slices.EqualFunc(tokens, []string{"key", "sha256:0", text}, func(t caddyfile.Token, want string) bool {
		return t.Text == want && t.Line == 1
	})
}

func printJSON(to io.Writer, v any) error {
	enc := json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
