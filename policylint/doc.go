// Package policylint finds what is wrong with a policy by looking at it: rules
// that never decide, patterns that match nothing or more than they seem to, and
// attributes that nobody has. It asks nobody and decides nothing.
//
// What it says of rules that never decide is proved and not guessed: see cover.
// The rest is about what people mean, and says why it thinks so.
package policylint
