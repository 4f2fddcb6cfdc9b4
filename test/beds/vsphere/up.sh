#!/usr/bin/env bash
# Builds vcsimx and govc and starts vcsimx, unless it runs already. Needs Go.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/env.sh"
. "$here/process.sh"

fail() {
  echo "$1" >&2
  tail -n 50 "$BED/vcsimx.log" >&2
  exit 1
}

# Also when one runs: tests start others of their own.
"$here/build.sh"
if running; then exit 0; fi
rm -f "$BED/bed.json"
# shellcheck disable=SC2086
setsid nohup "$BED/bin/vcsimx" -listen "127.0.0.1:$PORT" -state "$BED" $ARGS >"$BED/vcsimx.log" 2>&1 </dev/null &
remember $!
for _ in $(seq 600); do
  if [ -e "$BED/bed.json" ]; then exit 0; fi
  running || fail 'vcsimx has ended'
  sleep 0.1
done
fail 'vcsimx does not come up'
