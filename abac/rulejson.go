package abac

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// DecodeRule reads a rule from JSON. An option that nobody knows is an error, and
// so is one that is null, as YAML has it where nothing follows the name: without
// its `when`, a permit would be for everybody.
func DecodeRule(b []byte, to any) error {
	var options map[string]json.RawMessage
	if err := json.Unmarshal(b, &options); err != nil {
		return err
	}
	for name, value := range options {
		if string(value) == "null" {
			return fmt.Errorf("%s is null: give it a value, or leave it out", name)
		}
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(to)
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *Rule) UnmarshalJSON(b []byte) error {
	type fields Rule
	return DecodeRule(b, (*fields)(r))
}

var _ json.Unmarshaler = (*Rule)(nil)
