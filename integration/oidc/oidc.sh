#!/usr/bin/env bash
# The npm package "oidc-provider" as test issuer on loopback: opaque tokens, introspection, revocation.
#   oidc.sh prepare   install the packages (slow, once)
#   oidc.sh start     prepare if needed, start, wait until it answers; prints the issuer
#   oidc.sh stop      everything it knew is gone: keys, tokens, counts
# Who is who and what tests may tell it while it runs is in server.mjs.
# Settings (environment):
#   STACK_OIDC_PORT         19080             listening port on 127.0.0.1
#   STACK_OIDC_ADMIN_PORT   the next one      where tests rotate, break, count
#   STACK_OIDC_DIR          per-port folder below ${TMPDIR:-/tmp}: log, pid
#   STACK_OIDC_CACHE        ${TMPDIR:-/tmp}/stack-oidc-cache: the installed packages
#   STACK_OIDC_WAIT         60 seconds
# Needs: bash, curl, node >= 20, npm, sha256sum, flock.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tmp=${TMPDIR:-/tmp}
export STACK_OIDC_PORT=${STACK_OIDC_PORT:-19080}
export STACK_OIDC_ADMIN_PORT=${STACK_OIDC_ADMIN_PORT:-$((STACK_OIDC_PORT + 1))}
dir=${STACK_OIDC_DIR:-$tmp/stack-oidc-$STACK_OIDC_PORT}
cache=${STACK_OIDC_CACHE:-$tmp/stack-oidc-cache}
base=http://127.0.0.1:$STACK_OIDC_PORT
pidfile=$dir/pid

say() { echo "oidc.sh: $*" >&2; }
alive() { [ -s "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null; }
# keyed by what is installed, so that a changed list never meets old packages
app() { echo "$cache/$(sha256sum "$here/package-lock.json" | cut -c1-12)"; }

prepare() {
  mkdir -p "$cache"
  exec 9>"$cache/lock"; flock 9
  local a; a=$(app)
  if [ ! -f "$a/.installed" ]; then
    say "installing oidc-provider"
    rm -rf "$a"; mkdir -p "$a"
    cp "$here/package.json" "$here/package-lock.json" "$a/"
    # the package asks for Node 22 and works on 20: npm only warns
    (cd "$a" && npm ci --no-audit --no-fund --omit=dev >"$cache/npm.log" 2>&1) || { tail -20 "$cache/npm.log" >&2; exit 1; }
    touch "$a/.installed"
  fi
  flock -u 9; exec 9>&-
}

wait_up() {
  local end=$((SECONDS + ${STACK_OIDC_WAIT:-60}))
  # not asked over HTTP: that would be the first request that it counts
  until grep -q '^ready' "$dir/log" 2>/dev/null; do
    alive || { say "not running; end of log:"; tail -20 "$dir/log" >&2 || true; exit 1; }
    [ $SECONDS -lt $end ] || { say "timed out; end of log:"; tail -20 "$dir/log" >&2; exit 1; }
    sleep 0.1
  done
}

case "${1:-}" in
  prepare) prepare;;
  start)
    if alive; then say "already running, pid $(cat "$pidfile")"; wait_up; echo "$base"; exit 0; fi
    prepare
    # node looks for packages from where the script lies: a copy for each that runs, with the packages
    # linked, so that nobody changes a script that another is about to load
    rm -rf "$dir"; mkdir -p "$dir"
    cp "$here/package.json" "$here/server.mjs" "$dir/"
    ln -s "$(app)/node_modules" "$dir/node_modules"
    (cd "$dir" && exec nohup node server.mjs >"$dir/log" 2>&1 </dev/null) &
    echo $! >"$pidfile"
    wait_up
    echo "$base";;
  stop)
    alive || { rm -f "$pidfile"; exit 0; }
    p=$(cat "$pidfile"); kill "$p" || true
    for _ in $(seq 100); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
    if kill -0 "$p" 2>/dev/null; then kill -9 "$p"; fi
    rm -f "$pidfile";;
  *) echo "usage: $0 prepare|start|stop" >&2; exit 2;;
esac
