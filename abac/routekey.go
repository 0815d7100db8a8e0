package abac

// routeKey stands for one path pattern of a rule in the list that is gone
// through for each request. It is small, and tells nearly all rules that do not
// apply from a method, a length, a mark and eight bytes, so that a policy of
// many rules costs a nanosecond or two for each. What passes is asked itself.
type routeKey struct {
	tail    uint64 // the last bytes of the pattern, with the bit of ASCII case set
	mark    uint64 // of the value that its first `when` wants; 0: none
	rule    int32
	length  uint32 // of the pattern; 0: whatever the path is
	spare   uint32 // how much longer a path may be
	without methodSet
	slot    uint8
}

const (
	tailBytes = 8
	unbounded = 1<<31 - 1

	// caseBits are set in all that is compared: letters that differ in case only
	// become the same, as do a few other characters.
	caseBits = 0x2020202020202020
)

// keysOf returns the keys of a rule: one for each pattern, or one for all.
func keysOf(rule int, c *compiledRoute) []routeKey {
	any := routeKey{rule: int32(rule), spare: unbounded, slot: maxSlots}
	if c.methods != 0 {
		any.without = ^c.methods
	}
	if len(c.when) > 0 && c.when[0].op == opWithIn {
		any.mark, any.slot = c.when[0].mark, c.when[0].slot
	}
	var keys []routeKey
	for i := range c.patterns {
		p := &c.patterns[i]
		text := p.path.path
		if p.written != nil || !p.ascii || len(text) < tailBytes {
			return []routeKey{any}
		}
		key := any
		key.tail, key.length, key.spare = tailOf(text, len(text)), uint32(len(text)), 0
		if p.path.prefix {
			key.spare = unbounded
		}
		keys = append(keys, key)
	}
	if keys == nil {
		return []routeKey{any}
	}
	return keys
}

// tailOf reads the eight bytes before end as a number. The compiler makes one
// load of it.
func tailOf(s string, end int) uint64 {
	b := s[end-tailBytes : end]
	return (uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56) | caseBits
}

// nextKey returns the index of the first key, from a given one on, whose rule
// may apply; len(keys) without any. The path is of ASCII.
func nextKey(keys []routeKey, from int, path string, method methodSet, who *asker) int {
	n := uint32(len(path))
	for i := from; i < len(keys); i++ {
		k := &keys[i]
		if n-k.length > k.spare || k.without&method != 0 || who.marks[k.slot]&k.mark != k.mark {
			continue
		}
		if k.length == 0 || tailOf(path, int(k.length)) == k.tail {
			return i
		}
	}
	return len(keys)
}
