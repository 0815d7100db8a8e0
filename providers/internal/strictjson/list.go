package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// List decodes b, which must be one JSON list and nothing else, as strictly as
// Object does. An error says in which element it is, counted from 1.
func List(b []byte) ([]any, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(b))
	if dec.PeekKind() != '[' {
		return nil, errors.New("expected a JSON list")
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, fmt.Errorf("decoding JSON: %w", plain(err))
	}
	list := []any{}
	for dec.PeekKind() != ']' {
		v, err := value(dec)
		if err != nil {
			return nil, fmt.Errorf("decoding JSON: element %d: %w", len(list)+1, plain(err))
		}
		list = append(list, v)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, fmt.Errorf("decoding JSON: %w", plain(err))
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("decoding JSON: bytes after the list")
	}
	return list, nil
}
