#!/usr/bin/env bash
# Stops the bed: what up.sh and service.sh have started, and nothing else. It forgets its objects; with --wipe also keys
# and built programs.
set -euo pipefail
. "$(dirname "$0")/env.sh"
. "$(dirname "$0")/../processes.sh"

for name in kwok kube-scheduler kube-controller-manager kube-apiserver etcd; do stop "$name"; done
rm -rf "$VAR" "$LOG"/audit*.log
if [ "${1:-}" = --wipe ]; then rm -rf "$BED"; fi
