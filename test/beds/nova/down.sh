#!/usr/bin/env bash
# Stops the bed: what up.sh and service.sh have started, and nothing else. With --wipe it also forgets all state.
set -euo pipefail
. "$(dirname "$0")/env.sh"
. "$(dirname "$0")/../processes.sh"

stop_all() { # NAME... at one time
  local name
  for name in "$@"; do stop "$name" & done
  wait
}

computes=$(cd "$RUN" 2>/dev/null && ls compute-*.pid 2>/dev/null | sed 's/\.pid$//') || true
# shellcheck disable=SC2086
stop_all $computes
stop_all nova-api nova-scheduler nova-conductor neutron glance
stop_all placement keystone rabbitmq
stop_all epmd mariadb
if [ "${1:-}" = --wipe ]; then rm -rf "$BED"; fi
