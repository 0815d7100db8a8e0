#!/usr/bin/env bash
# run.sh prepare           install the npm packages (slow, once)
# run.sh SCRIPT            prepare if needed, run the script with node
# The packages go below STACK_NODE_CACHE (${TMPDIR:-/tmp}/stack-node-cache), not into the source tree.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${STACK_NODE_CACHE:-${TMPDIR:-/tmp}/stack-node-cache}
app=$cache/$(sha256sum "$here/package-lock.json" | cut -c1-12)

mkdir -p "$cache"
exec 9>"$cache/lock"; flock 9
if [ ! -f "$app/.installed" ]; then
  rm -rf "$app"; mkdir -p "$app"
  cp "$here/package.json" "$here/package-lock.json" "$app/"
  # the client asks for Node 22 and works on 20: npm only warns
  (cd "$app" && npm ci --no-audit --no-fund --omit=dev >"$cache/npm.log" 2>&1) || { tail -20 "$cache/npm.log" >&2; exit 1; }
  touch "$app/.installed"
fi
[ "${1:?prepare or a script}" = prepare ] && exit 0
cp "$here/$1" "$app/" # node looks for packages from where the script lies
flock -u 9; exec 9>&-
cd "$app"
exec node "$1"
