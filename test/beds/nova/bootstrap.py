"""What up.sh has to tell the services over their APIs. One step a call: bootstrap.py catalog|computes|seed.

Only the standard library is used, and every step may be repeated. Ports and the password come from the environment.
"""
import glob
import json
import os
import sys
import time
import urllib.error
import urllib.request

PASSWORD = os.environ['PASSWORD']
PORTS = {name: os.environ['P_' + name.upper()] for name in ('keystone', 'placement', 'glance', 'neutron', 'nova')}
URLS = {name: 'http://127.0.0.1:' + port for name, port in PORTS.items()}
KEYSTONE = URLS['keystone'] + '/v3'
NOVA = URLS['nova'] + '/v2.1'

PATIENCE_SECONDS = 120
# Name, vcpus, MiB of memory, GiB of disk.
FLAVORS = (('m1.tiny', 1, 512, 1), ('m1.small', 1, 2048, 20), ('m1.medium', 2, 4096, 40), ('m1.large', 4, 8192, 80))


def call(method, url, body=None, token=None, headers=None):
    """Returns (status, headers by lower-case name, body); JSON bodies are decoded, bytes are sent as they are."""
    sent = {'Accept': 'application/json', **(headers or {})}
    if token:
        sent['X-Auth-Token'] = token
    if isinstance(body, bytes):
        sent['Content-Type'] = 'application/octet-stream'
    elif body is not None:
        body = json.dumps(body).encode()
        sent['Content-Type'] = 'application/json'
    request = urllib.request.Request(url, data=body, headers=sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return decode(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        return decode(error.code, error.headers, error.read())


def decode(status, headers, content):
    decoded = json.loads(content) if content[:1] in (b'{', b'[') else content
    return status, {name.lower(): value for name, value in headers.items()}, decoded


def demand(status, *request, **options):
    """Calls, and returns the body; ends the program when the status is another one."""
    found, _headers, body = call(*request, **options)
    if found != status:
        raise SystemExit('%s %s: %s %s' % (*request[:2], found, body))
    return body


def until(what, condition):
    """Asks again and again until there is an answer; a service that does not listen yet has none."""
    deadline = time.time() + PATIENCE_SECONDS
    while time.time() < deadline:
        try:
            answer = condition()
            if answer:
                return answer
        except OSError:
            pass
        time.sleep(0.3)
    raise SystemExit('gave up waiting: ' + what)


def log_in():
    user = {'name': 'admin', 'domain': {'id': 'default'}, 'password': PASSWORD}
    body = {'auth': {'identity': {'methods': ['password'], 'password': {'user': user}},
                     'scope': {'project': {'name': 'admin', 'domain': {'id': 'default'}}}}}
    status, headers, answer = call('POST', KEYSTONE + '/auth/tokens', body)
    if status != 201:
        raise SystemExit('cannot log in: %s %s' % (status, answer))
    return headers['x-subject-token']


def catalog():
    """Registers the services, and the user they log in with to call each other."""
    token = log_in()

    def listed(what):
        return demand(200, 'GET', '%s/%s' % (KEYSTONE, what), token=token)[what]

    def ensure(what, singular, name, **fields):
        for one in listed(what):
            if one.get('name') == name:
                return one['id']
        body = {singular: {'name': name, **fields}}
        return demand(201, 'POST', '%s/%s' % (KEYSTONE, what), body, token=token)[singular]['id']

    wanted = {'placement': ('placement', URLS['placement']), 'image': ('glance', URLS['glance']),
              'network': ('neutron', URLS['neutron']), 'compute': ('nova', NOVA)}
    endpoints = {(one['service_id'], one['interface'], one['region_id']): one for one in listed('endpoints')}
    for kind, (name, url) in wanted.items():
        service = ensure('services', 'service', name, type=kind)
        for interface in ('public', 'internal'):
            known = endpoints.get((service, interface, 'RegionOne'))
            fields = {'interface': interface, 'url': url, 'service_id': service, 'region_id': 'RegionOne'}
            if not known:
                demand(201, 'POST', KEYSTONE + '/endpoints', {'endpoint': fields}, token=token)
            elif known['url'] != url:
                demand(200, 'PATCH', KEYSTONE + '/endpoints/' + known['id'], {'endpoint': {'url': url}}, token=token)
    project = ensure('projects', 'project', 'service', domain_id='default')
    user = ensure('users', 'user', 'svc', domain_id='default', password=PASSWORD)
    for role in (ensure('roles', 'role', 'admin'), ensure('roles', 'role', 'service')):
        demand(204, 'PUT', '%s/projects/%s/users/%s/roles/%s' % (KEYSTONE, project, user, role), token=token)


def computes():
    """Waits until all computes have reported; ends at once when one of them has died."""
    token = log_in()
    wanted = int(os.environ['HOSTS'])

    def all_up():
        for file in glob.glob(os.path.join(os.environ['BED'], 'run', 'compute-*.pid')):
            with open(file) as content:
                if not os.path.exists('/proc/' + content.read().split()[0]):
                    raise SystemExit('%s died, see its log' % os.path.basename(file)[:-4])
        status, _headers, body = call('GET', NOVA + '/os-services?binary=nova-compute', token=token)
        return status == 200 and sum(one['state'] == 'up' for one in body['services']) >= wanted

    until('for %s computes' % wanted, all_up)


def seed():
    """Flavors, an image, and whatever has to have happened once before Nova answers as it should."""
    token = log_in()
    known = {one['name'] for one in demand(200, 'GET', NOVA + '/flavors', token=token)['flavors']}
    for name, vcpus, memory, disk in FLAVORS:
        if name not in known:
            flavor = {'name': name, 'id': name, 'vcpus': vcpus, 'ram': memory, 'disk': disk}
            demand(200, 'POST', NOVA + '/flavors', {'flavor': flavor}, token=token)

    images = URLS['glance'] + '/v2/images'
    until('for glance', lambda: call('GET', images, token=token)[0] == 200)
    if not demand(200, 'GET', images + '?name=tiny&status=active', token=token)['images']:
        image = {'name': 'tiny', 'disk_format': 'raw', 'container_format': 'bare', 'visibility': 'public'}
        made = demand(201, 'POST', images, image, token=token)
        demand(204, 'PUT', URLS['glance'] + made['file'], b'\0' * 512, token=token)

    # A fresh neutron-server answers 500 to GET /ports, and so Nova to GET /servers/ID, until some other query has made
    # its object mapper complete.
    until('for neutron', lambda: all(
        call('GET', '%s/v2.0/%s' % (URLS['neutron'], what), token=token)[0] == 200 for what in ('networks', 'ports')))
    # They are listed once the hosts are mapped into the cell.
    hypervisors = NOVA + '/os-hypervisors'
    until('for hypervisors', lambda: demand(200, 'GET', hypervisors, token=token)['hypervisors'])


{'catalog': catalog, 'computes': computes, 'seed': seed}[sys.argv[1]]()
