#!/usr/bin/env bash
# A real Keycloak as test issuer on loopback.
#   keycloak.sh prepare   fetch, unpack, build, import the realm into a template database (slow, once)
#   keycloak.sh start     prepare if needed, copy the template, start, wait until the realm answers
#   keycloak.sh resume    start again with the database, so also the keys, that it was stopped with
#   keycloak.sh wait | stop | env
# The realm: alice (admin; groups ml-team, eng; tenant red), bob (data; blue), carol (ml-team; no tenant), dora (data;
# red), passwords <name>-test-only; a client for each kind of token, see the tests.
# Settings (environment; names deliberately do not start with KC_, which Keycloak reads itself):
#   STACK_IDP_PORT      18080          listening port on 127.0.0.1 (the only fixed one)
#   STACK_IDP_DIR       per-port folder below ${TMPDIR:-/tmp}: database, log, pid
#   STACK_IDP_CACHE     ${TMPDIR:-/tmp}/stack-idp-cache: zip, unpacked server, template database
#   STACK_IDP_VERSION   26.7.3
#   STACK_IDP_REALM     realm-stack.json beside this script
#   STACK_IDP_HOSTNAME  http://127.0.0.1:PORT, becomes the issuer prefix; "dynamic" = follow the Host header
#   STACK_IDP_ADMIN / STACK_IDP_ADMIN_PASSWORD   admin / admin-test-only (fixed when the template is made)
#   STACK_IDP_WAIT      180 seconds
#   MAVEN_OPTS=-Dmaven.repo.local=...  keeps the download out of ~/.m2
# Needs: bash, curl, java >= 17, mvn, unzip, sha256sum, flock.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tmp=${TMPDIR:-/tmp}
version=${STACK_IDP_VERSION:-26.7.3}
port=${STACK_IDP_PORT:-18080}
dir=${STACK_IDP_DIR:-$tmp/stack-idp-$port}
cache=${STACK_IDP_CACHE:-$tmp/stack-idp-cache}
realm=${STACK_IDP_REALM:-$here/realm-stack.json}
admin=${STACK_IDP_ADMIN:-admin}
admin_password=${STACK_IDP_ADMIN_PASSWORD:-admin-test-only}
base=http://127.0.0.1:$port
hostname=${STACK_IDP_HOSTNAME:-$base}
issuer=$hostname/realms/stack
[ "$hostname" = dynamic ] && issuer=$base/realms/stack
home=$cache/keycloak-$version
pidfile=$dir/pid

# First-tier JIT and the serial collector about halve the CPU time of a start on a small machine.
export JAVA_OPTS=${STACK_IDP_JAVA_OPTS:-"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xms128m -Xmx512m -XX:MaxMetaspaceSize=256m -XX:-UsePerfData -Djava.security.egd=file:/dev/urandom -Dfile.encoding=UTF-8"}

say() { echo "keycloak.sh: $*" >&2; }
alive() { [ -s "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null; }
db_url() { echo "jdbc:h2:file:$1/keycloakdb;NON_KEYWORDS=VALUE"; }

template_dir() { # keyed by everything that ends up in it
  local key
  key=$( { cat "$realm"; echo "$version $admin $admin_password"; } | sha256sum | cut -c1-16)
  echo "$cache/template-$key"
}

prepare() {
  mkdir -p "$cache"
  exec 9>"$cache/lock"; flock 9
  local zip=$cache/keycloak-quarkus-dist-$version.zip
  if [ ! -f "$home/.stack-built" ]; then
    if [ ! -f "$zip" ]; then
      say "fetching Keycloak $version through Maven (about 170 MB)"
      mvn -B -q -ntp org.apache.maven.plugins:maven-dependency-plugin:2.8:get \
        -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -Dtransitive=false >&2
      mvn -B -q -ntp org.apache.maven.plugins:maven-dependency-plugin:2.8:copy \
        -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -DoutputDirectory="$cache" >&2
    fi
    rm -rf "$home"; unzip -q -d "$cache" "$zip"
    say "building the server image"
    "$home/bin/kc.sh" build --db=dev-file >"$cache/build.log" 2>&1 || { tail -20 "$cache/build.log" >&2; exit 1; }
    touch "$home/.stack-built"; rm -f "$zip" # Maven's local repository still has it
  fi
  local tpl; tpl=$(template_dir)
  if [ ! -f "$tpl/keycloakdb.mv.db" ]; then
    say "importing $(basename "$realm") into a template database"
    local work=$tpl.new; rm -rf "$work"; mkdir -p "$work"
    KC_BOOTSTRAP_ADMIN_USERNAME=$admin KC_BOOTSTRAP_ADMIN_PASSWORD=$admin_password \
      "$home/bin/kc.sh" import --optimized --file "$realm" "--db-url=$(db_url "$work")" \
      >"$cache/import.log" 2>&1 || { tail -20 "$cache/import.log" >&2; exit 1; }
    rm -rf "$tpl"; mv "$work" "$tpl"
  fi
  flock -u 9; exec 9>&-
}

wait_up() {
  local end=$((SECONDS + ${STACK_IDP_WAIT:-180}))
  # the port opens only when database and realm are there (built without health checks)
  until curl -fsS -o /dev/null --max-time 5 "$base/realms/stack/.well-known/openid-configuration" 2>/dev/null; do
    alive || { say "not running; end of log:"; tail -20 "$dir/log" >&2 || true; exit 1; }
    [ $SECONDS -lt $end ] || { say "timed out"; tail -20 "$dir/log" >&2; exit 1; }
    sleep 0.2
  done
}

case "${1:-}" in
  prepare) prepare;;
  start|resume)
    if alive; then say "already running, pid $(cat "$pidfile")"; wait_up; echo "$issuer"; exit 0; fi
    prepare
    if [ "$1" = start ]; then
      rm -rf "$dir/db"; mkdir -p "$dir/db"
      cp "$(template_dir)/keycloakdb.mv.db" "$dir/db/"
    fi
    host_args=(--hostname="$hostname"); [ "$hostname" = dynamic ] && host_args=(--hostname-strict=false)
    nohup "$home/bin/kc.sh" start --optimized --http-enabled=true --http-host=127.0.0.1 \
      --http-port="$port" "${host_args[@]}" --cache=local "--db-url=$(db_url "$dir/db")" \
      >"$dir/log" 2>&1 </dev/null &
    echo $! >"$pidfile"
    wait_up
    echo "$issuer";;
  wait) wait_up; echo "$issuer";;
  stop)
    alive || { rm -f "$pidfile"; exit 0; }
    # kc.sh passes TERM on to the JVM and lives as long as it does
    p=$(cat "$pidfile"); child=$(pgrep -P "$p" || true); kill "$p"
    for _ in $(seq 200); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
    if kill -0 "$p" 2>/dev/null; then kill -9 $child "$p" 2>/dev/null || true; fi
    rm -f "$pidfile";;
  env)
    echo "STACK_IDP_ISSUER=$issuer"; echo "STACK_IDP_BASE=$base"
    echo "STACK_IDP_ADMIN=$admin"; echo "STACK_IDP_ADMIN_PASSWORD=$admin_password";;
  *) echo "usage: $0 prepare|start|resume|wait|stop|env" >&2; exit 2;;
esac
