package abac

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Operator is what a condition asks.
type Operator string

// The operators, named after the words of which a condition is written.
const (
	UserWithIn        Operator = "user_with_in"
	UserWithNotIn     Operator = "user_with_not_in"
	UserInOwners      Operator = "user_in_owners"
	UserNotInOwners   Operator = "user_not_in_owners"
	UserIsOwner       Operator = "user_is_owner"
	UserIsNotOwner    Operator = "user_is_not_owner"
	UserIsAnonymous   Operator = "user_is_anonymous"
	ResourceIsUnowned Operator = "resource_is_unowned"
)

const conditionGrammar = "`user with <value> [not] in <attribute>`, `user [not] in owners <attribute>`, " +
	"`user is [not] owner`, `resource is unowned` or `user is anonymous`"

// Condition is one `when` or `unless` of a rule.
type Condition struct {
	// What is asked: `user_with_in` (the caller has the value in the
	// attribute), `user_with_not_in`, `user_in_owners` (the caller has a value
	// of the attribute in common with the owner of the resource),
	// `user_not_in_owners`, `user_is_owner`, `user_is_not_owner`,
	// `resource_is_unowned`, or `user_is_anonymous`.
	Op Operator `json:"op"`

	// The value, for `user_with_in` and `user_with_not_in`. Compared byte for
	// byte.
	Value string `json:"value,omitempty"`

	// The attribute, for those that ask for one.
	Attribute string `json:"attribute,omitempty"`
}

// ParseCondition reads a condition from its words:
//
//	user with <value> [not] in <attribute>
//	user [not] in owners <attribute>
//	user is [not] owner
//	resource is unowned
//	user is anonymous
//
// A value with blanks is one word here, as a quoted one is in a Caddyfile.
func ParseCondition(words []string) (Condition, error) {
	c := conditionOf(words)
	if c.Op == "" {
		return Condition{}, fmt.Errorf("condition %q: expected %s", strings.Join(words, " "), conditionGrammar)
	}
	if err := c.fault(); err != nil {
		return Condition{}, fmt.Errorf("condition %q: %w", strings.Join(words, " "), err)
	}
	return c, nil
}

func conditionOf(words []string) Condition {
	is := func(pattern ...string) bool {
		return slices.EqualFunc(words, pattern, func(word, want string) bool { return want == "" || word == want })
	}
	switch {
	case is("user", "with", "", "in", ""):
		return Condition{Op: UserWithIn, Value: words[2], Attribute: words[4]}
	case is("user", "with", "", "not", "in", ""):
		return Condition{Op: UserWithNotIn, Value: words[2], Attribute: words[5]}
	case is("user", "in", "owners", ""):
		return Condition{Op: UserInOwners, Attribute: words[3]}
	case is("user", "not", "in", "owners", ""):
		return Condition{Op: UserNotInOwners, Attribute: words[4]}
	case is("user", "is", "owner"):
		return Condition{Op: UserIsOwner}
	case is("user", "is", "not", "owner"):
		return Condition{Op: UserIsNotOwner}
	case is("user", "is", "anonymous"):
		return Condition{Op: UserIsAnonymous}
	case is("resource", "is", "unowned"):
		return Condition{Op: ResourceIsUnowned}
	}
	return Condition{}
}

// Check returns an error if the condition could not be meant as it is written.
func (c Condition) Check() error {
	if err := c.fault(); err != nil {
		return fmt.Errorf("condition %q: %w", string(c.Op), err)
	}
	return nil
}

func (c Condition) fault() error {
	value, attribute := false, false
	switch c.Op {
	case UserWithIn, UserWithNotIn:
		value, attribute = true, true
	case UserInOwners, UserNotInOwners:
		attribute = true
	case UserIsOwner, UserIsNotOwner, UserIsAnonymous, ResourceIsUnowned:
	default:
		return fmt.Errorf("expected an operator such as %s", UserWithIn)
	}
	switch {
	case attribute:
		if err := CheckAttributeName(c.Attribute); err != nil {
			return err
		}
	case c.Attribute != "":
		return fmt.Errorf("unexpected attribute %q", c.Attribute)
	}
	switch {
	case value && c.Value == "":
		return errors.New("value is empty")
	case !value && c.Value != "":
		return fmt.Errorf("unexpected value %q", c.Value)
	}
	return nil
}

// AboutOwners reports whether the condition is about the owner of a resource,
// which a route does not have.
func (c Condition) AboutOwners() bool {
	switch c.Op {
	case UserInOwners, UserNotInOwners, UserIsOwner, UserIsNotOwner, ResourceIsUnowned:
		return true
	default:
		return false
	}
}

// String returns the condition in the words in which it is written. A value that
// would not be seen as one word, or not be seen at all, is quoted as in Go.
func (c Condition) String() string {
	switch c.Op {
	case UserWithIn:
		return "user with " + quoteWord(c.Value) + " in " + c.Attribute
	case UserWithNotIn:
		return "user with " + quoteWord(c.Value) + " not in " + c.Attribute
	case UserInOwners:
		return "user in owners " + c.Attribute
	case UserNotInOwners:
		return "user not in owners " + c.Attribute
	default:
		return strings.ReplaceAll(string(c.Op), "_", " ")
	}
}

func quoteWord(value string) string {
	if utf8.ValidString(value) && !strings.HasPrefix(value, "`") && !strings.ContainsFunc(value, mustBeQuoted) {
		return value
	}
	return strconv.Quote(value)
}

func mustBeQuoted(c rune) bool { return c == '"' || unicode.IsSpace(c) || !unicode.IsPrint(c) }
