package main

import (
	"fmt"
	"html"
	"os"
	"strings"
)

// charted are the sites of the chart, in this order.
var charted = []struct{ name, label, colour string }{
	{"default", "stack_auth, token cached", "#2f7d5b"},
	{"forwarded", "… and forwarded", "#2f7d5b"},
	{"many", "… 10,000 tokens, forwarded", "#2f7d5b"},
	{"rs256_uncached", "stack_auth, RS256 checked each time", "#7fae97"},
	{"es256_uncached", "stack_auth, ES256 checked each time", "#7fae97"},
	{"forward_auth", "forward_auth to a trivial service", "#b8683a"},
}

// svg draws added CPU as bars, with the spread over the data sets as a
// whisker. It is drawn by hand: a chart of six bars needs no library.
func (r results) svg() string {
	const (
		width, left, right = 820, 280, 190
		top, row, bar      = 56, 34, 18
	)
	found := map[string]siteResult{}
	highest := 1.0
	for _, site := range r.Sites {
		found[site.Name] = site
	}
	for _, entry := range charted {
		highest = max(highest, found[entry.name].Added.Max)
	}
	x := func(us float64) float64 {
		return left + max(us, 0)/highest*float64(width-left-right)
	}
	height := top + row*len(charted) + 40

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="13" role="img" aria-labelledby="title">`+"\n",
		width, height, width, height)
	b.WriteString(`<title id="title">CPU time that authentication adds to a proxied request</title>` + "\n")
	// A ground of its own, because readers' pages are light or dark.
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8" fill="#ffffff"/>`+"\n", width, height)
	b.WriteString(`<text x="20" y="30" font-size="15" font-weight="600" fill="#222222">Added CPU per request over bare reverse_proxy, µs (less is better)</text>` + "\n")
	for i, entry := range charted {
		site, ok := found[entry.name]
		if !ok {
			continue
		}
		y := top + row*i
		middle := float64(y) + bar/2.0
		fmt.Fprintf(&b, `<text x="%d" y="%.0f" text-anchor="end" fill="#222222">%s</text>`+"\n", left-10, middle+4.5, html.EscapeString(entry.label))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" rx="2" fill="%s"/>`+"\n", left, y, max(x(site.Added.Mean)-left, 1), bar, entry.colour)
		fmt.Fprintf(&b, `<path d="M%.1f %.1fH%.1f" stroke="#222222" stroke-width="1.5"/>`+"\n", x(site.Added.Min), middle, x(site.Added.Max))
		fmt.Fprintf(&b, `<text x="%.1f" y="%.0f" fill="#222222">%+.1f%s</text>`+"\n", max(x(site.Added.Max), x(site.Added.Mean))+8, middle+4.5, site.Added.Mean, site.helperMark())
	}
	fmt.Fprintf(&b, `<text x="20" y="%d" font-size="11" fill="#666666">Caddy %s, %d cores, loopback; bare gets the same 1 KiB token. Lines: least and most of %d data sets. Reproduce: go run ./bench</text>`+"\n",
		height-16, html.EscapeString(r.Caddy), r.Cores, r.Sets)
	b.WriteString("</svg>\n")
	return b.String()
}

// helperMark says what the bar leaves out: CPU of another process.
func (s siteResult) helperMark() string {
	if s.HelperCPU == nil {
		return ""
	}
	return fmt.Sprintf(", and %.0f in the service", s.HelperCPU.Mean)
}

func (r results) writeSVG(file string) error {
	return os.WriteFile(file, []byte(r.svg()), 0o644)
}
