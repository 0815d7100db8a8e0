package abac

import (
	"strconv"
	"testing"
)

func TestAnEffectIsPermitOrForbid(t *testing.T) {
	for effect, want := range map[Effect]string{
		Permit:   "",
		Forbid:   "",
		"":       `effect "": expected permit or forbid`,
		"allow":  `effect "allow": expected permit or forbid`,
		"Permit": `effect "Permit": expected permit or forbid`,
	} {
		checkError(t, string(effect), effect.check(), want)
	}
}

// checkError compares the text of an error; none with an empty one.
func checkError(t *testing.T, what string, err error, want string) {
	t.Helper()
	switch {
	case err == nil && want != "":
		t.Errorf("%s: accepted, want %s", what, want)
	case err != nil && err.Error() != want:
		t.Errorf("%s: error %v\nwant %s", what, err, want)
	}
}

func quoted(s string) string { return strconv.Quote(s) }
