#!/usr/bin/env python3
# ISC licence, see LICENSE.
"""What Python's email package makes of the authors. usage: read.py directory; writes directory/python-*"""
import email, email.header, email.policy, email.utils, os, re, sys


def clean(text, space):
    return re.sub(r'[\x00-\x1f\x7f-\x9f]', '?', re.sub(r'\s+', space, str(text).encode('utf-8', 'replace').decode()))


def old(message):
    value = message['from']
    return [] if value is None else email.utils.getaddresses([str(value)])


def parseaddr(message):
    value = message['from']
    return [] if value is None else [email.utils.parseaddr(str(value))]


def decoded(message):
    value = message['from']
    return [] if value is None else email.utils.getaddresses([str(email.header.make_header(email.header.decode_header(str(value))))])


def new(message):
    value = message['from']
    return [] if value is None else [(a.display_name, a.addr_spec) for a in value.addresses] + \
        [(g.display_name, '') for g in value.groups if g.display_name]


directory = sys.argv[1]
for name, policy, read in (('python-getaddresses', email.policy.compat32, old), ('python-parseaddr', email.policy.compat32, parseaddr),
                           ('python-decoded', email.policy.compat32, decoded), ('python-policy', email.policy.default, new)):
    with open(os.path.join(directory, name), 'w', encoding='utf-8') as out:
        for ident in sorted(os.listdir(os.path.join(directory, 'crlf'))):
            with open(os.path.join(directory, 'crlf', ident), 'rb') as f: data = f.read()
            try: boxes = read(email.message_from_bytes(data, policy=policy))
            except Exception: continue  # the parser of Debian 12 fails at some hostile fields
            out.write('%s\t%s\t%s\n' % (ident, ' '.join(clean(a, '?') for _, a in boxes if a), ' '.join(clean(n, ' ') for n, _ in boxes if n)))
