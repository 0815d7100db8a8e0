package abac

import "testing"

func TestCompatIsOGXOrNothing(t *testing.T) {
	for compat, want := range map[Compat]string{
		CompatNone:    "",
		CompatOGX:     "",
		"OGX":         `compat "OGX": expected ogx`,
		"llama-stack": `compat "llama-stack": expected ogx`,
	} {
		checkError(t, string(compat), compat.Check(), want)
		_, err := NewPolicy(nil, Options{Compat: compat})
		checkError(t, "policy with "+string(compat), err, want)
		_, err = NewRoutePolicy(nil, compat)
		checkError(t, "route policy with "+string(compat), err, want)
	}
}
