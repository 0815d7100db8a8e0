#!/usr/bin/env bash
# A real kube-apiserver with etcd on loopback: service accounts, their tokens, reviews, keys. No nodes, no controllers.
#   kube.sh prepare   build kube-apiserver (minutes, once)
#   kube.sh start     prepare if needed, start with an empty database, wait until it is ready; prints its URL
#   kube.sh resume    start again with the database and the keys that it was stopped with
#   kube.sh stop
# After start $STACK_KUBE_DIR has ca.crt, which the server's certificate is checked with, and admin.token, which may
# do everything.
# Settings (environment):
#   STACK_KUBE_PORT        18443         listening port on 127.0.0.1
#   STACK_KUBE_ETCD_PORT   the next one  etcd's
#   STACK_KUBE_DIR         per-port folder below ${TMPDIR:-/tmp}: database, keys, logs, pids
#   STACK_KUBE_CACHE       ${TMPDIR:-/tmp}/stack-kube-cache: the program
#   STACK_KUBE_WAIT        120 seconds
# Needs: bash, curl, etcd (Debian: etcd-server), openssl, go, sha256sum, flock.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tmp=${TMPDIR:-/tmp}
port=${STACK_KUBE_PORT:-18443}
etcd_port=${STACK_KUBE_ETCD_PORT:-$((port + 1))}
dir=${STACK_KUBE_DIR:-$tmp/stack-kube-$port}
cache=${STACK_KUBE_CACHE:-$tmp/stack-kube-cache}
base=https://127.0.0.1:$port
etcd_url=http://127.0.0.1:$etcd_port

say() { echo "kube.sh: $*" >&2; }
alive() { [ -s "$dir/$1.pid" ] && kill -0 "$(cat "$dir/$1.pid")" 2>/dev/null; } # etcd or apiserver
# keyed by what it is built from
program() { echo "$cache/kube-apiserver-$(cat "$here/go.mod" "$here/go.sum" | sha256sum | cut -c1-12)"; }

prepare() {
  mkdir -p "$cache"
  exec 9>"$cache/lock"; flock 9
  local p; p=$(program)
  if [ ! -x "$p" ]; then
    say "building kube-apiserver (about 4 minutes with 2 processors)"
    # GOGC: an eighth of the time for some 200 MB more; no cgo: no C compiler; and a user's flags (-mod, -modfile)
    # and workspace are about other modules
    (cd "$here" && GOFLAGS='' GOWORK=off GOGC=400 CGO_ENABLED=0 go build -buildvcs=false -ldflags='-s -w' \
      -o "$p.new" k8s.io/kubernetes/cmd/kube-apiserver) >&2
    mv "$p.new" "$p"
  fi
  flock -u 9; exec 9>&-
}

make_keys() {
  openssl genrsa -out "$dir/sa.key" 2048 2>/dev/null
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dir/tls.key" -out "$dir/ca.crt" -days 2 \
    -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1,DNS:localhost 2>/dev/null
  openssl rand -hex 16 >"$dir/admin.token"
  echo "$(cat "$dir/admin.token"),admin,admin,system:masters" >"$dir/tokens.csv"
}

launch() {
  # in its folder, where the socket for its peers lies: it has none, but must listen for them
  (cd "$dir" && exec nohup etcd --data-dir etcd --unsafe-no-fsync --log-level warn \
    --listen-client-urls "$etcd_url" --advertise-client-urls "$etcd_url" \
    --listen-peer-urls unix://peers:0 --initial-advertise-peer-urls http://localhost:1 \
    --initial-cluster default=http://localhost:1 >etcd.log 2>&1 </dev/null) &
  echo $! >"$dir/etcd.pid"
  nohup "$(program)" --etcd-servers "$etcd_url" --bind-address 127.0.0.1 --advertise-address 127.0.0.1 \
    --secure-port "$port" --tls-cert-file "$dir/ca.crt" --tls-private-key-file "$dir/tls.key" \
    --service-account-issuer "$base" --service-account-key-file "$dir/sa.key" \
    --service-account-signing-key-file "$dir/sa.key" --api-audiences "$base" \
    --token-auth-file "$dir/tokens.csv" --authorization-mode RBAC --service-cluster-ip-range 10.0.0.0/24 \
    >"$dir/apiserver.log" 2>&1 </dev/null &
  echo $! >"$dir/apiserver.pid"
}

give_up() {
  say "$1; end of the logs:"
  tail -n 10 "$dir/etcd.log" "$dir/apiserver.log" >&2 || true
  stop
  exit 1
}

wait_up() {
  local end=$((SECONDS + ${STACK_KUBE_WAIT:-120}))
  # the roles that every cluster has are there when it says that it is ready; it answers 403 to strangers
  until curl -fsS -o /dev/null --max-time 5 --cacert "$dir/ca.crt" -H "Authorization: Bearer $(cat "$dir/admin.token")" \
    "$base/readyz" 2>/dev/null; do
    if ! alive etcd || ! alive apiserver; then give_up "not running"; fi
    [ $SECONDS -lt $end ] || give_up "timed out"
    sleep 0.2
  done
}

stop() {
  local name p
  for name in apiserver etcd; do # without etcd the other one would wait for it
    if alive "$name"; then
      p=$(cat "$dir/$name.pid"); kill "$p" || true
      for _ in $(seq 200); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
      if kill -0 "$p" 2>/dev/null; then kill -9 "$p"; fi
    fi
    rm -f "$dir/$name.pid"
  done
}

case "${1:-}" in
  prepare) prepare;;
  start|resume)
    if alive apiserver; then say "already running, pid $(cat "$dir/apiserver.pid")"; wait_up; echo "$base"; exit 0; fi
    prepare
    stop # etcd, should it have been left alone
    if [ "$1" = start ]; then rm -rf "$dir"; mkdir -p "$dir"; make_keys; fi
    launch
    wait_up
    echo "$base";;
  stop) stop;;
  *) echo "usage: $0 prepare|start|resume|stop" >&2; exit 2;;
esac
