"""Takes a host out and puts it back with the vendor's SDK, as its documents show, and looks at everything there is.

Each answer is checked against the models of the SDK, and what does not fit is raised. What was seen goes to standard output as one
JSON object. Address, user, password and source of the user are in TOWER_URL, TOWER_USER, TOWER_PASSWORD and TOWER_SOURCE;
the host to take out is in TOWER_HOST.
"""

import json
import os
import time

from cloudtower import (
    ApiClient,
    ClusterApi,
    Configuration,
    HostApi,
    LabelApi,
    TaskApi,
    VmApi,
    VmPlacementGroupApi,
)
from cloudtower import models
from cloudtower.exceptions import ApiException
from cloudtower.utils import login, wait_task

INTERVAL = 0.1


class CheckingClient(ApiClient):
    """The SDK checks what an answer has, and not what it lacks; and it takes any text for an enumeration."""

    def deserialize(self, response, response_type):
        answer = super().deserialize(response, response_type)
        check(answer)
        return answer


def check(value):
    if isinstance(value, list):
        for one in value:
            check(one)
    for name, kind in getattr(value, "openapi_types", {}).items():
        part = getattr(value, name)
        # Setting refuses nothing where something is required.
        setattr(value, name, part)
        allowed = getattr(getattr(models, kind, None), "allowable_values", None)
        if allowed and part is not None and part not in allowed:
            raise ValueError(f"{type(value).__name__}.{name} is {part}")
        check(part)


configuration = Configuration(host=os.environ["TOWER_URL"] + "/v2/api")
client = CheckingClient(configuration)
hosts, vms, labels = HostApi(client), VmApi(client), LabelApi(client)


def done(answer):
    """Waits for the task of each part of an answer."""
    for part in answer if isinstance(answer, list) else [answer]:
        if part.task_id is not None:
            wait_task(part.task_id, client, interval=INTERVAL, timeout=60)
    return answer


def refusal_of(call, *args):
    try:
        call(*args)
    except ApiException as error:
        return {"status": error.status, **json.loads(error.body)}
    raise AssertionError("it was not refused")


def host_named(name):
    (found,) = hosts.get_hosts({"where": {"name": name}})
    return found


def states():
    """Where each VM is, and whether it runs."""
    return {vm.name: [vm.host.name, vm.status] for vm in vms.get_vms({"orderBy": "name_ASC"})}


def take_out(host_id):
    """The first half of the sample: what has to be shut down is known from the pre-check."""
    task = hosts.enter_maintenance_mode_pre_check({"where": {"id": host_id}})
    while True:
        result = hosts.enter_maintenance_mode_precheck_result({"where": {"task_id": task.task_id}})
        if result.done:
            break
        time.sleep(INTERVAL)
    shutdown = [vm.vm_uuid for vm in result.shutdown_vms]
    done(hosts.enter_maintenance_mode({"where": {"host_id": host_id}, "data": {"shutdown_vms": shutdown}}))
    return len(shutdown)


def put_back(host_id):
    """The second half: what to power on and to move back is known from another pre-check."""
    result = hosts.exit_maintenance_mode_precheck_result({"where": {"id": host_id}})
    lists = {
        "poweron_vms": result.shut_down_vms,
        "live_migrate_back_vms": result.live_migrate_vms,
        "offline_migrate_back_vms": result.offline_migrate_vms,
    }
    data = {name: [vm.vm_uuid for vm in listed] for name, listed in lists.items()}
    done(hosts.exit_maintenance_mode({"where": {"host_id": host_id}, "data": data}))
    return {name: sorted(vm.vm_name for vm in listed) for name, listed in lists.items()}


def label_round(host_id):
    (made,) = done(labels.create_label([{"key": "rack", "value": "12"}]))
    where = {"where": {"id": made.data.id}, "data": {"hosts": {"id": host_id}}}
    done(labels.add_labels_to_resources(where))
    on_it = [label.value for label in hosts.get_hosts({"where": {"id": host_id}})[0].labels]
    uses = labels.get_labels({"where": {"key": "rack"}})[0].total_num
    done(labels.remove_labels_from_resources(where))
    done(labels.delete_label({"where": {"id": made.data.id}}))
    return [on_it, uses, len(labels.get_labels({"where": {"key": "rack"}}))]


def vm_round(name, target):
    where = {"where": {"name": name}}
    (moved,) = done(vms.migrate_vm({**where, "data": {"host_id": target.id}}))
    place = vms.get_vms(where)[0].host.name
    done(vms.shut_down_vm(where))
    off = vms.get_vms(where)[0].status
    done(vms.start_vm(where))
    return [moved.data.name, place, off, vms.get_vms(where)[0].status]


unknown_token = refusal_of(hosts.get_hosts, {})
login(client, os.environ["TOWER_USER"], os.environ["TOWER_PASSWORD"], os.environ["TOWER_SOURCE"])
host = host_named(os.environ["TOWER_HOST"])
before = states()
stopped = take_out(host.id)
inside = {"state": host_named(host.name).host_state.state, "vms": states()}
given = put_back(host.id)
report = {
    "unknownToken": unknown_token,
    "unknownHost": refusal_of(hosts.enter_maintenance_mode_pre_check, {"where": {"id": "no-such-host"}}),
    "clusters": [cluster.name for cluster in ClusterApi(client).get_clusters({})],
    "hosts": [one.name for one in hosts.get_hosts({})],
    "groups": [group.name for group in VmPlacementGroupApi(client).get_vm_placement_groups({})],
    "before": before,
    "stopped": stopped,
    "inside": inside,
    "given": given,
    "state": host_named(host.name).host_state.state,
    "after": states(),
    "label": label_round(host.id),
    "vm": vm_round("web", next(one for one in hosts.get_hosts({}) if one.name != host.name)),
    "tasks": sorted({task.status for task in TaskApi(client).get_tasks({})}),
}
print(json.dumps(report))
