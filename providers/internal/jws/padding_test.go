package jws

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"math/big"
	"slices"
	"testing"
)

// Case 42: signatures that decrypt to something like an EMSA-PKCS1-v1_5 block
// (RFC 8017, section 9.2). A verifier that parses the block, instead of making
// its own and comparing, accepts forgeries that need no private key when e is
// 3 (CVE-2006-4339, CVE-2018-16152, CVE-2022-24772). Here the blocks are made
// by hand and signed as they are, with EM^d mod n.
func TestPKCS1BlocksThatAreNotExactlyRightAreRefused(t *testing.T) {
	key := rsaPair()
	private := key.private.(*rsa.PrivateKey)
	n := private.N
	size := private.Size()
	signed := encode(rs256) + "." + encode(payload)
	hash := sha256.Sum256([]byte(signed))
	digest := hash[:]

	token := func(em []byte) string {
		s := new(big.Int).Exp(new(big.Int).SetBytes(em), private.D, n)
		return signed + "." + encode(s.FillBytes(make([]byte, size)))
	}
	// block is 00 01 FF… 00 T, filled to the size of the modulus.
	block := func(t []byte) []byte {
		return slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, size-3-len(t)), []byte{0}, t)
	}
	info := []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}
	good := block(slices.Concat(info, digest))
	wantAccepted(t, token(good), key.public, payload) // the positive control: EM by hand is what it should be

	change := func(at int, to byte) []byte {
		em := slices.Clone(good)
		em[at] = to
		return em
	}
	replaced := func(at int, to byte) []byte {
		i := slices.Clone(info)
		i[at] = to
		return block(slices.Concat(i, digest))
	}
	start := size - 32 - len(info) // of the DigestInfo
	// short moves the block to the front and puts garbage behind the hash,
	// where the cube root of a forger leaves it.
	short := func(padding int, garbage byte) []byte {
		em := slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, padding), []byte{0}, info, digest)
		return append(em, bytes.Repeat([]byte{garbage}, size-len(em))...)
	}
	sha1Sum, sha384Sum := sha1.Sum([]byte(signed)), sha512.Sum384([]byte(signed))
	sha1Info := []byte{0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14}
	sha384Info := replaceAt(info, map[int]byte{1: 0x41, 14: 0x02, 18: 0x30})

	for _, tc := range []struct {
		name string
		em   []byte
	}{
		{"block type 0", change(1, 0)},
		{"block type 2, of encryption", change(1, 2)},
		{"block type 255", change(1, 0xff)},
		{"a first byte", change(0, 1)},
		{"a zero in the padding", change(2, 0)},
		{"a zero in the middle of the padding", change(100, 0)},
		{"another byte in the padding", change(100, 0xfe)},
		{"the last byte of the padding", change(start-2, 0xfe)},
		{"no separator", change(start-1, 0xff)},
		{"another separator", change(start-1, 1)},
		{"padding of zeros", slices.Concat([]byte{0, 1}, make([]byte, start-3), []byte{0}, info, digest)},
		{"eight bytes of padding and zeros behind", short(8, 0)},
		{"eight bytes of padding and garbage behind", short(8, 0x5a)},
		{"no padding and garbage behind", short(0, 0x5a)},
		{"almost all padding and a byte behind", short(size-3-len(info)-32-1, 0)},
		{"no DigestInfo", block(digest)},
		{"the hash as an OCTET STRING alone", block(slices.Concat([]byte{4, 0x20}, digest))},
		{"no parameters", block(slices.Concat(
			[]byte{0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04, 0x20}, digest))},
		{"parameters of garbage", block(slices.Concat( // CVE-2018-16152
			[]byte{0x30, 0x35, 0x30, 0x11, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04, 0x04, 1, 2, 3, 4, 0x04, 0x20}, digest))},
		{"parameters that are not NULL", replaced(15, 0x04)},
		{"a length in long form, outside", block(slices.Concat([]byte{0x30, 0x81}, info[1:], digest))},
		{"a length in long form, of the hash", block(slices.Concat(
			[]byte{0x30, 0x32}, info[2:18], []byte{0x81, 0x20}, digest))},
		{"an indefinite length", block(slices.Concat([]byte{0x30, 0x80}, info[2:], digest, []byte{0, 0}))},
		{"a length too small", replaced(1, 0x30)},
		{"a length too large", replaced(1, 0x32)},
		{"a SET for a SEQUENCE", replaced(0, 0x31)},
		{"another OID", replaced(14, 0x04)},
		{"the OID of SHA-384 and the hash of SHA-256", replaced(14, 0x02)},
		{"SHA-1 and its hash", block(slices.Concat(sha1Info, sha1Sum[:]))},
		{"SHA-384 and its hash", block(slices.Concat(sha384Info, sha384Sum[:]))},
		{"a byte behind the hash", block(slices.Concat(info, digest, []byte{0}))},
		{"a byte behind the hash, within the lengths", block(slices.Concat(replaceAt(info, map[int]byte{1: 0x32, 18: 0x21}), digest, []byte{0}))},
		{"a hash without its last byte", block(slices.Concat(info, digest[:31]))},
		{"a hash without its last byte, and lengths for it", block(slices.Concat(replaceAt(info, map[int]byte{1: 0x30, 18: 0x1f}), digest[:31]))},
		{"another hash", block(slices.Concat(info, bytes.Repeat([]byte{7}, 32)))},
		{"nothing but zeros", make([]byte, size)},
		{"one", append(make([]byte, size-1), 1)},
		{"n−1", new(big.Int).Sub(n, big.NewInt(1)).Bytes()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if bytes.Equal(tc.em, good) {
				t.Fatal("the block is the good one")
			}
			wantRefused(t, token(tc.em), key.public, StageSignature, badSignature)
		})
	}
}

// RFC 8017, section 8.2.2: a signature has exactly as many bytes as the
// modulus, and is less than it.
func TestRSASignaturesOfAnotherLengthAreRefused(t *testing.T) {
	key := rsaPair()
	n := key.public.(*rsa.PublicKey).N
	for _, algorithm := range []string{"RS256", "PS256"} {
		token := signWith(t, algorithm, key.private, `{"alg":"`+algorithm+`"}`, payload)
		wantAccepted(t, token, key.public, payload)
		parsed, err := Parse(token)
		if err != nil {
			t.Fatal(err)
		}
		good := parsed.signature
		s := new(big.Int).SetBytes(good)
		for name, signature := range map[string][]byte{
			"a zero in front": append([]byte{0}, good...),
			"a byte behind":   append(slices.Clone(good), 0),
			"a byte short":    good[:len(good)-1],
			"s + n":           new(big.Int).Add(s, n).FillBytes(make([]byte, len(good)+1)),
			"n − s":           new(big.Int).Sub(n, s).FillBytes(make([]byte, len(good))),
			"n":               n.Bytes(),
			"zero":            make([]byte, len(good)),
			"one":             append(make([]byte, len(good)-1), 1),
			"a single byte":   {1},
		} {
			t.Run(algorithm+" "+name, func(t *testing.T) {
				wantRefused(t, withSignature(token, signature), key.public, StageSignature, badSignature)
			})
		}
	}
}

func replaceAt(b []byte, changes map[int]byte) []byte {
	b = slices.Clone(b)
	for at, to := range changes {
		b[at] = to
	}
	return b
}
