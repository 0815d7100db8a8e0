// Package abac is policy alone: who a caller is (User), what they ask for (a
// RouteQuestion, or an Action on a Resource), and what ordered rules say of it
// (RoutePolicy, Policy). It knows no HTTP and no Caddy and imports nothing but
// the standard library, so that every decision can be tested, fuzzed and
// explained without a server.
//
// Everything here is built once, when a configuration is loaded or a caller
// is first seen, and only read afterwards: values may be shared between
// requests without a lock, and evaluating them allocates nothing.
package abac
