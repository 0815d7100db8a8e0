package providers

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

// readKeyFile reads a list of keys as the configuration has it. An error names
// the entry and the member, and shows neither a value nor the name of a member
// that it does not know: either may be a key.
func readKeyFile(content []byte) ([]ListedKey, error) {
	list, err := strictjson.List(content)
	if err != nil {
		return nil, err
	}
	keys := make([]ListedKey, 0, len(list))
	seen := make(map[[sha256.Size]byte]int, len(list))
	for i, element := range list {
		key, err := keyOfEntry(element)
		if err == nil {
			err = key.check("")
		}
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i+1, err)
		}
		digest, _ := key.digest()
		if earlier, again := seen[digest]; again {
			return nil, fmt.Errorf("entry %d: its hash is that of entry %d", i+1, earlier)
		}
		seen[digest] = i + 1
		keys = append(keys, key)
	}
	return keys, nil
}

func keyOfEntry(element any) (ListedKey, error) {
	var key ListedKey
	members, ok := element.(map[string]any)
	if !ok {
		return key, errors.New("expected an object")
	}
	var attributes any
	hasAttributes := false
	for name, v := range members {
		var err error
		switch name {
		case "hash":
			key.Hash, err = textMember(name, v)
		case "principal":
			key.Principal, err = textMember(name, v)
		case "tenant":
			key.Tenant, err = textMember(name, v)
		case "expires":
			key.Expires, err = textMember(name, v)
		case "attributes":
			attributes, hasAttributes = v, true
		default:
			err = errors.New("unknown member: expected hash, principal, attributes, tenant and expires")
		}
		if err != nil {
			return key, err
		}
	}
	var err error
	if hasAttributes {
		key.Attributes, err = attributesOfEntry(attributes)
	}
	return key, err
}

// textMember refuses null and the empty string too: where something is left out
// by leaving it empty, it may have been a variable that was not set.
func textMember(name string, v any) (string, error) {
	text, ok := v.(string)
	if !ok || text == "" {
		return "", fmt.Errorf("%s: expected a string with something in it", name)
	}
	return text, nil
}

func attributesOfEntry(v any) ([]KeyAttribute, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, errors.New("attributes: expected a list of objects")
	}
	attributes := make([]KeyAttribute, 0, len(list))
	for i, element := range list {
		attribute, err := attributeOfEntry(element)
		if err != nil {
			return nil, fmt.Errorf("attributes: %d: %w", i+1, err)
		}
		attributes = append(attributes, attribute)
	}
	return attributes, nil
}

func attributeOfEntry(element any) (KeyAttribute, error) {
	var a KeyAttribute
	members, _ := element.(map[string]any)
	name, hasName := members["attribute"]
	values, hasValues := members["values"]
	if len(members) != 2 || !hasName || !hasValues {
		return a, errors.New("expected an object with attribute and values")
	}
	var err error
	if a.Attribute, err = textMember("attribute", name); err != nil {
		return a, err
	}
	list, ok := values.([]any)
	if !ok {
		return a, errors.New("values: expected a list of strings")
	}
	for _, element := range list {
		value, err := textMember("values", element)
		if err != nil {
			return a, err
		}
		a.Values = append(a.Values, value)
	}
	return a, nil
}
