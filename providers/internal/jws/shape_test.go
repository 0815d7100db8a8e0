package jws

import (
	"strings"
	"testing"
	"time"
)

// Cases 53 to 58 and 62 to 64: what is not a JWS in compact form is told by
// its shape, before any key is looked for.
func TestTokensThatAreNoCompactJWSAreRefusedByTheirShape(t *testing.T) {
	key := rsaPair()
	good := signWith(t, "RS256", key.private, rs256, payload)
	wantAccepted(t, good, key.public, payload)
	parts := strings.Split(good, ".")
	head, body, sig := parts[0], parts[1], parts[2]
	if len(sig)%4 != 2 {
		t.Fatalf("the signature has %d characters: the cases below want two spare ones", len(sig))
	}
	// The last character of 256 bytes carries four bits that mean nothing:
	// with one of them set, a lenient reader sees the same signature.
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	spare := sig[:len(sig)-1] + string(alphabet[strings.IndexByte(alphabet, sig[len(sig)-1])|1])

	for _, tc := range []struct{ name, token, reason string }{
		{"nothing", "", threeParts},
		{"one part", head, threeParts},
		{"two parts", head + "." + body, threeParts},
		{"four parts", good + "." + sig, threeParts},
		{"five parts, as a JWE has", good + "." + sig + "." + sig, threeParts},
		{"a dot", ".", threeParts},
		{"two dots", "..", emptyPart},
		{"three dots", "...", threeParts},
		{"a leading dot", "." + good, threeParts},
		{"a trailing dot", good + ".", threeParts},
		{"no header", "." + body + "." + sig, emptyPart},
		{"no payload, as a detached JWS has", head + ".." + sig, emptyPart}, // case 56
		{"no signature", head + "." + body + ".", emptyPart},                // case 57, CVE-2020-28042
		{"JSON serialization", `{"protected":"` + head + `","payload":"` + body + `","signature":"` + sig + `"}`, threeParts},
		{"JSON serialization with dots", `{"a":"a.b.c"}`, headerAlphabet},
		{"padding in the header", head + "=." + body + "." + sig, headerAlphabet},
		{"padding in the payload", head + "." + body + "=." + sig, payloadAlphabet},
		{"padding in the signature", good + "==", sigAlphabet},
		{"a space in the header", head[:4] + " " + head[4:] + "." + body + "." + sig, headerAlphabet},
		{"a space before", " " + good, headerAlphabet},
		{"a space behind", good + " ", sigAlphabet},
		{"a line feed behind", good + "\n", sigAlphabet}, // encoding/base64 skips CR and LF
		{"a carriage return behind", good + "\r", sigAlphabet},
		{"a line break in the signature", head + "." + body + "." + sig[:9] + "\r\n" + sig[9:], sigAlphabet},
		{"a line feed in the header", head[:4] + "\n" + head[4:] + "." + body + "." + sig, headerAlphabet},
		{"a line feed in the payload", head + "." + body[:4] + "\n" + body[4:] + "." + sig, payloadAlphabet},
		{"a question mark", head + "." + body + "." + sig[:9] + "?" + sig[9:], sigAlphabet},
		{"a number sign", head + "." + body + "#." + sig, payloadAlphabet},
		{"a NUL", good + "\x00", sigAlphabet},
		{"the other alphabet, plus", head + "." + body + "." + sig[:255] + "+" + sig[256:], sigAlphabet},
		{"the other alphabet, slash", head + "." + body + "." + sig[:255] + "/" + sig[256:], sigAlphabet},
		{"spare bits in the last character", head + "." + body + "." + spare, sigAlphabet},
		{"a single spare character", good + "AAA", sigAlphabet},
		{"too long", good + strings.Repeat("A", MaxToken), "token has 33320 bytes, more than 32768"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.name == "too long" {
				tc.token = good + strings.Repeat("A", 33320-len(good))
			}
			wantRefused(t, tc.token, key.public, StageShape, tc.reason)
		})
	}
}

// Case 62: what is not a JSON object, or one to some readers only.
func TestHeadersThatAreNoJSONObjectAreRefusedByTheirShape(t *testing.T) {
	key := rsaPair()
	for _, tc := range []struct{ name, header, reason string }{
		{"null", `null`, "header: expected a JSON object"},
		{"a list", `[]`, "header: expected a JSON object"},
		{"a string", `"x"`, "header: expected a JSON object"},
		{"a number", `1`, "header: expected a JSON object"},
		{"a byte order mark", "\ufeff" + rs256, "header: expected a JSON object"},
		{"a trailing NUL", rs256 + "\x00", "header: decoding JSON: bytes after the object"},
		{"a second object", rs256 + `{}`, "header: decoding JSON: bytes after the object"},
		{"cut off", rs256[:9], "header: decoding JSON: syntax error at byte 9"},
		// Case 61: RFC 7515, section 4, lets a reader take the last; we take neither.
		{"alg twice", `{"alg":"none","alg":"RS256"}`, "header: decoding JSON: a member name is there twice"},
		{"alg twice, escaped", `{"alg":"RS256","\u0061lg":"none"}`, "header: decoding JSON: a member name is there twice"},
		{"crit twice", `{"alg":"RS256","crit":[],"crit":["x"]}`, "header: decoding JSON: a member name is there twice"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantRefused(t, signWith(t, "RS256", key.private, tc.header, payload), key.public, StageShape, tc.reason)
		})
	}
}

// The payload is none of this package's business: it hands over what was
// signed, and nothing has looked at it before the signature was checked.
func TestAnyPayloadIsHandedOverAsItWasSigned(t *testing.T) {
	key := rsaPair()
	for _, p := range []string{`{"sub":"alice"}`, "\x00\xff", `{"a":1,"a":2}`, "not JSON"} {
		token := signWith(t, "RS256", key.private, rs256, p)
		wantAccepted(t, token, key.public, p)
		parsed, err := Parse(token)
		if err != nil || string(parsed.Unverified()) != p {
			t.Errorf("unverified payload is %q, %v", parsed.Unverified(), err)
		}
	}
}

// Case 11, CVE-2025-30204: splitting at every dot made a slice of the size of
// the request.
func TestTokensOfDotsCostNothing(t *testing.T) {
	token := strings.Repeat(".", 15_000)
	fastest := time.Hour // the others may have waited for the machine
	allocations := testing.AllocsPerRun(100, func() {
		began := time.Now()
		if _, err := Parse(token); err == nil {
			t.Fatal("accepted")
		}
		fastest = min(fastest, time.Since(began))
	})
	if fastest > time.Millisecond {
		t.Errorf("%s at best", fastest)
	}
	if allocations > 4 {
		t.Errorf("%v allocations", allocations)
	}
}

// The limit is on the whole token, before anything is decoded (case 64).
func TestTokensMayHave32KiBAndNotAByteMore(t *testing.T) {
	key := edPair()
	token := func(n int) string {
		return signWith(t, "EdDSA", key.private, `{"alg":"EdDSA"}`, strings.Repeat("x", n))
	}
	n := MaxToken * 3 / 4
	for len(token(n)) > MaxToken {
		n--
	}
	if got := len(token(n)); got != MaxToken {
		t.Fatalf("token has %d bytes", got)
	}
	wantAccepted(t, token(n), key.public, strings.Repeat("x", n))
	wantRefused(t, token(n+1), key.public, StageShape, "token has 32770 bytes, more than 32768")
}
