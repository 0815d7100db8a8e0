package policylint

// Code names a kind of finding. Codes stay what they are: people silence and
// count by them.
type Code string

// The codes.
const (
	// Rules that never decide.
	RuleNeverApplies Code = "rule-never-applies" // its conditions contradict each other, or `require`
	RuleShadowed     Code = "rule-shadowed"      // rules before it decide wherever it applies
	PathShadowed     Code = "path-shadowed"      // the same for one of its paths
	DuplicateRule    Code = "duplicate-rule"     // it is written before it already

	// Their order.
	ForbidAfterPermit Code = "forbid-after-permit" // a permit before it lets in whom it forbids
	PermitAllLast     Code = "permit-all-last"     // the last rule allows everything to everybody
	NoPermit          Code = "no-permit"           // there are forbids alone, so nobody gets in

	// Paths and resources.
	PatternNeverMatches   Code = "pattern-never-matches"
	PatternOfAnother      Code = "pattern-of-another"      // it is written as patterns are elsewhere: `{id}`, `:id`
	PlaceholderInRule     Code = "placeholder-in-rule"     // rules take placeholders as they are written
	CommaInPattern        Code = "comma-in-pattern"        // patterns are separated by blanks
	PublicBeforeRule      Code = "public-before-rule"      // rules are not asked about public paths
	PrefixTakenOff        Code = "prefix-taken-off"        // a pattern begins with what is taken off before
	PrefixWithinSegment   Code = "prefix-within-segment"   // /v1/files* is of /v1/filesystem, too
	ForbidExactPath       Code = "forbid-exact-path"       // what is below it is not forbidden
	ForbidBelowOnly       Code = "forbid-below-only"       // the path above what it forbids is not forbidden
	ForbidByMatcher       Code = "forbid-by-matcher"       // Caddy reads paths otherwise than rules do
	PermitByMatcher       Code = "permit-by-matcher"       // the same of what a permit leaves out
	PathChangedLater      Code = "path-changed-later"      // the stack gets another path than was decided on
	MethodChangedLater    Code = "method-changed-later"    // or another method
	CompatLiteralStar     Code = "compat-literal-star"     // with compat ogx a star stands for itself
	ForbidExactResource   Code = "forbid-exact-resource"   // the resource may have other names
	BlockLimitedByPath    Code = "block-limited-by-path"   // what its matcher leaves out goes on undecided
	ExpressionHalfClosed  Code = "expression-half-closed"  // `^` or `$` holds for one branch only
	ExpressionStarts      Code = "expression-at-start"     // without `^`: it is not searched for
	ExpressionMatchesMore Code = "expression-matches-more" // an open end, in a permit with compat ogx
	ExpressionMatchesLess Code = "expression-matches-less" // an open end, in a permit without
	ExpressionDot         Code = "expression-dot"          // a dot that stands for any character

	// Who.
	UnknownAttribute   Code = "unknown-attribute"   // no provider gives it
	IdentityInRoles    Code = "identity-in-roles"   // a user called admin gets the role
	UniversalRole      Code = "universal-role"      // everybody has it
	OwnersShareRoles   Code = "owners-share-roles"  // a role in common makes an owner
	OwnerMatchAny      Code = "owner-match-any"     // one value in common makes an owner
	NegativeCondition  Code = "negative-condition"  // who lacks the attribute passes
	CommaInValue       Code = "comma-in-value"      // one value, not two
	AnonymousRefused   Code = "anonymous-refused"   // allow_anonymous lets nobody in
	RequireRepeated    Code = "require-repeated"    // lines add up
	RequireWithoutUse  Code = "require-without-use" // another line asks for more
	ExplainHeaderToAll Code = "explain-header-to-all"

	// The block.
	NoRules                Code = "no-rules"
	NoProviderBefore       Code = "no-provider-before"
	BlockNeverAsked        Code = "block-never-asked" // something before it answers
	UnguardedProxy         Code = "unguarded-proxy"   // it is reached without the block, too
	ShadowOn               Code = "shadow-on"
	AccessPolicyUnenforced Code = "access-policy-not-enforced"
)
