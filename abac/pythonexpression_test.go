package abac

import "testing"

// Policies come from Python. What RE2 does not have is an error there anyway;
// what it reads otherwise would be a rule about something else.
func TestWhatOnlyPythonKnowsIsAnErrorThatSaysWhatToWrite(t *testing.T) {
	const (
		lookAhead     = "look-ahead (here: a rule of its own before this one)"
		lookBehind    = "look-behind (here: a rule of its own before this one)"
		backReference = "a back-reference (here: write out what it can be)"
		possessive    = "a possessive repetition (here: without its last +)"
		noLeast       = "a repetition without a least number (here: {0,…})"
	)
	for source, construct := range map[string]string{
		`a(?=b)`:                lookAhead,
		`^(?!/v1/admin)`:        lookAhead,
		`(?<=a)b`:               lookBehind,
		`(?<!a)b`:               lookBehind,
		`(?P<x>a)(?P=x)`:        backReference,
		`(a)\1`:                 backReference,
		`(a)\12`:                backReference, // a line feed to RE2
		`(a)\9`:                 backReference,
		`(a)?(?(1)b|c)`:         "a conditional group (here: both cases, with | between)",
		`a(?#why)b`:             "a comment (here: the description of the rule)",
		`(?>a)b`:                "an atomic group (here: (?:…))",
		`a*+b`:                  possessive,
		`a++b`:                  possessive,
		`a?+b`:                  possessive,
		`a{2}+b`:                possessive,
		`a{1,2}+b`:              possessive,
		`a{,3}`:                 noLeast, // itself to RE2
		`a{,}`:                  noLeast,
		`a\Z`:                   `\Z (here: \z)`,
		`\u00e9`:                `\u (here: \x{…})`,
		`[\u00e9]`:              `\u (here: \x{…})`,
		`\U0001d11e`:            `\U (here: \x{…})`,
		`\N{BULLET}`:            `\N (here: \x{…})`,
		`[\b]`:                  `\b in brackets (here: \x08)`,
		`(?a)a`:                 `the flag a (here: none, \w \d \s are always of ASCII)`,
		`(?ia)a`:                `the flag a (here: none, \w \d \s are always of ASCII)`,
		`(?L)a`:                 "the flag L (here: none)",
		`(?u)a`:                 "the flag u (here: none)",
		`(?u:a)`:                "the flag u (here: none)",
		`(?x) a`:                "the flag x (here: without blanks and comments)",
		`(?i-x:a)`:              "the flag x (here: without blanks and comments)",
		`[]]a(?=b)`:             lookAhead, // the bracket is one of the class
		`[^]]a(?=b)`:            lookAhead,
		`[[:alpha:]]a(?=b)`:     lookAhead,
		`\Q(?=\Ea(?=b)`:         lookAhead,
		`\[(?=b)`:               lookAhead,
		`[a\]](?=b)`:            lookAhead,
		`(?P<name>a)(?P=name)+`: backReference,
	} {
		for _, effect := range []Effect{Permit, Forbid} {
			want := "expression " + quoted(source) + ": " + construct + " is known to Python, and not to RE2"
			r := RouteRule{Effect: effect, Paths: []string{"regex:" + source}}
			checkError(t, source, r.Check(), want)
			resource := Rule{Effect: effect, Actions: Actions, Resource: Given("regex:" + source)}
			checkError(t, source, resource.Check(CompatOGX), want)
		}
	}
}

func TestWhatRE2AloneOrBothKnowIsAccepted(t *testing.T) {
	for source, text := range map[string]string{
		`\Qa.b\E`:         "a.b",
		`\Q(?=a)\E`:       "(?=a)",
		`\pL+`:            "é",
		`\p{Greek}\PL`:    "α1",
		`[[:alpha:]]+`:    "abc",
		`[[:^digit:](?=]`: "(",
		`[(?=]`:           "?",
		`[*+{,3}]+`:       "{,3}",
		`a(?i)b`:          "aB",
		`(?U:a+)`:         "aa",
		`(?im-s:a)`:       "A",
		`(?<n>a)`:         "a",
		`(?P<n>a)`:        "a",
		`\x{e9}`:          "é",
		`\101\x42`:        "AB", // of three digits they are characters to both
		`[\12]`:           "\n",
		`a\zb*`:           "a",
		`\bab\b`:          "ab",
		`a{2,3}`:          "aa",
		`a{2,}?`:          "aa",
		`a{0,3}`:          "",
		`a{,b`:            "a{,b",
		`{x}+`:            "{x}}",
		`a+?b*?c??`:       "a",
		`\{,3}`:           "{,3}",
		`\(?=`:            "(=",
		`\*+`:             "**",
		`[a\]]+`:          "a]",
		`[^]]`:            "a",
		`[]a]+`:           "]a",
		`(?:a|b)`:         "b",
		`a|`:              "",
		`(?i)`:            "",
	} {
		e, err := compileExpression(source, whole)
		if err != nil {
			t.Errorf("%q: %v", source, err)
		} else if !e.matches(text) {
			t.Errorf("%q does not match %q", source, text)
		}
	}
}

// What is neither's is left to RE2's compiler, which says where.
func TestWhatNobodyKnowsIsAnError(t *testing.T) {
	for source, want := range map[string]string{
		`(?`:       "error parsing regexp: invalid or unsupported Perl syntax: `(?`",
		`(?y)a`:    "error parsing regexp: invalid or unsupported Perl syntax: `(?y`",
		`[a(?=`:    "error parsing regexp: missing closing ]: `[a(?=`",
		`[[:x:]]`:  "error parsing regexp: invalid character class range: `[:x:]`",
		`\y`:       "error parsing regexp: invalid escape sequence: `\\y`",
		`\8`:       "",
		`[\1]`:     "error parsing regexp: invalid escape sequence: `\\1`",
		`(?imsU-)`: "error parsing regexp: invalid or unsupported Perl syntax: `(?imsU-)`",
	} {
		_, err := compileExpression(source, whole)
		if want == "" {
			want = "a back-reference (here: write out what it can be) is known to Python, and not to RE2"
		}
		checkError(t, source, err, "expression "+quoted(source)+": "+want)
	}
}
