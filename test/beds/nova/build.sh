#!/usr/bin/env bash
# Installs the Debian packages of the bed, unless they are there. Only root can.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for part in env ../packages; do . "$here/$part.sh"; done

install_packages mariadb-server-core mariadb-client-core rabbitmq-server uwsgi-core uwsgi-plugin-python3 \
  keystone placement-api glance-api glance-common neutron-server neutron-common \
  nova-common nova-conductor nova-scheduler python3-pymysql python3-openstackclient
