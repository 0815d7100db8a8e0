package ogximport

import (
	"strconv"
	"strings"
)

// shortestSecret is how long a secret must be to be looked for. A shorter one is
// part of many words; it is not written anywhere either.
const shortestSecret = 6

// secretsHidden replaces the secrets of the file, as they are written there, in
// quotes, or in one line. There may be thousands, so that all are looked for at
// once.
func (im *importer) secretsHidden() *strings.Replacer {
	var pairs []string
	for _, secret := range im.secrets {
		if len(secret) < shortestSecret {
			continue
		}
		quoted := strconv.Quote(secret)
		for _, written := range []string{secret, quoted[1 : len(quoted)-1], oneLine(secret)} {
			pairs = append(pairs, written, "[not shown]")
		}
	}
	return strings.NewReplacer(pairs...)
}

// hidden returns remarks that show no secret.
func hidden(secrets *strings.Replacer, list []Remark) []Remark {
	for i := range list {
		list[i].Text = secrets.Replace(list[i].Text)
		list[i].Key = secrets.Replace(list[i].Key)
	}
	return list
}
