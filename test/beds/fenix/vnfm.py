"""Tacker as a client of Fenix: its plug-in, and what takes the alarm of AODH, both as they are in Tacker. Around them is
what they need of the rest of Tacker: one VNF, which Heat scales.

    vnfm.py SETTINGS

SETTINGS is JSON, see `Settings` in tacker.ts. Takes commands on stdin, one a line, and answers each with a line of JSON:

    protect    what Tacker does when the VNF is created: its constraints are put
    release    what it does when the VNF is deleted
    requests   all that the plug-in has asked of the API so far: method, path, status

Says "listening" when alarms can come.
"""

import copy
import json
import logging
import socketserver
import sys
import threading
import traceback
import types
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from oslo_config import cfg
from tacker.alarm_receiver import AlarmReceiver
from tacker.plugins import fenix
import webob
import webob.dec

POLICY = "SP1"


class Vnfm:
    """What the plug-in needs of Tacker's VNFM: its database, its threads, and how it scales."""

    def __init__(self, settings):
        self.plugin = fenix.FenixPlugin()
        self.plugin.vim_client.get_vim = lambda context, vim_id: settings["vim"]
        self._vnf_action = types.SimpleNamespace(invoke=self.execute)
        self.vnf = settings["vnf"]
        self.lock = threading.Lock()
        self.threads = []

    def get_vnf(self):
        with self.lock:
            return copy.deepcopy(self.vnf)

    def _update_vnf_post(self, context, vnf_id, new_status, vnf_dict, *_):
        with self.lock:
            self.vnf = {**copy.deepcopy(vnf_dict), "status": new_status}

    def get_vnf_policies(self, context, vnf_id, filters):
        return [{"name": POLICY, "type": filters["type"]}]

    def spawn_n(self, function, *args):
        thread = threading.Thread(target=function, args=args)
        self.threads.append(thread)
        thread.start()

    def create_vnf_maintenance(self, body):
        """As Tacker's own does with the request that its receiver of alarms has made."""
        context = types.SimpleNamespace()
        maintenance = self.plugin.validate_maintenance(body)
        vnf = maintenance["vnf"] = self.get_vnf()
        self.plugin.handle_maintenance(self, context, maintenance)
        action = maintenance.get("policy_action")
        if action:
            self.execute(action["action"], "execute_action", self, context, vnf, action["args"])
        else:
            self.plugin.request(self, context, vnf, maintenance)

    def execute(self, name, method, plugin, context, vnf_dict, args):
        """Scales in or out as Tacker does: the reply is only sent when Heat is through."""
        assert name == "autoscaling", name
        scale = args["scale"]
        self.plugin.project_instance_pre(context, vnf_dict)

        def wait():
            heat = self.plugin._get_openstack_clients(context, vnf_dict).heat
            heat.resources.signal(vnf_dict["instance_id"], f"{scale['policy']}_scale_{scale['type']}")
            action = "delete" if scale["type"] == "in" else "update"
            self.plugin.update_vnf_instances(self, context, self.get_vnf(), action=action)

        self.spawn_n(wait)

    def settle(self):
        """Waits until nothing is under way any more."""
        while self.threads:
            self.threads.pop().join()


class Witness(logging.Handler):
    """Keeps what was asked of the API, as urllib3 logs it."""

    def __init__(self, port):
        super().__init__()
        self.port = port
        self.requests = []

    def emit(self, record):
        if isinstance(record.args, tuple) and len(record.args) == 8 and record.args[2] == self.port:
            _, _, _, method, path, _, status, _ = record.args
            self.requests.append({"method": method, "path": path, "status": status})


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def application(vnfm):
    @webob.dec.wsgify
    def create_maintenance(request):
        try:
            vnfm.create_vnf_maintenance(request.json)
        except Exception:
            traceback.print_exc()
            return webob.Response(status=500)
        return webob.Response(status=201)

    return AlarmReceiver(create_maintenance)


def configure(settings):
    # keystonemiddleware knows it only once it is told of a plug-in.
    cfg.CONF.register_opt(cfg.StrOpt("auth_url"), "keystone_authtoken")
    cfg.CONF([], project="tacker", default_config_files=[], default_config_dirs=[])
    cfg.CONF.set_override("auth_url", settings["keystone"], "keystone_authtoken")


def main():
    settings = json.loads(sys.argv[1])
    configure(settings)
    # It says at each alarm that this interface is going to be removed.
    logging.getLogger("tacker").setLevel(logging.ERROR)
    witness = Witness(settings["apiPort"])
    logger = logging.getLogger("urllib3.connectionpool")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(witness)
    vnfm = Vnfm(settings)
    server = make_server("127.0.0.1", settings["port"], application(vnfm), Server, Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps("listening"), flush=True)
    context = types.SimpleNamespace()
    commands = {
        "protect": lambda: vnfm.plugin.create_vnf_constraints(vnfm, context, vnfm.get_vnf()),
        "release": lambda: vnfm.plugin.delete_vnf_constraints(vnfm, context, vnfm.get_vnf()),
        "requests": lambda: None,
    }
    for line in sys.stdin:
        commands[line.strip()]()
        vnfm.settle()
        print(json.dumps(witness.requests), flush=True)


main()
