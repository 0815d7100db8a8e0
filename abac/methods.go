package abac

import (
	"fmt"
	"strings"
)

// methodSet is a set of HTTP methods; empty for all of them.
type methodSet uint8

// ruleMethods are the methods of which a rule can be. HEAD is none of them: it
// counts as the GET whose header it asks for, and so does the CONNECT that opens
// a WebSocket.
var ruleMethods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

func parseMethods(names []string) (methodSet, error) {
	var set methodSet
	for _, name := range names {
		bit := methodBit(name)
		if bit == 0 {
			if name == "HEAD" || name == "CONNECT" {
				return 0, fmt.Errorf("method %q counts as GET: write GET", name)
			}
			return 0, fmt.Errorf("method %q: expected some of %s", name, strings.Join(ruleMethods, ", "))
		}
		set |= bit
	}
	return set, nil
}

func methodBit(name string) methodSet {
	for i, known := range ruleMethods {
		if known == name {
			return 1 << i
		}
	}
	return 0
}

// countedMethod is the bit of the method as rules count it.
func countedMethod(name string) methodSet {
	if name == "HEAD" || name == "CONNECT" {
		name = "GET"
	}
	return methodBit(name)
}
