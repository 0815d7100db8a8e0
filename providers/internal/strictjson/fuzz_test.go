package strictjson

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"testing"
)

// Strictly less than encoding/json is accepted, and what is means the same.
func FuzzObjectAgreesWithEncodingJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1,"b":[true,null,"x",1.5e3,{"c":"\ud834\udd1e"}]}`, `{"a":1,"a":2}`, `{"\u0061":1,"a":2}`,
		"\ufeff{}", `{}x`, `{"a":"\ud834"}`, "{\"a\":\"\xff\"}", `{"a":01}`, `[]`, `{"a":{"b":{"c":[[[]]]}}}`, `{"n":-0.0}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := Object(in)
		if err != nil {
			if got != nil {
				t.Fatalf("refused and returned %v", got)
			}
			return
		}
		dec := json.NewDecoder(bytes.NewReader(in))
		dec.UseNumber()
		var want map[string]any
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		if _, err := dec.Token(); err != io.EOF {
			t.Fatalf("encoding/json finds more behind it: %v", err)
		}
		if !reflect.DeepEqual(plainNumbers(got), want) {
			t.Errorf("read as %#v\nencoding/json: %#v", got, want)
		}
		// What selects a provider is what is later believed, if it is.
		for name, v := range got {
			text, isString := v.(string)
			if selected, found := String(in, name); found != isString || selected != text {
				t.Errorf("member %q is %#v, and %q, %t when read alone", name, v, selected, found)
			}
		}
	})
}

// plainNumbers returns v with our numbers as those of encoding/json.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case Number:
		return json.Number(v)
	case []any:
		list := make([]any, len(v))
		for i, element := range v {
			list[i] = plainNumbers(element)
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for name, member := range v {
			m[name] = plainNumbers(member)
		}
		return m
	}
	return v
}
