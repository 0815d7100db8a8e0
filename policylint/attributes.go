package policylint

import (
	"fmt"
	"slices"
	"strings"
)

// checkAttributes finds attributes that none of the providers gives.
func (l *linter) checkAttributes() {
	known, certain := l.attributes()
	if !certain {
		return
	}
	look := func(s subject, attribute string, severity Severity, effect string) {
		if attribute == "" || slices.Contains(known, attribute) {
			return
		}
		advice := "write the name that the mapping gives, or map a claim to it in `claims_mapping`"
		if near := nearest(attribute, known); near != "" {
			advice = fmt.Sprintf("write `%s`, if that is meant; otherwise map a claim to it in `claims_mapping`", near)
		}
		l.add(s, UnknownAttribute, severity, fmt.Sprintf("no provider gives the attribute `%s` (given are: %s): %s", attribute, given(known), effect), advice)
	}
	for i, q := range l.block.Require {
		look(l.ofRequire(i), q.Attribute, Error, "everybody is refused")
	}
	if q := l.block.ExplainHeader; q != nil {
		look(subject{list: OfBlock}, q.Attribute, Warning, "nobody is told which rule decided")
	}
	for _, attribute := range l.block.HeaderAttributes {
		look(subject{list: OfBlock}, attribute, Warning, "its header is never sent to the stack")
	}
	l.eachCaller(func(s subject, m *CallerMatch) {
		look(s, m.Attribute, Error, fmt.Sprintf("%s says the same of everybody", m))
	})
	l.eachRule(func(s subject, c *conditions) {
		for _, condition := range c.when {
			look(s, condition.Attribute, Error, fmt.Sprintf("`when %s` says the same of everybody", condition))
		}
		for _, condition := range c.unless {
			look(s, condition.Attribute, Error, fmt.Sprintf("`unless %s` says the same of everybody", condition))
		}
	})
}

// attributes returns those that the providers give, and whether there can be no
// others.
func (l *linter) attributes() ([]string, bool) {
	var known []string
	for i := range l.block.Providers {
		p := &l.block.Providers[i]
		if p.Open {
			return nil, false
		}
		known = append(known, p.Given...)
		for _, m := range p.Mapping {
			known = append(known, m.Attribute)
		}
	}
	slices.Sort(known)
	return slices.Compact(known), len(l.block.Providers) > 0
}

func given(known []string) string {
	if len(known) == 0 {
		return "none"
	}
	return strings.Join(known, ", ")
}

// nearest returns the known name that may have been meant; empty without any.
func nearest(name string, known []string) string {
	best, least := "", 3 // two letters are a slip, three another word
	for _, k := range known {
		a, b := strings.ToLower(name), strings.ToLower(k)
		if strings.TrimSuffix(a, "s") == strings.TrimSuffix(b, "s") {
			return k
		}
		if d := distance(a, b); d < least && d*2 < len(a) {
			best, least = k, d
		}
	}
	return best
}

// distance is how many letters are to be put in, taken out or changed to make one
// word of the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
