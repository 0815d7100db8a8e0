#!/usr/bin/env bash
# A real OGX on loopback, behind whatever hands it an identity in headers.
#   ogx.sh prepare       find a Python, make the venv, install, lay out the tokenizer table (slow, once)
#   ogx.sh python        prepare if needed, print the venv's interpreter (the clients run with it too)
#   ogx.sh start         prepare if needed, start, wait until it answers; prints its base URL
#   ogx.sh stop
# Settings (environment):
#   STACK_OGX_PORT     18321                  listening port on 127.0.0.1
#   STACK_OGX_DIR      per-port folder below ${TMPDIR:-/tmp}: state, log, pid
#   STACK_OGX_CACHE    ${TMPDIR:-/tmp}/stack-ogx-cache: venv, tokenizer table
#   STACK_OGX_CONFIG   ogx.yaml beside this script
#   STACK_OGX_PYTHON   a Python >= 3.12; default: found
#   STACK_OGX_WAIT     120 seconds
#   MODEL_URL          the OpenAI-compatible model server (with /v1)
#   OGX_TENANCY, OGX_TENANT_HEADER   multi, and the header that names the tenant; default: no tenants
#   OGX_SHARE_BY                     roles or teams (the default): who shares one reads what the other owns
# Needs: bash, curl, flock, go (for the tokenizer table), and a Python >= 3.12, or any Python 3 to fetch one with uv.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tmp=${TMPDIR:-/tmp}
port=${STACK_OGX_PORT:-18321}
dir=${STACK_OGX_DIR:-$tmp/stack-ogx-$port}
cache=${STACK_OGX_CACHE:-$tmp/stack-ogx-cache}
config=${STACK_OGX_CONFIG:-$here/ogx.yaml}
base=http://127.0.0.1:$port
pidfile=$dir/pid

say() { echo "ogx.sh: $*" >&2; }
alive() { [ -s "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null; }
# keyed by what is installed, so that a changed list never meets an old venv
venv() { echo "$cache/venv-$(sha256sum "$here/requirements.txt" | cut -c1-12)"; }

good_python() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; }

find_python() {
  local c
  if [ -n "${STACK_OGX_PYTHON:-}" ]; then echo "$STACK_OGX_PYTHON"; return; fi
  for c in python3.12 python3.13 python3.14 python3 \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.{12,13,14}*/bin/python3; do
    c=$(command -v "$c" 2>/dev/null) || continue
    if good_python "$c"; then echo "$c"; return; fi
  done
  # none installed: uv fetches one; uv itself comes from PyPI, which any Python 3 can ask
  local uv; uv=$(command -v uv || true)
  if [ -z "$uv" ] && python3 -m venv "$cache/uv" >&2 && "$cache/uv/bin/pip" install -q uv >&2; then
    uv=$cache/uv/bin/uv
  fi
  if [ -n "$uv" ]; then
    c=$("$uv" python find '>=3.12' 2>/dev/null || { "$uv" python install 3.12 >&2 && "$uv" python find 3.12; })
    if good_python "$c"; then echo "$c"; return; fi
  fi
  say "no Python >= 3.12 found (on the PATH, by pyenv, by uv); set STACK_OGX_PYTHON"
  return 1
}

# tiktoken wants to download its table at the first use; the same bytes lie in a Go
# module, and tiktoken checks their SHA-256 itself.
tokenizer() {
  local name=9b5ad71b2ce5302211f9c61530b329a4922fc6a4 mod
  if [ -s "$cache/tiktoken/$name" ]; then return; fi
  mod=$(cd "$cache" && GOFLAGS=-mod=mod go mod download -json github.com/pkoukk/tiktoken-go-loader@v0.0.2 |
    sed -n 's/^[[:space:]]*"Dir": "\(.*\)",\{0,1\}$/\1/p')
  mkdir -p "$cache/tiktoken"
  cp "$mod/assets/cl100k_base.tiktoken" "$cache/tiktoken/$name.new"
  chmod u+w "$cache/tiktoken/$name.new"
  mv "$cache/tiktoken/$name.new" "$cache/tiktoken/$name"
}

prepare() {
  mkdir -p "$cache"
  exec 9>"$cache/lock"; flock 9
  tokenizer
  local v; v=$(venv)
  if [ ! -f "$v/.installed" ]; then
    local py; py=$(find_python)
    say "installing OGX into a venv of $("$py" --version)"
    rm -rf "$v"; "$py" -m venv "$v"
    "$v/bin/python" -m pip install -q --disable-pip-version-check -r "$here/requirements.txt" >&2
    touch "$v/.installed"
  fi
  flock -u 9; exec 9>&-
}

wait_up() {
  local end=$((SECONDS + ${STACK_OGX_WAIT:-120}))
  # /v1/health is the one route that OGX answers without an identity
  until curl -fsS -o /dev/null --max-time 2 "$base/v1/health" 2>/dev/null; do
    alive || { say "not running; end of log:"; tail -30 "$dir/log" >&2 || true; exit 1; }
    [ $SECONDS -lt $end ] || { say "timed out; end of log:"; tail -30 "$dir/log" >&2; exit 1; }
    sleep 0.2
  done
}

case "${1:-}" in
  prepare) prepare;;
  python) prepare; echo "$(venv)/bin/python";;
  start)
    if alive; then say "already running, pid $(cat "$pidfile")"; wait_up; echo "$base"; exit 0; fi
    : "${MODEL_URL:?the address of a model server, as http://127.0.0.1:PORT/v1}"
    prepare
    rm -rf "$dir"; mkdir -p "$dir/state" "$dir/tmp"
    # FORWARDED_ALLOW_IPS="": otherwise uvicorn believes the X-Forwarded-For that a gateway on
    # the same host sends, and trusted_proxy_cidrs judges the caller instead of the gateway.
    # OGX_LOG_FORMAT=json: as it is by default, OGX answers nobody for the five seconds that it
    # takes to draw the traceback of an error that one caller's request made.
    OGX_STATE=$dir/state OGX_PORT=$port FORWARDED_ALLOW_IPS="" OGX_LOG_FORMAT=json TIKTOKEN_CACHE_DIR=$cache/tiktoken \
      TMPDIR=$dir/tmp HF_HUB_OFFLINE=1 nohup "$(venv)/bin/ogx" run "$config" --insecure >"$dir/log" 2>&1 </dev/null &
    echo $! >"$pidfile"
    wait_up
    echo "$base";;
  stop)
    alive || { rm -f "$pidfile"; exit 0; }
    p=$(cat "$pidfile"); kill "$p"
    for _ in $(seq 100); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
    if kill -0 "$p" 2>/dev/null; then kill -9 "$p"; fi
    rm -f "$pidfile";;
  *) echo "usage: $0 prepare|python|start|stop" >&2; exit 2;;
esac
