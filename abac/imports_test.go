package abac

import (
	"go/build"
	"testing"
)

// Whoever reads this package to trust it has to read nothing else, and whatever
// it imports could change its decisions.
func TestThisPackageImportsNothingButTheStandardLibrary(t *testing.T) {
	this, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(this.Imports) == 0 || len(this.GoFiles) < 10 || len(this.CgoFiles) > 0 || len(this.SFiles) > 0 {
		t.Fatalf("found imports %v in %v", this.Imports, this.GoFiles)
	}
	for _, path := range append(append(this.Imports, this.TestImports...), this.XTestImports...) {
		imported, err := build.Import(path, ".", build.FindOnly)
		if err != nil || !imported.Goroot {
			t.Errorf("imports %s, which is not of the standard library (%v)", path, err)
		}
	}
}
