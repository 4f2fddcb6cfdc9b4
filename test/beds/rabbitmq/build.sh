#!/usr/bin/env bash
# Installs RabbitMQ from Debian and makes a Python environment with the real oslo.messaging, unless they are there. Only root
# can install packages of Debian.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for part in env ../packages ../venv; do . "$here/$part.sh"; done

packages=(rabbitmq-server)
python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
install_packages "${packages[@]}"
make_venv "$BED/venv" "$here/requirements.txt"
