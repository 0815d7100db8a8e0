package abac

import "fmt"

// Cause is what a decision rests on.
type Cause uint8

const (
	// Undecided is the cause of the zero Decision, which denies.
	Undecided Cause = iota
	// NoRules: there are no route rules, so everybody may.
	NoRules
	// ByRule: a rule applied, Decision.Rule.
	ByRule
	// NoRuleApplied: there are rules, and none applied.
	NoRuleApplied
	// RuleFailed: whether a rule applies could not be told, Decision.Err.
	RuleFailed
	// OtherTenant: the owner's tenant is not the caller's.
	OtherTenant
	// ByOwner: by default, the owner may.
	ByOwner
	// BySharing: by default, whoever shares the owner's attributes may.
	BySharing
	// NothingShared: by default, nobody else may.
	NothingShared
	// ByNobody: what nobody owns, anyone may do this with.
	ByNobody
	// OwnedByNobody: what nobody owns, nobody may do this with.
	OwnedByNobody
	// ByCreating: by default, everybody who is somebody may create.
	ByCreating
	// CreatingAnonymously: by default, nobody else may.
	CreatingAnonymously
)

var causes = map[Cause]string{
	Undecided:           "nothing was asked",
	NoRules:             "there are no rules",
	ByRule:              "a rule applies",
	NoRuleApplied:       "no rule applies",
	RuleFailed:          "it cannot be told whether a rule applies",
	OtherTenant:         "the owner belongs to a tenant that is not the caller's",
	ByOwner:             "default policy: the caller is the owner",
	BySharing:           "default policy: the caller shares the owner's attributes",
	NothingShared:       "default policy: the caller does not share the owner's attributes",
	ByNobody:            "default policy: nobody owns it, and anyone may do this",
	OwnedByNobody:       "default policy: nobody owns it, and nobody may do this",
	ByCreating:          "default policy: every caller with a credential may create",
	CreatingAnonymously: "default policy: anonymous callers may not create",
}

// String says it in words.
func (c Cause) String() string { return causes[c] }

// Decision is the answer of a policy. The zero value denies.
type Decision struct {
	// Allowed: the caller may.
	Allowed bool

	// Cause is what the decision rests on.
	Cause Cause

	// Rule is the index of the rule that decided, with ByRule and RuleFailed;
	// otherwise -1.
	Rule int

	// Err is why a rule could not be judged, with RuleFailed.
	Err error

	// Steps say for each rule, up to the one that decided, why it did not
	// apply; the last one is that which did. Only Explain fills them: they cost
	// memory, and nobody reads those of a decision that is made for a request.
	Steps []Step
}

// Reason is why a rule did not apply.
type Reason uint8

const (
	// Applies: it did.
	Applies Reason = iota
	// OtherPath: none of its paths is the request's.
	OtherPath
	// OtherMethod: none of its methods is the request's.
	OtherMethod
	// OtherRequest: its matchers do not match.
	OtherRequest
	// OtherPrincipal: it is for somebody else.
	OtherPrincipal
	// OtherAction: it is for other actions.
	OtherAction
	// OtherResource: it is for other resources.
	OtherResource
	// WhenDoesNotHold: Step.Condition of its `when` does not hold.
	WhenDoesNotHold
	// UnlessHolds: Step.Condition of its `unless` holds.
	UnlessHolds
	// CannotTell: its matchers failed.
	CannotTell
)

var reasons = map[Reason]string{
	Applies:         "applies",
	OtherPath:       "path does not match",
	OtherMethod:     "method does not match",
	OtherRequest:    "matchers do not match",
	OtherPrincipal:  "is for another principal",
	OtherAction:     "is for other actions",
	OtherResource:   "resource does not match",
	WhenDoesNotHold: "when does not hold",
	UnlessHolds:     "unless holds",
	CannotTell:      "matchers failed",
}

// String says it in words.
func (r Reason) String() string { return reasons[r] }

// Step is why one rule applied or did not.
type Step struct {
	// Reason is why.
	Reason Reason

	// Condition is the index of the condition, with WhenDoesNotHold and
	// UnlessHolds.
	Condition int
}

// explain says the step in words, with the condition that it is about.
func (s Step) explain(when, unless []Condition) string {
	switch s.Reason {
	case WhenDoesNotHold:
		return fmt.Sprintf("does not hold: when %s", when[s.Condition])
	case UnlessHolds:
		return fmt.Sprintf("holds: unless %s", unless[s.Condition])
	default:
		return s.Reason.String()
	}
}
