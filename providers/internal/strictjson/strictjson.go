// Package strictjson decodes JSON that somebody else signed, in the one way in
// which every reader agrees on what it says. encoding/json takes the last of
// two members of one name, folds case into struct fields, and turns broken
// UTF-8 into U+FFFD; other readers take the first, or keep the bytes. In a
// token each of these differences is a way to be two people at once, so all of
// them are errors here.
package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds nesting. Real claims have three or four levels.
const maxDepth = 32

// Number is a JSON number as it was written, so that whoever needs it decides
// about its range and precision.
type Number string

// Object decodes b, which must be one JSON object and nothing else: no
// duplicate member names (after unescaping, at any level), no invalid UTF-8 or
// lone surrogate, no byte order mark, no trailing bytes, at most 32 levels.
// Values are string, bool, nil, Number, []any and map[string]any.
func Object(b []byte) (map[string]any, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(b))
	if dec.PeekKind() != '{' {
		return nil, errors.New("expected a JSON object")
	}
	v, err := value(dec)
	if err != nil {
		return nil, fmt.Errorf("decoding JSON: %w", plain(err))
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("decoding JSON: bytes after the object")
	}
	return v.(map[string]any), nil
}

// String returns the string member with the given name of the JSON object b,
// reading no further than it has to. It checks nothing else: what it returns
// may select, and must not be believed.
func String(b []byte, name string) (string, bool) {
	return member(b, name, '"')
}

// NumberIn is String for a number.
func NumberIn(b []byte, name string) (Number, bool) {
	text, found := member(b, name, '0')
	return Number(text), found
}

// member returns the text of the first member of the name, if it is of the kind.
func member(b []byte, name string, kind jsontext.Kind) (string, bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(b))
	if open, err := dec.ReadToken(); err != nil || open.Kind() != '{' {
		return "", false
	}
	for dec.PeekKind() == '"' {
		key, err := dec.ReadToken()
		if err != nil {
			return "", false
		}
		if key.String() != name {
			if dec.SkipValue() != nil {
				return "", false
			}
			continue
		}
		if dec.PeekKind() != kind {
			return "", false
		}
		v, err := dec.ReadToken()
		if err != nil {
			return "", false
		}
		return v.String(), true
	}
	return "", false
}

func value(dec *jsontext.Decoder) (any, error) {
	tok, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case '"':
		return tok.String(), nil
	case '0':
		return Number(tok.String()), nil
	case 't', 'f':
		return tok.Bool(), nil
	case 'n':
		return nil, nil
	default: // an object or a list begins: the decoder sees to the rest
	}
	if dec.StackDepth() > maxDepth {
		return nil, fmt.Errorf("more than %d levels", maxDepth)
	}
	if tok.Kind() == '{' {
		return members(dec)
	}
	return elements(dec)
}

func members(dec *jsontext.Decoder) (map[string]any, error) {
	m := make(map[string]any)
	for dec.PeekKind() != '}' {
		key, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		name := key.String()
		if m[name], err = value(dec); err != nil {
			return nil, err
		}
	}
	_, err := dec.ReadToken()
	return m, err
}

func elements(dec *jsontext.Decoder) ([]any, error) {
	list := []any{}
	for dec.PeekKind() != ']' {
		v, err := value(dec)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := dec.ReadToken()
	return list, err
}

// plain keeps the kind of a syntax error and drops its text, which quotes the
// input: what comes in here is somebody's token.
func plain(err error) error {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		return err
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return errors.New("a member name is there twice")
	}
	return fmt.Errorf("syntax error at byte %d", syntax.ByteOffset)
}
