# ISC licence, see LICENSE.
"""Our service, as a site would run it, made like examples/: users' addresses, rights and limits come from tables."""
import os, subprocess

USER, PASSWORD = 'alice@example.net', 'wonderland'
MODES = {'ours': 'with a process for each stage', 'resident': 'with resident stages', 'inline': 'with the stages in one process'}

SECURE = 'tlsd -c cert.pem -k key.pem'
LOGIN = 'authd -u users.cdb'
STAGES = ('limit -d counts -r 100000/86400', 'qualify -d example.net -u locals.cdb', 'rights -s senders.cdb', 'stamp')
DELIVERY = 'lmtp-inject ./lmtp'
COMMAND = 'tcpserver -HR 0 587', SECURE, LOGIN, 'submitd', *STAGES, DELIVERY     # what CONFORMANCE.md shows
ENVIRONMENT = dict(MSA_HOST='localhost', DATABYTES='1048576', MSA_SOLICIT='net.example:ADV')


def cdb(path, records):
    text = ''.join('+%d,%d:%s->%s\n' % (len(key), len(value), key, value) for key, value in records.items()) + '\n'
    subprocess.run(['cdb', '-c', path], input=text, text=True, check=True)


def files(directory):
    """All that the words of the command line name."""
    at = lambda name: os.path.join(directory, name)
    subprocess.run(['msa-passwd', at('users.cdb'), USER], input=PASSWORD + '\n', text=True, check=True)
    cdb(at('locals.cdb'), {'alice': '', 'bob': '', 'sales': ''})
    cdb(at('senders.cdb'), {USER: 'sales@example.net'})
    os.mkdir(at('counts'))
    os.mkdir(at('run'))


def start(service, mode):
    """Start it in service.dir, where the certificate and the next server's socket are. Returns both ports."""
    files(service.dir)
    env = dict(ENVIRONMENT, TMPDIR=service.dir)
    env['MSA_EHLO'] = subprocess.run([*DELIVERY.split()[:1], '-k', './lmtp'], cwd=service.dir, stdout=subprocess.PIPE, text=True,
                                     check=True).stdout
    message = [word for stage in (*STAGES, DELIVERY) for word in stage.split()]
    if mode == 'ours':
        # tcpserver writes its port once it listens.
        return [int(service.spawn(['tcpserver', '-1', '-HR', '-l', 'localhost', '-c', '1000', '127.0.0.1', '0', *secure,
                                   *LOGIN.split(), 'submitd', *message], env, said=True))
                for secure in (SECURE.split(), [*SECURE.split(), '-i'])]
    # A stage is started after the one that it calls. All clients have one address here: limits for tests, not for a site.
    if mode == 'inline':
        resident(service, env, 'submit', ['inline', 'submitd'], ['-P', '1:1100', *message])
    else:
        after = []
        for name, words in [('inject', DELIVERY.split())] + [(s.split()[0], s.split()) for s in reversed(STAGES)]:
            resident(service, env, name, words[:1], words[1:] + after)
            after = ['call', './run/' + name]
        resident(service, env, 'submit', ['submitd'], ['-P', '1:1100', *after])
    resident(service, env, 'auth', LOGIN.split()[:1], ['-P', '1:1100', *LOGIN.split()[1:], 'call', './run/submit'])
    ports = []
    for more in ([], ['-i']):
        words = SECURE.split()
        said = ready(service, env, words[:1], ['-l', '127.0.0.1:0', *'-a 1000:1000 -e 1000 -m 1000'.split(), *words[1:], *more,
                                               'call', './run/auth'])
        ports.append(int(said.rsplit(':', 1)[1]))
    return ports


def ready(service, env, program, words):
    """Start it with -R, and wait for what it writes there when it takes calls."""
    r, w = os.pipe()
    service.spawn([*program, '-R', str(w), *words], env, pass_fds=[w])
    os.close(w)
    with os.fdopen(r) as f:
        line = f.readline()
    if not line:
        raise OSError('%s does not start: %s' % (program[-1], service.said()))
    return line


def resident(service, env, name, program, words):
    ready(service, env, program, ['-l', './run/' + name, *words])
