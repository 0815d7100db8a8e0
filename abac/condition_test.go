package abac

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestConditionsAreReadFromTheirWordsAndWrittenInThem(t *testing.T) {
	for written, want := range map[string]Condition{
		"user with admin in roles":            {UserWithIn, "admin", "roles"},
		"user with admin not in roles":        {UserWithNotIn, "admin", "roles"},
		`user with "ml team" in teams`:        {UserWithIn, "ml team", "teams"},
		`user with "a\nb" not in teams`:       {UserWithNotIn, "a\nb", "teams"},
		`user with "a\"b" in teams`:           {UserWithIn, `a"b`, "teams"},
		`user with "\u2028" in teams`:         {UserWithIn, "\u2028", "teams"},
		`user with "\u00a0" in teams`:         {UserWithIn, "\u00a0", "teams"},
		"user with \"`a\" in teams":           {UserWithIn, "`a", "teams"},
		`user with "\xff" in teams`:           {UserWithIn, "\xff", "teams"},
		`user with a,b;c in teams`:            {UserWithIn, "a,b;c", "teams"},
		`user with CORP\dev in teams`:         {UserWithIn, `CORP\dev`, "teams"},
		"user with é€𝄞 in teams":              {UserWithIn, "é€𝄞", "teams"},
		"user with not in roles":              {UserWithIn, "not", "roles"}, // as upstream reads it
		"user with in not in roles":           {UserWithNotIn, "in", "roles"},
		"user in owners teams":                {Op: UserInOwners, Attribute: "teams"},
		"user not in owners teams":            {Op: UserNotInOwners, Attribute: "teams"},
		"user is owner":                       {Op: UserIsOwner},
		"user is not owner":                   {Op: UserIsNotOwner},
		"user is anonymous":                   {Op: UserIsAnonymous},
		"resource is unowned":                 {Op: ResourceIsUnowned},
		"user with not not in not-a-category": {UserWithNotIn, "not", "not-a-category"},
	} {
		got, err := ParseCondition(wordsOf(t, written))
		if err != nil || got != want {
			t.Errorf("%s is %+v, %v; want %+v", written, got, err, want)
		}
		if want.String() != written {
			t.Errorf("%+v is written %s, want %s", want, want, written)
		}
	}
}

func TestWordsThatAreNoConditionAreErrors(t *testing.T) {
	const expected = ": expected `user with <value> [not] in <attribute>`, `user [not] in owners <attribute>`, " +
		"`user is [not] owner`, `resource is unowned` or `user is anonymous`"
	for line, want := range map[string]string{
		"":                                 `condition ""` + expected,
		"user":                             `condition "user"` + expected,
		"user|in|owner|teams":              `condition "user in owner teams"` + expected, // upstream's documentation has it
		"user|with|admin|roles":            `condition "user with admin roles"` + expected,
		"user|with|admin|in|roles|teams":   `condition "user with admin in roles teams"` + expected,
		"user|with|ml|team|in|teams":       `condition "user with ml team in teams"` + expected,
		"user|with|a|not|not|in|roles":     `condition "user with a not not in roles"` + expected,
		"User|is|owner":                    `condition "User is owner"` + expected,
		"user|is|not|anonymous":            `condition "user is not anonymous"` + expected,
		"resource|is|not|unowned":          `condition "resource is not unowned"` + expected,
		"resource|is|owned":                `condition "resource is owned"` + expected,
		"user|is|owner|":                   `condition "user is owner "` + expected,
		"user|with||in|roles":              `condition "user with  in roles": value is empty`,
		"user|with||not|in|roles":          `condition "user with  not in roles": value is empty`,
		"user|with|a|in|id":                `condition "user with a in id": attribute name "id" is taken: it names the principal`,
		"user|with|a|in|":                  `condition "user with a in ": attribute name "": expected 1 to 64 characters`,
		"user|in|owners|1st":               `condition "user in owners 1st": attribute name "1st": expected letters, digits, _ and -, beginning with a letter or _`,
		"user|not|in|owners|" + longName(): `condition "user not in owners ` + longName() + `": attribute name "` + longName() + `": expected 1 to 64 characters`,
	} {
		c, err := ParseCondition(strings.Split(line, "|"))
		if err == nil {
			t.Errorf("%q is %+v", line, c)
		}
		checkError(t, line, err, want)
	}
}

func longName() string { return strings.Repeat("a", 65) }

func TestConditionsThatCouldNotBeMeantAreErrors(t *testing.T) {
	for _, tc := range []struct {
		c    Condition
		want string
	}{
		{Condition{}, `condition "": expected an operator such as user_with_in`},
		{Condition{Op: "user_with"}, `condition "user_with": expected an operator such as user_with_in`},
		{Condition{Op: "USER_IS_OWNER"}, `condition "USER_IS_OWNER": expected an operator such as user_with_in`},
		{Condition{Op: UserIsOwner, Attribute: "teams"}, `condition "user_is_owner": unexpected attribute "teams"`},
		{Condition{Op: UserIsNotOwner, Value: "a"}, `condition "user_is_not_owner": unexpected value "a"`},
		{Condition{Op: UserIsAnonymous, Value: "a"}, `condition "user_is_anonymous": unexpected value "a"`},
		{Condition{Op: ResourceIsUnowned, Attribute: "id"}, `condition "resource_is_unowned": unexpected attribute "id"`},
		{Condition{Op: UserInOwners, Value: "a", Attribute: "teams"}, `condition "user_in_owners": unexpected value "a"`},
		{Condition{Op: UserNotInOwners}, `condition "user_not_in_owners": attribute name "": expected 1 to 64 characters`},
		{Condition{Op: UserWithNotIn, Attribute: "teams"}, `condition "user_with_not_in": value is empty`},
	} {
		checkError(t, tc.c.String(), tc.c.Check(), tc.want)
	}
}

func TestConditionsAboutOwnersAreKnown(t *testing.T) {
	for op, want := range map[Operator]bool{
		UserInOwners: true, UserNotInOwners: true, UserIsOwner: true, UserIsNotOwner: true, ResourceIsUnowned: true,
		UserWithIn: false, UserWithNotIn: false, UserIsAnonymous: false,
	} {
		if got := (Condition{Op: op}).AboutOwners(); got != want {
			t.Errorf("%s: %t", op, got)
		}
	}
}

func TestConditionsSurviveJSON(t *testing.T) {
	for _, tc := range []struct {
		c    Condition
		want string
	}{
		{Condition{UserWithIn, "a\nb\"é", "roles"}, `{"op":"user_with_in","value":"a\nb\"é","attribute":"roles"}`},
		{Condition{Op: UserInOwners, Attribute: "teams"}, `{"op":"user_in_owners","attribute":"teams"}`},
		{Condition{Op: UserIsAnonymous}, `{"op":"user_is_anonymous"}`},
	} {
		checkJSON(t, tc.c, tc.want)
	}
}

// checkJSON writes a value, and reads it back.
func checkJSON[T any](t *testing.T, v T, want string) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil || string(b) != want {
		t.Fatalf("JSON is %s, %v\nwant %s", b, err, want)
	}
	var back T
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	if again, err := json.Marshal(back); err != nil || string(again) != want {
		t.Errorf("read back it is %s, %v\nwant %s", again, err, want)
	}
}
