#!/usr/bin/env bash
# Stops, kills or starts single services of a bed that is up: service.sh start|stop|kill NAME...
# NAME is that of the program. `start` waits until it answers.
set -euo pipefail
. "$(dirname "$0")/env.sh"
. "$(dirname "$0")/../processes.sh"
. "$(dirname "$0")/services.sh"

action=$1
shift
for name in "$@"; do
  case $action in
    start) launch "$name" && await_service "$name" ;;
    stop) stop "$name" ;;
    kill) stop "$name" KILL ;;
    *) echo "no such action: $action" >&2 && exit 2 ;;
  esac
done
