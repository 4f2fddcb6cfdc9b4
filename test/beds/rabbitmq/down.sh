#!/usr/bin/env bash
# Stops what up.sh has started. With --wipe it also forgets all state, the Python environment too.
set -euo pipefail
. "$(dirname "$0")/env.sh"
. "$(dirname "$0")/../processes.sh"

stop rabbitmq
stop epmd
if [ "${1:-}" = --wipe ]; then rm -rf "$BED"; fi
