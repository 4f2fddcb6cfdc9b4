"""The hypervisor of the bed: Nova's own fake driver, with hosts of a known size and knobs.

The knobs are read again for every use, from $BED/run/knobs.json:

    {"lm_seconds": 0.5,
     "hosts": {"compute-3": {"fail_pre": true}},
     "servers": {"web-1": {"lm_seconds": 60, "fail_lm": 1}}}

lm_seconds  how long a live migration takes, beside what Nova itself takes (default 0.5)
fail_lm     so many live migrations of the server fail half way, counted by each source
fail_pre    the destination refuses when it is asked to prepare
fail_check  the destination refuses when it is asked whether it could

A server is named by name or id. The destination looks itself up under `hosts` for fail_pre and fail_check, and the
source for the others; what `servers` says of a server wins.

Unlike Nova's FakeLiveMigrateDriver, abort and force-complete strike one server and not all of the host, and the
migration record shows progress.
"""
import collections
import json
import os
import time

from nova import exception
from nova.virt import fake

KNOBS = os.path.join(os.environ['BED'], 'run', 'knobs.json')
POLL_SECONDS = 0.1


def knobs(host, instance):
    try:
        with open(KNOBS) as file:
            known = json.load(file)
    except (OSError, ValueError):
        known = {}
    found = {'lm_seconds': known.get('lm_seconds', 0.5), **known.get('hosts', {}).get(host, {})}
    for name in (instance.display_name, instance.uuid):
        found.update(known.get('servers', {}).get(name, {}))
    return found


class BedDriver(fake.FakeLiveMigrateDriver):
    # Seven servers of 2 GiB: Nova keeps 512 MiB for the host itself.
    vcpus = 16
    memory_mb = 16384
    local_gb = 1000

    def __init__(self, virtapi, read_only=False):
        super().__init__(virtapi, read_only)
        # What was asked of the live migrations that run, by server: None, 'abort' or 'force'.
        self._orders = {}
        # How often the live migration of a server has failed here as it was to.
        self._failures = collections.Counter()

    def check_can_live_migrate_destination(self, context, instance, *args, **kwargs):
        if knobs(self._host, instance).get('fail_check'):
            raise exception.MigrationPreCheckError(reason='fail_check on %s' % self._host)
        return super().check_can_live_migrate_destination(context, instance, *args, **kwargs)

    def pre_live_migration(self, context, instance, *args, **kwargs):
        if knobs(self._host, instance).get('fail_pre'):
            raise exception.MigrationPreCheckError(reason='fail_pre on %s' % self._host)
        return super().pre_live_migration(context, instance, *args, **kwargs)

    def live_migration(self, context, instance, dest, post_method, recover_method,
                       block_migration=False, migrate_data=None):
        self._orders[instance.uuid] = None
        try:
            ending = self._migrate(instance, migrate_data)
        finally:
            order = self._orders.pop(instance.uuid, None)
        if order == 'abort':
            recover_method(context, instance, dest, migrate_data, migration_status='cancelled')
        elif ending == 'failed':
            recover_method(context, instance, dest, migrate_data)
        else:
            post_method(context, instance, dest, block_migration, migrate_data)

    def _migrate(self, instance, migrate_data):
        """Lets the time pass that a migration takes, or until an order comes."""
        started = time.time()
        shown = 0
        while self._orders[instance.uuid] is None:
            wishes = knobs(self._host, instance)
            seconds = wishes['lm_seconds']
            elapsed = time.time() - started
            if self._failures[instance.uuid] < wishes.get('fail_lm', 0) and elapsed >= seconds / 2:
                self._failures[instance.uuid] += 1
                return 'failed'
            if elapsed >= seconds:
                return 'done'
            if elapsed - shown >= 1:
                shown = elapsed
                self._show_progress(instance, migrate_data, elapsed / seconds)
            time.sleep(min(POLL_SECONDS, seconds - elapsed))
        return 'ordered'

    def _show_progress(self, instance, migrate_data, share):
        if migrate_data is None or not migrate_data.obj_attr_is_set('migration'):
            return
        record = migrate_data.migration
        record.memory_total = instance.flavor.memory_mb << 20
        record.memory_processed = int(record.memory_total * share)
        record.memory_remaining = record.memory_total - record.memory_processed
        record.disk_total = record.disk_processed = record.disk_remaining = 0
        record.save()

    def live_migration_abort(self, instance):
        self._order(instance, 'abort')

    def live_migration_force_complete(self, instance):
        self._order(instance, 'force')

    def _order(self, instance, order):
        if instance.uuid in self._orders:
            self._orders[instance.uuid] = order

    def get_host_uptime(self):
        with open('/proc/uptime') as file:
            days = int(float(file.read().split()[0])) // 86400
        return '%s up %d days, 1 user, load average: 0.00, 0.00, 0.00' % (time.strftime('%H:%M:%S'), days)
