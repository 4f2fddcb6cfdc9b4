#!/usr/bin/env bash
# Stops, kills or starts single services of a bed that is up: service.sh start|stop|kill NAME...
# NAME is that of the program. `start` waits until it answers.
set -euo pipefail
. "$(dirname "$0")/env.sh"
. "$(dirname "$0")/../processes.sh"
. "$(dirname "$0")/services.sh"

steer "$@"
