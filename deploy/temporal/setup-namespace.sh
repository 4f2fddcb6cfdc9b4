#!/bin/sh
# Creates the namespace and the search attributes of Haulout, as far as they are missing. Takes TEMPORAL_ADDRESS,
# TEMPORAL_NAMESPACE and RETENTION, how long closed workflows are kept.
set -eu

# A new server answers before it is ready for these calls, so each is tried for up to two minutes.
insist() {
  tries=60
  until "$@"; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ]; then
      echo "gave up: $*" >&2
      exit 1
    fi
    sleep 2
  done
}

has_namespace() {
  temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1
}

create_namespace() {
  has_namespace || temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
}

has_attribute() {
  temporal operator search-attribute list | grep -q "^ *$1 "
}

create_attribute() {
  has_attribute "$1" || temporal operator search-attribute create --name "$1" --type Keyword
}

insist create_namespace
for attribute in MaintenanceState MaintenanceSite MaintenanceHost MaintenanceSession; do
  insist create_attribute "$attribute"
done
echo "namespace $TEMPORAL_NAMESPACE is ready"
