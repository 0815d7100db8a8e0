package policylint

import (
	"cmp"
	"slices"
)

// Severity says how much a finding matters.
type Severity string

const (
	// Error: almost certainly not what was meant, or less safe than it looks.
	Error Severity = "error"

	// Warning: often a mistake.
	Warning Severity = "warning"

	// Note: good to know.
	Note Severity = "note"
)

// List is the part of a block that a finding is about.
type List string

// The parts, in the order in which their findings are given.
const (
	OfBlock        List = "block"
	OfProviders    List = "providers"
	OfRequire      List = "require"
	OfRules        List = "rules"
	OfAccessPolicy List = "access_policy"
)

var listOrder = []List{OfBlock, OfProviders, OfRequire, OfRules, OfAccessPolicy}

var severityOrder = []Severity{Error, Warning, Note}

// Finding is something about a policy that its author may not know.
type Finding struct {
	// Block is the number of the block, and Place where it is, for people.
	Block int    `json:"block"`
	Place string `json:"place"`

	// List is the part of the block, Rule the number of the rule in it (of the
	// provider, of the line of require), from 1, and 0 for the part as a whole.
	// Name is how the log calls it.
	List List   `json:"list"`
	Rule int    `json:"rule,omitempty"`
	Name string `json:"name,omitempty"`

	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`

	// Message says what is wrong and why it matters, Advice what to write.
	Message string `json:"message"`
	Advice  string `json:"advice"`
}

// report gathers the findings of one block.
type report struct {
	block *Block
	found []Finding
}

// subject is what a finding is about.
type subject struct {
	list List
	rule int
	name string
}

func (r *report) add(s subject, code Code, severity Severity, message, advice string) {
	r.found = append(r.found, Finding{
		Block: r.block.Number, Place: r.block.Place, List: s.list, Rule: s.rule, Name: s.name,
		Code: code, Severity: severity, Message: message, Advice: advice,
	})
}

// sorted returns the findings in the order of the block, the worst of each rule
// first.
func (r *report) sorted() []Finding {
	slices.SortStableFunc(r.found, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(slices.Index(listOrder, a.List), slices.Index(listOrder, b.List)),
			cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(slices.Index(severityOrder, a.Severity), slices.Index(severityOrder, b.Severity)),
		)
	})
	return r.found
}
