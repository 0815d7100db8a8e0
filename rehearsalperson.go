package stackauth

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// person is somebody who is made up.
type person struct {
	Principal, Tenant string
	Attributes        map[string][]string
}

// user returns the person as a user, if there could be such a one.
func (p *person) user() (*abac.User, error) {
	var list []abac.Attribute
	for _, name := range slices.Sorted(maps.Keys(p.Attributes)) {
		if err := abac.CheckAttributeName(name); err != nil {
			return nil, err
		}
		if slices.Contains(p.Attributes[name], "") {
			return nil, fmt.Errorf("attribute %q: a value is empty", name)
		}
		list = append(list, abac.Attribute{Name: name, Values: p.Attributes[name]})
	}
	return abac.NewUser(p.Principal, p.Tenant, abac.NewAttributes(list...))
}

// parseAttributes reads `name=value,value`, in which `\,` is a comma of a value.
// The same name again adds values.
func parseAttributes(lines []string) (map[string][]string, error) {
	attributes := make(map[string][]string)
	for _, line := range lines {
		name, list, found := strings.Cut(line, "=")
		if !found || name == "" || list == "" {
			return nil, fmt.Errorf("attribute %q: expected <name>=<value>[,<value>...]", line)
		}
		values, err := splitValues(list)
		if err != nil {
			return nil, fmt.Errorf("attribute %q: %w", line, err)
		}
		attributes[name] = append(attributes[name], values...)
	}
	return attributes, nil
}

func splitValues(list string) ([]string, error) {
	values := []string{""}
	for i := 0; i < len(list); i++ {
		last := &values[len(values)-1]
		switch list[i] {
		case ',':
			values = append(values, "")
		case '\\':
			if i++; i == len(list) || list[i] != ',' && list[i] != '\\' {
				return nil, fmt.Errorf(`expected \, or \\ after a backslash`)
			}
			*last += list[i : i+1]
		default:
			*last += list[i : i+1]
		}
	}
	return values, nil
}
