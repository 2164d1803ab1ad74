# ISC licence, see LICENSE.
"""CONFORMANCE.md: what is asked of our server and what our suite says of the same tree, clause by clause."""
import json, os, re, subprocess

import clauselist, ours

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
OUTCOMES = os.path.join(ROOT, 'bin', 'test-outcomes')

def key(*options):
    return subprocess.run(['sh', os.path.join(ROOT, 'tests', 'tools', 'tree-key'), *options], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()


def named(clauses):
    """The tests of our suite that the list names: {"folder/file:name": (path, function)}."""
    return {n: ('tests/%s_test.sh' % n.split(':')[0], 'test_' + n.split(':')[1])
            for kind, c in clauses if kind == 'clause' for n in c['suite']}


def outcomes(clauses):
    """What the suite says of them, of this tree: {"folder/file:name": "passed", "skipped" or "failed"}; the rest did not run."""
    now, kept = key(), {}
    try:
        with open(OUTCOMES) as f:
            for line in f:
                k, outcome, path, test = line.split()
                if k == now and kept.get((path, test)) != 'failed':
                    kept[path, test] = outcome
    except FileNotFoundError:
        pass
    return {n: kept[where] for n, where in named(clauses).items() if where in kept}


def run_suite(clauses):
    """Run the files of named tests that have not run with this tree. Returns what the suite then says."""
    got = outcomes(clauses)
    missing = sorted({path for n, (path, _) in named(clauses).items() if n not in got})
    if missing:
        print('== our suite: %d files' % len(missing), flush=True)
        subprocess.run(['sh', os.path.join(ROOT, 'tests', 'run'), *missing])
        got = outcomes(clauses)
    return got


def keep(directory, server, results):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, server + '.json'), 'w') as f:
        json.dump(dict(key=key('-r'), results=results), f)


def kept(directory):
    """{server: {test: result}} of this tree."""
    found, now = {}, key('-r')
    for server in ours.MODES:
        try:
            with open(os.path.join(directory, server + '.json')) as f:
                got = json.load(f)
        except FileNotFoundError:
            continue
        if got['key'] == now:
            found[server] = got['results']
    return found


def merge(passes):
    """The results of one server in several modes: the worst of each test, where "n/a" is worse than "yes"."""
    rank = {'no': 0, 'n/a': 1, 'yes': 2}
    merged = {}
    for p in passes:
        for name, r in p.items():
            if name not in merged or rank[r['verdict']] < rank[merged[name]['verdict']]:
                merged[name] = r
    return merged


def wrong_list(clauses):
    """What is wrong with the list: tests of our suite that do not exist, clauses that are missing, twice or without a test."""
    wrong, ids = [], []
    for kind, c in clauses:
        if kind != 'clause':
            continue
        ids.append(c['id'])
        for n in c['suite']:
            path, test = named([(kind, c)])[n]
            try:
                with open(os.path.join(ROOT, path)) as f:
                    there = re.search(r'^%s\(\)' % re.escape(test), f.read(), re.M)
            except OSError:
                there = None
            if not there:
                wrong.append('%s: %s has no %s' % (c['id'], path, test))
        if c['answer'] in clauselist.SHOWN and not c['suite'] and not c['wire']:
            wrong.append('%s: "%s" without a test' % (c['id'], c['answer']))
        if c['expected'] and c['answer'] not in ('no', 'partly'):
            wrong.append('%s: "%s", and a no is expected' % (c['id'], c['answer']))
        if c['answer'] != 'yes' and not c['remark']:
            wrong.append('%s: "%s" without a remark' % (c['id'], c['answer']))
    need = ['A%d' % i for i in range(1, 12)] + ['F1'] + ['S%d' % i for i in range(1, 27)] + ['D%d' % i for i in range(1, 64)]
    wrong += ['%s is not in the list' % i for i in need if i not in ids]
    wrong += ['%s stands twice' % i for i in sorted(set(ids)) if ids.count(i) > 1]
    return wrong


def judge(c, wire, suite):
    """Our answer to a clause, and why it is not the one that the list hopes for ("": it is). The list's answer stands only if
    every test that it names ran with this tree and said what it must; a test that is expected to say no must say so."""
    why, noes = [], []
    for n in c['wire']:
        verdict = wire[n]['verdict'] if n in wire else None
        if verdict is None:
            why.append(n + ' was not asked')
        elif n in c['expected'] and verdict == 'yes':
            why.append(n + ' says yes: the list expects a no')
        elif n not in c['expected'] and verdict == 'no':
            noes.append('%s: %s' % (n, wire[n]['why']))
        elif verdict == 'n/a':
            why.append('%s is not applicable: %s' % (n, wire[n]['why']))
    for n in c['suite']:
        outcome = suite.get(n, 'did not run')
        if outcome != 'passed':
            why.append(n + (' was ' if outcome == 'skipped' else ' ') + outcome)
    if noes:
        return 'no', '; '.join(noes)
    return ('not shown', '; '.join(why)) if why else (c['answer'], '')


def plain(text):
    """Remove what differs from run to run, and escape what would be markup."""
    text = re.sub(r'tok\d+-\d+-\d+z', 'TOKEN', text)
    text = re.sub(r'\b(queued as|message|id) [0-9A-Za-z]{8,}', r'\1 ID', text)
    text = text.replace('\n', '\\n').replace('\r', '\\r').replace('\0', '\\0')
    return text.replace('|', '\\|').replace('<', '&lt;')


POSTFIX = '## Postfix\'s noes'
HEAD = '''# Conformance

Each row is a clause of an RFC: what it wants, whether we do it, and the tests that show it. `make conformance` writes this
file; `make check` fails if it says something else than the code does.

The answers:

%(answers)s

This is the chain that is asked, through its ports, %(modes)s;
what it delivers is examined by the server at the socket `lmtp`:

%(chain)s

*Shown by* has two kinds of names. Only a test that ran with this tree and passed shows anything; the row needs all that it
names.

- `NAME` is the function NAME in tests/conformance/report/tests.py, asked of that chain. Tests about DATA are asked with BDAT
  too. `tests/conformance/report/run -n NAME ours` asks one.
- `FOLDER/FILE:NAME` is the function test_NAME in tests/FOLDER/FILE_test.sh, for what a client cannot see, or sees only in
  part. `sh tests/run tests/FOLDER/FILE_test.sh` runs the file.
- In *parentheses* stands a test that says no today, as the answer does.

The column *Postfix* is for comparison: the same tests, asked of Debian's Postfix as its master.cf proposes for submission.
Postfix has a queue and answers before it delivers, which some clauses do not expect. *not tested*: a client cannot see it.
The end of this page has the reason for each *no*.
'''


def markdown(clauses, results, suite):
    """CONFORMANCE.md, and what is "not shown": [(id, why)]. results: {server: {test: result}}; suite: what outcomes returns."""
    wire = merge([results[n] for n in ours.MODES if n in results])
    postfix = results.get('postfix')
    modes = list(ours.MODES.values())
    out = (HEAD % dict(answers='\n'.join('- **%s**: %s' % x for x in clauselist.ANSWERS.items()), modes=', '.join(modes[:-1]) + ' and ' + modes[-1],
                       chain='\n'.join('    ' + '  ' * (i > 0) + words + ' \\' * (i + 1 < len(ours.COMMAND))
                                       for i, words in enumerate(ours.COMMAND)))).split('\n')
    counts, missing, head = {}, [], False
    for kind, c in clauses:
        if kind == 'title':
            out += ['', '## ' + c, '']
            head = True
        elif kind == 'text':
            out.append(c)
        else:
            if head:
                out += [''] * (out[-1] != '') + ['| | clause | we | remark | shown by | Postfix |', '|---|---|---|---|---|---|']
                head = False
            answer, why = judge(c, wire, suite)
            if answer == 'not shown':
                missing.append((c['id'], why))
            counts[answer] = counts.get(answer, 0) + 1
            theirs = clauselist.verdict(c, postfix) if postfix else ''
            shown = ', '.join('(%s)' % n if n in c['expected'] else n for n in c['wire'] + c['suite'] if not n.endswith('_by_bdat'))
            out.append('| %s | %s %s | %s | %s | %s | %s |' % (c['id'], c['section'], plain(c['text']), answer,
                                                               plain(why or c['remark']), shown, theirs))
    out += ['', '## In numbers', '', 'Clauses: %s.' % ', '.join('%d %s' % (counts[a], a) for a in clauselist.ANSWERS if a in counts)]
    noes = [r for r in (postfix or {}).values() if r['verdict'] == 'no']
    if noes:
        version = subprocess.run(['/usr/sbin/postconf', '-dh', 'mail_version'], stdout=subprocess.PIPE, text=True).stdout.strip()
        out += ['', POSTFIX, '', 'Version %s.' % version, '']
        out += ['- %s (RFC %s): %s' % (r['test'], r['section'], plain(r['why'])) for r in noes]
    return re.sub(r'\n{3,}', '\n\n', '\n'.join(out) + '\n'), missing


def without_postfix(text):
    """The page without what another server says, by lines."""
    lines = text.split(POSTFIX)[0].rstrip().split('\n')
    return [line.rsplit(' | ', 1)[0] if re.match(r'\| [A-Z]+\d+ \| ', line) else line for line in lines]


def differences(path, clauses, results, suite):
    """Lines in which the file differs from what the code says today. What was skipped here is left out, and said."""
    text, missing = markdown(clauses, results, suite)
    skipped = {id for id, why in missing if all(re.match(r'\S+ was skipped\Z', w) for w in why.split('; '))}
    for id in sorted(skipped):
        print('%s is not compared: %s' % (id, dict(missing)[id]))
    try:
        with open(path) as f:
            old = without_postfix(f.read())
    except FileNotFoundError:
        old = []
    new = without_postfix(text)
    if skipped:     # the numbers count them
        old, new = ([line for line in lines if line.split(' | ')[0].strip('| ') not in skipped and not line.startswith('Clauses: ')]
                    for lines in (old, new))
    return ['- ' + line for line in old if line not in new] + ['+ ' + line for line in new if line not in old]
