package providers

import (
	"errors"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

// CheckProviderData returns an error unless the value of an X-*-Provider-Data
// header is a JSON object without members that begin with two underscores:
// older versions of OGX take `__authenticated_user` out of it and believe it.
func CheckProviderData(value string) error {
	members, err := strictjson.Object([]byte(value))
	if err != nil {
		return err
	}
	for name := range members {
		if strings.HasPrefix(name, "__") {
			return errors.New("it has a reserved member")
		}
	}
	return nil
}
