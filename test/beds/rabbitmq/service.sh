#!/usr/bin/env bash
# Stops or starts the broker of a bed that is up: service.sh start|stop
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for part in env ../processes broker; do . "$here/$part.sh"; done

case ${1:-} in
  start) launch_broker "$NODE" && until_succeeds port_open "$P_AMQP" ;;
  stop) stop rabbitmq ;;
  *) echo "usage: $0 start|stop" >&2 && exit 2 ;;
esac
