#!/usr/bin/env bash
# Stops the vcsimx that up.sh has started. With --wipe it also forgets all state, built programs too.
set -euo pipefail
. "$(dirname "$0")/env.sh"
. "$(dirname "$0")/process.sh"

stop
if [ "${1:-}" = --wipe ]; then rm -rf "$BED"; fi
