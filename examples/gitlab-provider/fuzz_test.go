package gitlab

import (
	"encoding/json"
	"strings"
	"testing"
)

// Whatever an answer is, it makes nobody whom it does not name.
func FuzzAnAnswerMakesNobodyElse(f *testing.F) {
	for _, seed := range []string{
		`{"id":7,"username":"alice","state":"active"}`, `{"ID":7,"username":"alice","state":"active"}`, `{"id":"7"}`, `{"id":7e0}`,
		`{"id":9223372036854775808,"username":"a","state":"active"}`, `{"id":-1}`, `null`, ``, `[]`, `{}{}`, `{"id":7,"id":8,"username":"a","state":"active"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		claims, active, err := readUser(body)
		if err != nil {
			if claims != nil || active {
				t.Fatal("an answer that cannot be read says something")
			}
			return
		}
		if !json.Valid(body) {
			t.Fatal("it is not JSON")
		}
		id, _ := claims["id"].(string)
		if claims["principal"] != "gitlab:"+id || id == "" || strings.Trim(id, "0123456789") != "" || id[0] == '0' || claims["username"] == "" {
			t.Errorf("claims are %v", claims)
		}
	})
}
