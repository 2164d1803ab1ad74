# ISC licence, see LICENSE.
"""The list of clauses, in the file clauses, whose first lines explain it."""
import os

import tests

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'clauses')
ANSWERS = {
    'yes': 'holds in the chain below, and in every chain that our stages make without an option that says otherwise.',
    'by option': 'holds where the operator asks for it, by the option, variable or stage that the remark names.',
    'by next hop': 'holds where the next server offers the extension; where it does not, neither do we.',
    'later': 'what the clause refuses is refused, but at a later command than the clause names; the remark says which.',
    'partly': 'the remark says what is missing.',
    'no': 'does not hold.',
    'unused': 'a MAY of which no use is made.',
    'n/a': 'concerns something else than this program.',
    'not shown': 'a test that the row rests on was skipped, failed or did not run: nobody may rely on the row.',
}
SHOWN = ('yes', 'by option', 'by next hop', 'later')   # answers that need a test


def read(path=PATH):
    """[("title", text) or ("text", text) or ("clause", dict)]. A clause's wire has the report's tests, expected those of them
    that say no today; suite the tests of our suite; answer and remark its last column."""
    found, used = [], set()
    known = {name for name, _, _, _ in tests.ALL}
    with open(path, encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip('\n')
            if line.startswith('#') or not line.strip():
                continue
            if line.startswith('= '):
                found.append(('title', line[2:]))
            elif line.startswith(': '):
                found.append(('text', line[2:]))
            else:
                cells = [c.strip() for c in line.split('|')]
                if len(cells) != 6:
                    raise SystemExit('%s:%d: %d columns, not 6' % (path, number, len(cells)))
                c = dict(zip(('id', 'section', 'text', 'wire', 'suite', 'remark'), cells))
                words = [] if c['wire'] == '-' else c['wire'].split()
                c['suite'] = [] if c['suite'] == '-' else c['suite'].split()
                c['wire'], c['expected'] = [], set()
                for w in words:
                    names = [n for n in (w.lstrip('!'), w.lstrip('!') + '_by_bdat') if n in known]
                    if not names:
                        raise SystemExit('%s: %s: no such test: %s' % (path, c['id'], w))
                    c['wire'] += names
                    c['expected'].update(names if w[0] == '!' else ())
                used.update(c['wire'])
                answer, colon, remark = c['remark'].partition(':')
                c['answer'] = answer if answer in ANSWERS and (colon or not remark) else 'yes'
                if c['answer'] != 'yes' or answer == 'yes':
                    c['remark'] = remark.strip()
                found.append(('clause', c))
    if known - used:
        raise SystemExit('%s: tests without a clause: %s' % (path, ' '.join(sorted(known - used))))
    return found


def expected(clauses):
    """The report's tests that say no to our server today."""
    return {n for kind, c in clauses if kind == 'clause' for n in c['expected']}


def verdict(c, results):
    """What a clause's tests say of any server: what only our suite can see does not count."""
    got = {results[n]['verdict'] for n in c['wire'] if n in results}
    if 'no' in got:
        return 'no'
    return 'not tested' if not got else got.pop() if len(got) == 1 else 'partly'
