#!/usr/bin/env bash
# Starts a real RabbitMQ (Debian's) without systemd, beside a Python environment with the real oslo.messaging. What runs
# already is left as it is.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for part in env ../processes broker; do . "$here/$part.sh"; done

fail() {
  echo "$*" >&2
  exit 1
}

configure() {
  local tls=$here/../../drivers/tls
  configure_broker haulout
  cat >>"$ETC/rabbit/rabbitmq.conf" <<X
listeners.ssl.1 = 127.0.0.1:$P_AMQPS
ssl_options.cacertfile = $tls/cert.pem
ssl_options.certfile = $tls/cert.pem
ssl_options.keyfile = $tls/key.pem
X
}

mkdir -p "$ETC" "$VAR" "$LOG" "$RUN"
"$here/build.sh"
configure
launch_epmd
launch_broker "$NODE"
until_succeeds port_open "$P_AMQPS" || fail "RabbitMQ does not come up, see $LOG/rabbitmq.log"
cat >"$BED/bed.json" <<X
{
  "amqp": "amqp://haulout:haulout@127.0.0.1:$P_AMQP",
  "amqps": "amqps://haulout:haulout@127.0.0.1:$P_AMQPS",
  "python": "$BED/venv/bin/python"
}
X
