// Package importdifferential holds `caddy stack-auth import` against the
// installed OGX: policies are made up and written as YAML, OGX's own evaluators
// decide by that, and the engine decides by the block that is imported from it.
//
//	go test -tags integration ./integration/importdifferential [-args -policies 20000 -seed 7]
//
// The only differences allowed are the rows of the contract that are named
// here, and each of them must occur. What is refused is imported once more with
// Partial, and then must let in nobody whom OGX refuses.
package importdifferential
