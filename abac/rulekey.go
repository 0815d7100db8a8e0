package abac

// ruleKey stands for one pattern of a rule in the list that is gone through for
// each request. It is small, and tells nearly all rules that do not apply from a
// method or an action, a length, a mark and eight bytes, so that a policy of many
// rules costs a nanosecond or two for each. What passes is asked itself.
type ruleKey struct {
	tail    uint64 // the last bytes of the pattern, with the bit of ASCII case set
	mark    uint64 // of the value that a `when` of it wants; 0: none
	rule    int
	length  uint32 // of the pattern; 0: whatever is asked for
	spare   uint32 // how much longer may be what is asked for
	without uint8  // the methods or actions of which the rule is not
	slot    uint8
}

const (
	tailBytes = 8
	maxKeyed  = 1<<31 - 1 // the longest text that is told by keys, in bytes

	// caseBits are set in all that is compared: letters that differ in case only
	// become the same, as do a few other characters.
	caseBits = 0x2020202020202020
)

// keyOf returns the key of a rule for methods or actions, whatever its pattern.
func keyOf(rule int, without uint8, c *conditions) ruleKey {
	key := ruleKey{rule: rule, spare: maxKeyed, without: without, slot: maxSlots}
	for i := range c.when {
		if c.when[i].op == opWithIn {
			key.mark, key.slot = c.when[i].mark, c.when[i].slot
			break
		}
	}
	return key
}

// of returns the key for one pattern. Short ones are not told from others.
func (k ruleKey) of(text string, prefix bool) (ruleKey, bool) {
	if len(text) < tailBytes || len(text) > maxKeyed {
		return k, false
	}
	k.tail, k.length = tailOf(text, len(text)), uint32(len(text)&maxKeyed)
	if !prefix {
		k.spare = 0
	}
	return k, true
}

// routeKeys returns the keys of a rule: one for each pattern, or one for all.
func routeKeys(rule int, c *compiledRoute) []ruleKey {
	var without methodSet
	if c.methods != 0 {
		without = ^c.methods
	}
	general := keyOf(rule, uint8(without), &c.conditions)
	keys := make([]ruleKey, 0, max(len(c.patterns), 1))
	for i := range c.patterns {
		p := &c.patterns[i]
		key, told := general.of(p.path.path, p.path.prefix)
		if p.written != nil || !p.ascii || !told {
			return []ruleKey{general}
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return []ruleKey{general}
	}
	return keys
}

// resourceKey returns the key of a rule.
func resourceKey(rule int, c *compiledRule) ruleKey {
	key := keyOf(rule, uint8(^c.actions), &c.conditions)
	if !c.all && c.resource.expression == nil {
		key, _ = key.of(c.resource.text, c.resource.prefix)
	}
	return key
}

// tailOf reads the eight bytes before end as a number. The compiler makes one
// load of it.
func tailOf(s string, end int) uint64 {
	b := s[end-tailBytes : end]
	return (uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56) | caseBits
}

// nextKey returns the index of the first key, from a given one on, whose rule
// may apply to the text, which is of maxKeyed bytes at most, and, where forbids
// are of any case, of ASCII; len(keys) without any.
func nextKey(keys []ruleKey, from int, text string, bit uint8, who *asker) int {
	n := uint32(len(text) & maxKeyed)
	for i := from; i < len(keys); i++ {
		k := &keys[i]
		if n-k.length > k.spare || k.without&bit != 0 || who.marks[k.slot]&k.mark != k.mark {
			continue
		}
		if k.length == 0 || tailOf(text, int(k.length)) == k.tail {
			return i
		}
	}
	return len(keys)
}
