package providers

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/fetch"
)

// Any answer of the API server: nobody comes in whom it does not plainly let
// in, as read by encoding/json, which knows nothing of how it is read here.
func FuzzKubernetesReview(f *testing.F) {
	const info = `{"username":"system:serviceaccount:a:b","uid":"1","groups":["g","system:x","system:kept"],"extra":{"k":["v"]}}`
	for _, body := range []string{
		`{"status":{"userInfo":` + info + `}}`,
		`{"status":{"authenticated":true,"audiences":["ours"],"user":` + info + `}}`,
		`{"status":{"authenticated":true,"audiences":["theirs"],"error":"x","user":{"username":"alice"}}}`,
		`{"status":{"authenticated":"true","authenticated":true,"userInfo":{"username":"system:anonymous"}}}`,
		`{"status":{"userInfo":{"username":"u","groups":["system:unauthenticated"]}}}`,
		`{"status":null}`, `{}`, `[]`, ``, "\xff",
	} {
		for _, status := range []int{200, 201, 401, 403, 500} {
			f.Add(true, status, []byte(body))
			f.Add(false, status, []byte(body))
		}
	}
	self := newKind[*Kubernetes](f, "kubernetes", "service_accounts a/*\nsystem_groups system:kept\ntenant_claim namespace")
	token := newKind[*Kubernetes](f, "kubernetes", "review token\naudiences ours\nsystem_groups system:kept\ntenant_claim namespace")
	f.Fuzz(func(t *testing.T, byToken bool, status int, body []byte) {
		reply := &fetch.Reply{Status: status, Body: body}
		a := self.readSelfSubjectReview(reply)
		if byToken {
			a = token.readTokenReview(reply)
		}
		if !isAnswer(a) {
			t.Fatalf("no answer: %#v", a)
		}
		if _, is := a.(NotMine); is {
			t.Fatal("not mine, after the API server has seen it")
		}
		yes, is := a.(*Yes)
		if !is {
			return
		}
		if status != 200 && status != 201 {
			t.Fatalf("yes with status %d", status)
		}
		user := oracle(t, byToken, body)
		username, _ := user["username"].(string)
		if username == "" || username != yes.User.Principal || username == "system:anonymous" {
			t.Fatalf("principal %q of %s", yes.User.Principal, body)
		}
		groups, _ := user["groups"].([]any)
		for _, role := range yes.User.Attributes.Values("roles") {
			if !slices.Contains(groups, any(role)) || strings.HasPrefix(role, "system:") && role != "system:kept" {
				t.Errorf("role %q of %s", role, body)
			}
		}
		if slices.Contains(groups, any("system:unauthenticated")) {
			t.Errorf("yes to %s", body)
		}
		parts := strings.Split(username, ":")
		account := len(parts) == 4 && parts[0] == "system" && parts[1] == "serviceaccount" && parts[2] != "" && parts[3] != ""
		switch tenant := yes.User.Tenant; {
		case tenant != "" && (!account || parts[2] != tenant):
			t.Errorf("tenant %q of %s", tenant, body)
		case !byToken && (!account || parts[2] != "a"):
			t.Errorf("%q came in by a/*", username)
		}
	})
}

// oracle returns the user of an answer that says yes, and fails for others.
func oracle(t *testing.T, byToken bool, body []byte) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(body, &all); err != nil {
		t.Fatalf("yes to what is not JSON: %v", err)
	}
	status, _ := all["status"].(map[string]any)
	if !byToken {
		user, _ := status["userInfo"].(map[string]any)
		return user
	}
	audiences, _ := status["audiences"].([]any)
	said, there := status["error"]
	if status["authenticated"] != true || !slices.Contains(audiences, any("ours")) || there && said != "" {
		t.Fatalf("yes to %s", body)
	}
	user, _ := status["user"].(map[string]any)
	return user
}
