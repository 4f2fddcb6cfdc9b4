#!/usr/bin/env bash
# Nothing of the bed runs. With --wipe it also forgets what was installed.
set -euo pipefail
. "$(dirname "$0")/env.sh"

if [ "${1:-}" = --wipe ]; then rm -rf "$BED"; fi
