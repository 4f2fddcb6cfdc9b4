#!/usr/bin/env bash
# Stops, kills or starts single services of a bed that is up: service.sh start|stop|kill NAME...
# NAME is keystone, placement, nova-api, nova-conductor, nova-scheduler or compute-N. `start` waits for APIs to answer.
set -euo pipefail
. "$(dirname "$0")/env.sh"
. "$(dirname "$0")/../processes.sh"
. "$(dirname "$0")/../rabbitmq/broker.sh"
. "$(dirname "$0")/services.sh"

steer "$@"
