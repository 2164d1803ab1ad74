# ISC licence, see LICENSE.
"""The tests: each a function with one sentence for a name, that returns (yes), or raises No or NotApplicable.

@test("RFC section") registers it; those with a parameter how run twice where CHUNKING is offered: by DATA, and as
NAME_by_bdat. t is the Test (see report): t.connect(), t.hello() (greeting and EHLO), t.secure() (TLS and EHLO),
t.login() (all that, and AUTH), t.submit() and t.sink."""
import base64, email.utils, re, ssl, time

from client import No, NotApplicable, context

ALL = []                # (name, RFC section, function, how)
FORGED = [b'Received: from evil.example (evil.example [192.0.2.66])\r\n\tby mx%d.example with ESMTPSA id forged%d;'
          b'\r\n\tThu, 1 Jan 2026 00:00:0%d +0000\r\n' % (i, i, i) for i in range(5)]


def test(section):
    def register(f):
        if 'how' in f.__code__.co_varnames[:f.__code__.co_argcount]:
            ALL.append((f.__name__, section, f, 'DATA'))
            ALL.append((f.__name__ + '_by_bdat', section + '; 3030', f, 'BDAT'))
        else:
            ALL.append((f.__name__, section, f, None))
        return f
    return register


def want(condition, text):
    if not condition:
        raise No(text)


def offered(s, keyword):
    if keyword not in s.caps:
        raise NotApplicable('%s is not offered' % keyword)
    return s.caps[keyword]


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def accepted(r, what='the message'):
    if r.code // 100 != 2:
        raise No('%s: %s; wanted 250' % (what, r))


def alive(s):
    s.expect('NOOP', 250)


# --- greeting, EHLO, order -------------------------------------------------------------------------------------------

DOMAIN = rb'(?:\[[0-9A-Za-z.:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)'


@test('5321 4.2, 4.3.1')
def greeting_is_220_with_a_domain(t):
    s = t.connect(greet=False)
    r = s.greeting()
    want(re.match(DOMAIN + rb'(?: |$)', r.lines[0]), 'no domain in the greeting')


@test('5321 4.1.1.1')
def ehlo_reply_is_a_domain_and_keywords(t):
    s = t.hello()
    for r in [s.ehlo()] + ([t.secure().ehlo()] if not t.implicit else []):
        want(re.match(DOMAIN + rb'(?: |$)', r.lines[0]), 'no domain in the first line')
        names = []
        for line in r.lines[1:]:
            want(re.match(rb'[A-Za-z0-9][A-Za-z0-9-]*(?: [\x21-\x7e]+)* *\Z', line) or b'=' in line, 'no keyword: %r' % line)
            names.append(line.split()[0].upper())
        want(len(names) == len(set(names)), 'a keyword twice')


@test('5321 4.1.1.1')
def ehlo_without_argument_is_501(t):
    s = t.login()
    s.expect('EHLO', 501)
    alive(s)


@test('5321 4.1.4; 6409')
def ehlo_argument_is_never_a_reason(t):
    s = t.secure()
    for name in ('localhost', '[192.0.2.9]', '[IPv6:2001:db8::1]', 'no-such-host.invalid', 'x'):
        s.expect('EHLO ' + name, 250)


@test('5321 4.1.4')
def ehlo_at_any_time_resets(t):
    s = t.login()
    s.expect('MAIL FROM:<%s>' % t.sender, 250)
    s.expect('EHLO again.example', 250)
    s.expect('RCPT TO:<%s>' % t.rcpt(), 5)
    s.expect('MAIL FROM:<%s>' % t.sender, 250)


@test('5321 3.2')
def helo_is_answered(t):
    s = t.secure()
    r = s.expect('HELO client.example', 250)
    want(len(r.lines) == 1, 'more than one line')


@test('5321 4.1.1, 4.2.4')
def unknown_verb_is_500_or_502(t):
    s = t.login()
    s.expect('XYZZY', (500, 502))
    s.expect('MAILX FROM:<a@example.org>', (500, 502))
    alive(s)


@test('5321 2.4')
def verbs_and_keywords_in_any_case(t):
    s = t.secure()
    s.expect('eHlO client.example', 250)
    s = t.login()
    s.expect('mail from:<%s>' % t.sender, 250)
    s.expect('rCPt To:<%s>' % t.rcpt(), 250)
    s.expect('rset', 250)


@test('5321 4.1.4')
def commands_out_of_order_are_503(t):
    s = t.login()
    s.expect('RCPT TO:<%s>' % t.rcpt(), 503)
    s.expect('DATA', (503, 554))
    s.expect('MAIL FROM:<%s>' % t.sender, 250)
    s.expect('MAIL FROM:<%s>' % t.sender, 503)
    s.expect('DATA', (503, 554))


@test('5321 4.1.1.5, 4.1.1.9')
def rset_and_noop_are_250(t):
    s = t.login()
    s.expect('NOOP', 250)
    s.expect('NOOP any text', 250)
    s.expect('MAIL FROM:<%s>' % t.sender, 250)
    s.expect('RSET', 250)
    s.expect('RCPT TO:<%s>' % t.rcpt(), 503)
    s.expect('RSET now', 501)


@test('5321 3.5.3, 7.3')
def vrfy_expn_and_help_tell_nothing_false(t):
    s = t.login()
    s.expect('VRFY nobody-knows-me', (252, 502, 550, 553))
    s.expect('EXPN list', (252, 500, 502, 550))
    s.expect('HELP', (211, 214, 500, 502, 504))


@test('5321 4.1.1.10; 8446 6.1')
def quit_is_221_and_a_clean_end(t):
    s = t.login()
    s.expect('QUIT', 221)
    want(s.is_over(), 'the connection stays open')
    want(s.ended != 'truncated' and s.ended != 'reset', 'TLS ends without close_notify (%s)' % s.ended)


@test('5321 4.5.3.1.4')
def command_line_of_512_octets_is_read(t):
    s = t.login()
    s.expect('NOOP ' + 'x' * 505, 250)


@test('5321 4.5.3.1.9')
def a_longer_command_line_is_500_and_one_error(t):
    s = t.login()
    s.send('NOOP ' + 'x' * 70000 + '\r\nNOOP\r\n')
    s.check(s.reply('NOOP'), (500, 421), what='a line of 70,007 octets')
    s.check(s.reply('NOOP'), (250, 421), what='NOOP behind it')


# --- STARTTLS --------------------------------------------------------------------------------------------------------

def clear(t):
    if t.implicit:
        raise NotApplicable('implicit TLS')
    return t.hello()


@test('3207 4')
def starttls_keyword_has_no_parameter(t):
    s = clear(t)
    want('STARTTLS' in s.caps, 'STARTTLS is not offered')
    want(not s.caps['STARTTLS'], 'STARTTLS has parameters')


@test('3207 4')
def starttls_is_220_and_tls_begins(t):
    s = clear(t)
    s.starttls()
    s.ehlo()


@test('3207 4')
def starttls_with_a_parameter_is_501_and_still_works(t):
    s = clear(t)
    s.expect('STARTTLS now', 501, '5.5.4')
    s.starttls()
    s.ehlo()


@test('3207 4')
def every_verb_before_tls_is_530(t):
    s = clear(t)
    if s.cmd('MAIL FROM:<%s>' % t.sender).code // 100 == 2:
        raise NotApplicable('TLS is not required')
    for line in ('MAIL FROM:<%s>' % t.sender, 'RCPT TO:<%s>' % t.rcpt(), 'DATA', 'RSET', 'AUTH PLAIN', 'VRFY a', 'HELP'):
        s.expect(line, 530, '5.7.0')
    s = clear(t)
    s.expect('NOOP', 250)
    s.expect('EHLO again.example', 250)
    s.expect('QUIT', 221)


@test('3207 4; 2034 4')
def before_tls_replies_have_enhanced_codes_where_offered(t):
    s = clear(t)
    if not s.enhanced:
        raise NotApplicable('ENHANCEDSTATUSCODES is not offered before TLS')
    for line in ('MAIL FROM:<%s>' % t.sender, 'NOOP', 'STARTTLS x', 'QUIT'):
        r = s.cmd(line)
        want(r.enhanced(), '%s: %s: no enhanced code' % (line, r))


@test('3207 4, 6; 2920')
def nothing_behind_starttls_in_the_packet_is_executed(t):
    for extra in ('NOOP\r\n', 'EHLO injected.example\r\nMAIL FROM:<%s>\r\n' % t.sender):
        s = clear(t)
        s.send('STARTTLS\r\n' + extra)
        s.check(s.reply('STARTTLS'), 220, what='STARTTLS')
        if s.buf:
            raise No('an answer in the clear to what came behind STARTTLS')
        try:
            s.handshake()
        except No:
            continue        # the server ends the connection: nothing was executed
        want(s.silent(), 'an answer within TLS to what came in the clear behind STARTTLS')
        r = s.cmd('RCPT TO:<%s>' % t.rcpt())
        want(r.code // 100 != 2, 'a MAIL command from before TLS counts: %s' % r)


@test('3207 4.1')
def nothing_but_a_handshake_is_answered_after_220(t):
    s = clear(t)
    s.expect('STARTTLS', 220)
    s.send('EHLO client.example\r\nMAIL FROM:<%s>\r\n' % t.sender)
    s.is_over(2)
    want(not re.search(rb'^[2345]\d\d[ -]', s.buf, re.M), 'an SMTP reply in the clear: %r' % s.buf[:60])


@test('3207 4.2')
def what_was_said_before_tls_is_forgotten(t):
    clear(t).close()
    heard = []
    for known in (False, True):
        s = t.connect()
        if known:
            s.ehlo('forgotten.example')
            s.cmd('MAIL FROM:<%s>' % t.sender)
        s.expect('STARTTLS', 220)
        s.handshake()
        codes = [s.cmd('RCPT TO:<%s>' % t.rcpt()).code, s.cmd('MAIL FROM:<%s>' % t.sender).code]
        s.send('AUTH PLAIN %s\r\n' % b64('\0%s\0%s' % (t.user, t.password)), hide=True)
        heard.append(codes + [s.reply('AUTH').code])
    want(heard[0] == heard[1], 'RCPT, MAIL, AUTH within TLS: %s; where something was said before: %s' % tuple(heard))
    want(heard[1][0] // 100 == 5, 'RCPT first within TLS: %d' % heard[1][0])


@test('3207 4.2; 4954 4')
def auth_is_offered_only_within_tls(t):
    if not t.implicit:
        s = clear(t)
        want('AUTH' not in s.caps, 'AUTH is offered in the clear')
    s = t.secure()
    want('AUTH' in s.caps, 'AUTH is not offered within TLS')


@test('3207 4.2')
def starttls_is_not_offered_and_refused_within_tls(t):
    s = t.secure()
    want('STARTTLS' not in s.caps, 'STARTTLS is offered within TLS')
    s.expect('STARTTLS', 5)
    alive(s)
    s = t.login()
    s.expect('STARTTLS', 5)
    alive(s)


@test('8314 4.2; 3207 5.1')
def no_client_certificate_is_asked_for_in_vain(t):
    seen = []
    ctx = context()
    if not hasattr(ctx, '_msg_callback'):
        raise NotApplicable('this Python shows no handshake')
    ctx._msg_callback = lambda conn, direction, version, kind, message, data: seen.append((direction, int(message)))
    s = t.connect(implicit=False)
    if t.implicit:
        s.handshake(ctx)
        s.greeting()
    else:
        s.ehlo()
        s.starttls(ctx)
    s.ehlo()
    if not seen:
        raise NotApplicable('this Python shows no handshake')
    want(('read', 13) not in seen or 'EXTERNAL' in s.caps.get('AUTH', []), 'a certificate is asked for, EXTERNAL is not offered')


@test('8314 4.1; 8996')
def tls_1_2_or_later_and_nothing_older(t):
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        s = t.connect(implicit=False)
        try:
            if not t.implicit:
                s.ehlo()
                s.starttls(context(version))
            else:
                s.handshake(context(version))
        except No as e:
            if 'handshake' not in str(e):
                raise
            continue
        raise No('%s is taken' % s.tls)
    s = t.secure()
    want(s.tls in ('TLSv1.2', 'TLSv1.3'), s.tls)


# --- AUTH ------------------------------------------------------------------------------------------------------------

def plain(t):
    s = t.secure()
    if 'PLAIN' not in offered(s, 'AUTH'):
        raise NotApplicable('PLAIN is not offered')
    return s


@test('4954 4')
def auth_in_the_clear_is_refused_before_a_credential_is_read(t):
    s = clear(t)
    r = s.cmd('AUTH PLAIN')
    want(r.code // 100 == 5, 'AUTH in the clear: %s' % r)


@test('4954 4; 4616')
def auth_plain_with_initial_response(t):
    s = plain(t)
    s.send('AUTH PLAIN %s\r\n' % b64('\0%s\0%s' % (t.user, t.password)), hide=True)
    s.check(s.reply('AUTH'), 235, '2.7.0', 'AUTH PLAIN')


@test('4954 4; 4616')
def auth_plain_without_initial_response(t):
    s = plain(t)
    s.expect('AUTH PLAIN', 334)
    s.check(s.cmd(b64('\0%s\0%s' % (t.user, t.password)), hide=True, verb='AUTH'), 235, '2.7.0', 'AUTH PLAIN')


@test('4954 4')
def an_equals_sign_is_an_empty_initial_response(t):
    s = plain(t)
    s.expect('AUTH PLAIN =', 5)         # an empty PLAIN message is wrong; no 334
    alive(s)


@test('4954 4')
def auth_cancelled_by_an_asterisk_is_501(t):
    s = plain(t)
    s.expect('AUTH PLAIN', 334)
    s.check(s.cmd('*', verb='AUTH'), 501, what='*')
    alive(s)


@test('4954 4')
def bad_base64_is_501(t):
    s = plain(t)
    for line in ('AUTH PLAIN ???', 'AUTH PLAIN AGE=x'):
        s.expect(line, 501)
    s.expect('AUTH PLAIN', 334)
    s.check(s.cmd('not base64!', verb='AUTH'), 501, what='not base64!')
    alive(s)


@test('4954 4')
def unknown_mechanism_is_504(t):
    s = plain(t)
    s.expect('AUTH X-NOT-KNOWN', 504, '5.5.4')
    s.expect('AUTH', 501)


@test('4954 4')
def auth_line_of_12288_octets_is_read(t):
    s = plain(t)
    s.expect('AUTH PLAIN', 334)
    # well-formed base64, 12,288 octets with CR LF: refused for what it says, not for its length
    r = s.cmd('QUFB' * 3071 + 'QQ', verb='AUTH')
    want(r.code // 100 in (4, 5) and r.code != 500, 'a response of 12,288 octets: %s' % r)


@test('4954 4, 6')
def a_longer_auth_line_is_500_5_5_6(t):
    s = plain(t)
    s.expect('AUTH PLAIN', 334)
    r = s.cmd('QUFB' * 5000, verb='AUTH')
    s.check(r, 500, '5.5.6', 'a response of 20,002 octets')


@test('4954 6')
def wrong_password_is_535(t):
    s = plain(t)
    s.send('AUTH PLAIN %s\r\n' % b64('\0%s\0%s' % (t.user, 'not ' + t.password)), hide=True)
    s.check(s.reply('AUTH'), 535, '5.7.8', 'AUTH PLAIN')


@test('6409 7; 4954 9')
def unknown_user_and_wrong_password_hear_the_same(t):
    heard = []
    for user, password in ((t.user, 'not ' + t.password), ('nobody-' + t.user, t.password)):
        s = plain(t)
        s.send('AUTH PLAIN %s\r\n' % b64('\0%s\0%s' % (user, password)), hide=True)
        r = s.reply('AUTH')
        want(r.code // 100 in (4, 5), 'AUTH: %s' % r)
        want(user not in r.text, 'the reply names the user')
        heard.append(str(r))
    want(heard[0] == heard[1], 'two replies: %s' % heard)


@test('6409 7')
def before_auth_nothing_tells_who_is_known(t):
    """A command about the user hears the same as one about nobody, but for the name that it gave itself."""
    heard = []
    for name in (t.sender, 'nobody-' + t.sender):
        s = t.secure()
        replies = [s.cmd(line % name) for line in ('VRFY %s', 'EXPN %s', 'MAIL FROM:<%s>', 'RCPT TO:<%s>', 'HELP %s')]
        heard.append([str(r).replace(name, 'NAME') for r in replies])
    want(heard[0] == heard[1], 'of a user: %s; of nobody: %s' % tuple(heard))


@test('4954 4; 4616 2')
def nobody_acts_for_somebody_else(t):
    s = plain(t)
    s.send('AUTH PLAIN %s\r\n' % b64('other-%s\0%s\0%s' % (t.user, t.user, t.password)), hide=True)
    s.check(s.reply('AUTH'), 5, what='AUTH PLAIN for another identity')


@test('4954 4')
def a_second_auth_is_503(t):
    s = t.login()
    s.send('AUTH PLAIN %s\r\n' % b64('\0%s\0%s' % (t.user, t.password)), hide=True)
    s.check(s.reply('AUTH'), 503, what='AUTH')


@test('6409 4.3; 4954 6')
def mail_without_auth_is_530(t):
    t.secure().expect('MAIL FROM:<%s>' % t.sender, 530, '5.7.0')


@test('4954 6')
def without_auth_all_but_the_named_verbs_is_530(t):
    s = t.secure()
    for line in ('MAIL FROM:<%s>' % t.sender, 'RCPT TO:<%s>' % t.rcpt(), 'DATA', 'VRFY a'):
        s.expect(line, 530, '5.7.0')
    s.expect('NOOP', 250)
    s.expect('RSET', 250)
    s.expect('EHLO again.example', 250)
    s.expect('QUIT', 221)


@test('6409 9')
def nothing_is_taken_without_authorisation(t):
    s = t.secure()
    token = t.token()
    s.cmd('MAIL FROM:<%s>' % t.sender)
    r = s.cmd('RCPT TO:<%s>' % t.rcpt(token))
    want(r.code // 100 != 2, 'RCPT without AUTH: %s' % r)
    r = s.cmd('DATA')
    want(r.code // 100 != 3, 'DATA without AUTH: %s' % r)


@test('4954 5')
def auth_parameter_of_mail_is_taken(t):
    s = t.login()
    s.expect('MAIL FROM:<%s> AUTH=<>' % t.sender, 250)
    s.expect('RSET', 250)
    s.expect('MAIL FROM:<%s> AUTH=e+3Dmc2@example.com' % t.sender, 250)


# --- envelope --------------------------------------------------------------------------------------------------------

@test('6409 3.2; 5321 4.5.5')
def null_sender_is_accepted(t, how):
    s = t.login()
    token = t.token()
    accepted(t.submit(s, token, how=how, sender=''))
    if t.sink:
        m = t.sink.wait(token)
        want(m and re.match(rb'MAIL FROM:<>(?: |$)', m.mail, re.I), 'it does not arrive with a null reverse-path')


def path(line):
    """The path of MAIL or RCPT."""
    return re.search(rb':\s*<(.*)>(?: [^>]*)?\Z', line).group(1).decode()


def parameters(line):
    """The parameters of MAIL or RCPT: {keyword in upper case: value}."""
    words = line.rsplit(b'>', 1)[1].decode().split()
    return {w.split('=', 1)[0].upper(): w.split('=', 1)[1] if '=' in w else '' for w in words}


@test('6409 8.8; 5321 2.4')
def the_envelope_arrives_as_it_was(t, how):
    """Local parts octet for octet, domains in any case, each recipient once and in its place."""
    s = t.login()
    token = t.token()
    sent = ['%s.%s@%s' % (name, token, t.domain.upper()) for name in ("O'Hara+Tag", 'MixedCase', 'x=y', 'z')]
    accepted(t.submit(s, token, rcpts=sent, how=how))
    t.need_sink()
    want(t.sink.wait(token), 'it does not arrive')
    t.settle(lambda: sum(len(m.rcpts) for m in t.sink.messages if token.encode() in m.data) >= len(sent))
    came = [m for m in t.sink.messages if token.encode() in m.data]
    for m in came:
        want(path(m.mail) == t.sender, 'the reverse-path there: %r' % m.mail)
    got = [path(line) for m in came for line in m.rcpts]
    plain = [a.rsplit('@', 1)[0] + '@' + t.domain.lower() for a in sent]
    want(sorted(a.rsplit('@', 1)[0] + '@' + a.rsplit('@', 1)[-1].lower() for a in got) == sorted(plain), 'the recipients there: %s' % got)


@test('6409 6.1')
def a_sender_without_rights_is_refused(t, how):
    s = t.login()
    token = t.token()
    r = t.submit(s, token, sender='somebody.else@example.org', rcpts=[t.rcpt(token)], how=how)
    if r.code // 100 == 2:
        raise NotApplicable('everybody may send as anybody')
    s.check(r, 550, '5.7.1', 'the sender somebody.else@example.org')
    if t.sink:
        want(not t.sink.to(token, 0.3), 'it arrives')


def judge_unqualified(t, sender, rcpt, how):
    s = t.login()
    token = t.token()
    r = t.submit(s, token, sender=sender, rcpts=[rcpt], how=how)
    if r.code // 100 != 5:
        s.check(r, 250, what='the message')
        t.need_sink()       # accepted: then it must have become a whole domain
        m = t.sink.wait(token)
        want(m, 'it does not arrive')
        for line in [m.mail] + m.rcpts:
            path = re.search(rb'<(.*)>', line).group(1)
            want(re.search(rb'@[^@]+\.[^@.]+$', path), 'handed on: %r' % line)


@test('6409 4.2')
def envelope_address_without_domain_is_refused_or_completed(t, how):
    judge_unqualified(t, 'alice', t.rcpt(), how)
    judge_unqualified(t, t.sender, 'bob', how)


@test('6409 4.2')
def envelope_domain_of_one_label_is_refused_or_expanded(t, how):
    judge_unqualified(t, 'alice@squeaky', t.rcpt(), how)
    judge_unqualified(t, t.sender, 'bob@squeaky', how)


@test('5321 4.5.1')
def postmaster_needs_no_domain_in_any_case(t):
    s = t.login()
    s.expect('MAIL FROM:<%s>' % t.sender, 250)
    for name in ('postmaster', 'Postmaster', 'POSTMASTER'):
        s.expect('RCPT TO:<%s>' % name, 250)


BAD_PATHS = ('<a@b@example.org>', '<@example.org>', '<a b@example.org>', '<a@example..org>', '<.a@example.org>', '<a.@example.org>',
             '<a@-example.org>', '<a@example.org', '<"a@example.org>', '<a@[300.1.1.1]>', '<a@[IPv6:xyz]>')


@test('6409 5.1')
def illegal_addresses_in_rcpt_are_501(t):
    s = t.login()
    s.expect('MAIL FROM:<%s>' % t.sender, 250)
    for path in BAD_PATHS:
        s.expect('RCPT TO:' + path, 501)
        if path in BAD_PATHS[5:9:3]:        # errors are limited: a fresh start now and then
            s = t.login()
            s.expect('MAIL FROM:<%s>' % t.sender, 250)


@test('6409 5.1')
def illegal_addresses_in_mail_are_501(t):
    for some in (BAD_PATHS[:6], BAD_PATHS[6:]):
        s = t.login()
        for path in some:
            s.expect('MAIL FROM:' + path, 501)


@test('5321 4.1.2, 4.1.3')
def lawful_addresses_are_taken(t):
    s = t.login()
    s.expect('MAIL FROM:<%s>' % t.sender, 250)
    for path in ('bob+tag@%s', "o'neil@%s", '"b o b"@%s', '"b\\"o"@%s', '@relay.example:bob@%s', '!#$%%&*/=?^_`{|}~-@%s',
                 'x' * 64 + '@%s'):
        s.expect('RCPT TO:<%s>' % (path % t.domain), 250)
    s.expect('RCPT TO:<bob@[192.0.2.1]>', 250)
    s.expect('RCPT TO:<bob@[IPv6:2001:db8::1]>', 250)


@test('5321 4.5.3.1.8')
def a_hundred_recipients_are_taken(t, how):
    s = t.login()
    token = t.token()
    accepted(t.submit(s, token, rcpts=['r%d.%s@%s' % (i, token, t.domain) for i in range(100)], how=how))
    if t.sink:
        want(t.sink.wait(token), 'it does not arrive')
        t.settle(lambda: sum(len(m.rcpts) for m in t.sink.messages if token.encode() in m.data) >= 100)
        got = [r for m in t.sink.messages if token.encode() in m.data for r in m.rcpts]
        want(len(got) == 100 and len(set(got)) == 100, '%d recipients arrive' % len(got))


@test('5321 4.5.3.1.10')
def beyond_the_limit_recipients_are_452(t):
    s = t.login()
    s.expect('MAIL FROM:<%s>' % t.sender, 250)
    for start in range(0, 2000, 50):
        s.send(''.join('RCPT TO:<r%d@%s>\r\n' % (i, t.domain) for i in range(start, start + 50)), log=start == 0)
        for i in range(50):
            r = s.reply('RCPT')
            if r.code != 250:
                want(start + i >= 100, 'recipient %d: %s' % (start + i + 1, r))
                s.check(r, (452, 552), '4.5.3', 'recipient %d' % (start + i + 1))
                return
    raise NotApplicable('2,000 recipients are taken')


@test('5321 4.1.1.11; 6409 7')
def unknown_parameters_are_555(t):
    s = t.login()
    s.expect('MAIL FROM:<%s> XYZZY=1' % t.sender, 555)
    s.expect('MAIL FROM:<%s>' % t.sender, 250)
    s.expect('RCPT TO:<%s> XYZZY' % t.rcpt(), 555)


@test('1845; 6409 7')
def checkpoint_is_not_taken_where_not_offered(t):
    s = t.login()
    if 'CHECKPOINT' in s.caps:
        raise NotApplicable('CHECKPOINT is offered')
    s.expect('MAIL FROM:<%s> TRANSID=<12345@example.org>' % t.sender, 555)


@test('6409 7')
def conperm_conneg_and_burl_are_not_taken_where_not_offered(t):
    s = t.login()
    for keyword, line in (('CONPERM', 'MAIL FROM:<%s> CONPERM' % t.sender), ('CONNEG', 'RCPT TO:<%s> CONNEG' % t.rcpt())):
        if keyword not in s.caps:
            s.expect('MAIL FROM:<%s>' % t.sender, 250)
            if keyword == 'CONPERM':
                s.expect('RSET', 250)
            s.expect(line, 555)
            s.expect('RSET', 250)
    if 'BURL' not in s.caps:
        s.expect('BURL imap://example.org/x LAST', (500, 502))


@test('6409 7')
def etrn_atrn_and_turn_are_refused(t):
    s = t.login()
    for keyword in ('ETRN', 'ATRN', 'TURN'):
        want(keyword not in s.caps, '%s is offered' % keyword)
    for line in ('ETRN example.org', 'ATRN', 'TURN'):
        s.expect(line, (500, 502))


# --- extensions ------------------------------------------------------------------------------------------------------

@test('2920')
def a_whole_transaction_in_one_packet(t):
    s = t.login()
    offered(s, 'PIPELINING')
    token = t.token()
    s.send('NOOP\r\nMAIL FROM:<%s>\r\nRSET\r\nMAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n' % (
        t.sender, t.sender, t.rcpt('one.' + token), t.rcpt('two.' + token)))
    for verb, code in (('NOOP', 250), ('MAIL', 250), ('RSET', 250), ('MAIL', 250), ('RCPT', 250), ('RCPT', 250), ('DATA', 354)):
        s.check(s.reply(verb), code, what=verb)
    s.send(t.text(token) + b'.\r\nNOOP\r\nQUIT\r\n')
    s.check(s.reply('end of data'), 250, what='the message')
    s.check(s.reply('NOOP'), 250)
    s.check(s.reply('QUIT'), 221)
    if t.sink:
        want(t.sink.wait(token), 'it does not arrive')


@test('2920 3.2; 3030')
def a_whole_bdat_transaction_in_one_packet(t):
    s = t.login()
    offered(s, 'PIPELINING')
    offered(s, 'CHUNKING')
    token = t.token()
    text = t.text(token)
    s.send(b'MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nBDAT %d\r\n%sBDAT 0 LAST\r\nQUIT\r\n' % (
        t.sender.encode(), t.rcpt(token).encode(), len(text), text))
    for verb, code in (('MAIL', 250), ('RCPT', 250), ('BDAT', 250), ('BDAT', 250), ('QUIT', 221)):
        s.check(s.reply(verb), code, what=verb)
    if t.sink:
        want(t.sink.wait(token), 'it does not arrive')


@test('2034 4; 3463')
def enhanced_codes_on_every_reply_of_the_report(t):
    count = 0
    t.audit()
    for s, verb, r, on in t.all_replies():
        if not on or verb in ('greeting', 'EHLO', 'HELO', 'LHLO') or r.code // 100 == 3:
            continue
        count += 1
        for line in r.lines:
            m = re.match(rb'([245])\.\d{1,3}\.\d{1,3}(?: |$)', line)
            if not m or int(m.group(1)) != r.code // 100:
                t.lines[:] = ['C: %s' % verb, 'S: %s' % r]
                raise No('%s: %s' % (verb, r))
    if not any(on for _, _, _, on in t.all_replies()):
        raise NotApplicable('ENHANCEDSTATUSCODES is not offered')
    want(count > 20, 'not enough replies to judge by')


@test('2034 4')
def no_enhanced_code_on_greeting_ehlo_and_3yz(t):
    t.audit()
    for s, verb, r, on in t.all_replies():
        if verb in ('greeting', 'EHLO', 'HELO', 'LHLO') and r.code != 421 or r.code // 100 == 3:
            if re.match(rb'[2345]\.\d+\.\d+(?: |$)', r.lines[0]):
                t.lines[:] = ['C: %s' % verb, 'S: %s' % r]
                raise No('%s: %s' % (verb, r))


@test('6409 7; 1846')
def code_521_is_never_sent(t):
    """Not in the whole report, nor where the next server says it."""
    if t.sink:
        for step, how in ((x, y) for x in ('rcpt', 'data', 'end') for y in ('DATA', 'BDAT')):
            s = t.login()
            if how == 'DATA' or 'CHUNKING' in s.caps:
                r = t.submit(s, t.token(), rcpts=['reply-521-%s.%s@%s' % (step, t.token(), t.domain)], how=how)
                want(r.code != 521, 'the sink\'s 521 at %s goes through' % step)
    t.audit()
    for s, verb, r, on in t.all_replies():
        if r.code == 521:
            t.lines[:] = ['C: %s' % verb, 'S: %s' % r]
            raise No('%s: %s' % (verb, r))


@test('1870 4, 6')
def size_too_large_is_refused_at_mail(t):
    s = t.login()
    limit = offered(s, 'SIZE')
    if not limit or limit == ['0']:
        raise NotApplicable('no limit is told')
    s.expect('MAIL FROM:<%s> SIZE=%d' % (t.sender, int(limit[0]) + 1), 552, '5.3.4')
    s.expect('MAIL FROM:<%s> SIZE=1000' % t.sender, 250)


@test('1870 4; 5321 4.1.1.11')
def size_must_be_a_number(t):
    s = t.login()
    offered(s, 'SIZE')
    s.expect('MAIL FROM:<%s> SIZE=big' % t.sender, 501)
    s.expect('MAIL FROM:<%s> SIZE=' % t.sender, 501)


@test('1870 6.3; 5321 4.5.3.1.9')
def too_big_is_552_after_the_true_end(t, how):
    s = t.login()
    limit = offered(s, 'SIZE')
    if not limit or not 0 < int(limit[0]) <= 1 << 25:
        raise NotApplicable('no limit, or too large to try')
    token = t.token()
    r = t.submit(s, token, data=t.text(token) + b'x' * 76 + (b'\r\n' + b'y' * 76) * (int(limit[0]) // 78 + 10) + b'\r\n', how=how)
    s.check(r, 552, '5.3.4', 'a message beyond SIZE')
    alive(s)


@test('6152')
def eight_bits_arrive_as_they_are(t, how):
    s = t.login()
    offered(s, '8BITMIME')
    body = b''.join(bytes(range(128, 256)) + b'\r\n' for _ in range(20)) + 'Größe, 価格\r\n'.encode() + \
        b' leading\r\ntrailing \r\n\ttab\x01\x7f\r\n' + b'z' * 998 + b'\r\n\r\n\r\n'
    m = t.deliver(s, body=body, how=how, mail=' BODY=8BITMIME')
    want(m.body() == body, 'the body changes: %d octets become %d' % (len(body), len(m.body())))
    want(parameters(m.mail).get('BODY') == '8BITMIME', 'MAIL there: %r' % m.mail)


@test('6152 2; 5321 4.1.1.11')
def body_has_only_its_values(t):
    s = t.login()
    offered(s, '8BITMIME')
    s.expect('MAIL FROM:<%s> BODY=9BIT' % t.sender, (501, 555))
    s.expect('MAIL FROM:<%s> BODY=7BIT' % t.sender, 250)


@test('5321 4.5.2')
def dots_at_the_beginning_of_lines_arrive(t, how):
    s = t.login()
    body = b'.\r\n..\r\n.x\r\n...\r\nQUIT\r\n.\r\n'
    m = t.deliver(s, body=body, how=how)
    want(m.body() == body, 'the body becomes %r' % m.body()[:60])


@test('3030 2')
def chunks_are_counted_exactly(t):
    s = t.login()
    offered(s, 'CHUNKING')
    token = t.token()
    body = b'one\r\n.\r\nQUIT\r\nBDAT 5 LAST\r\n' + b'long line ' * 90 + b'\r\n'
    data = t.text(token, body=body)
    s.expect('MAIL FROM:<%s>' % t.sender, 250)
    s.expect('RCPT TO:<%s>' % t.rcpt(), 250)
    for i in range(0, len(data), 97):       # CR LF and dots fall on every edge
        s.send(b'BDAT %d\r\n' % len(data[i:i + 97]) + data[i:i + 97], log=i == 0)
        s.check(s.reply('BDAT'), 250, what='BDAT')
    s.expect('BDAT 0 LAST', 250)
    alive(s)
    t.need_sink()
    m = t.sink.wait(token)
    want(m and m.body() == body, 'it does not arrive as it was')


@test('3030 2')
def data_after_bdat_and_bdat_without_mail_are_503(t):
    s = t.login()
    offered(s, 'CHUNKING')
    s.send('BDAT 5\r\nabc\r\n')
    s.check(s.reply('BDAT'), (503, 554), what='BDAT without MAIL')
    s.expect('RSET', 250)
    s.expect('MAIL FROM:<%s>' % t.sender, 250)
    s.expect('RCPT TO:<%s>' % t.rcpt(), 250)
    s.send('BDAT 6\r\nA: b\r\n')
    s.check(s.reply('BDAT'), 250, what='BDAT')
    s.expect('DATA', 503)
    s.expect('RSET', 250)
    s.expect('MAIL FROM:<%s>' % t.sender, 250)


@test('3030 3')
def binarymime_arrives_as_it_is(t):
    s = t.login()
    offered(s, 'CHUNKING')
    offered(s, 'BINARYMIME')
    body = bytes(range(256)) * 3 + b'\n.\n\r.\r\r\n.\r\nx\r\n'
    m = t.deliver(s, body=body, how='BDAT', mail=' BODY=BINARYMIME',
                  fields=b'MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n')
    want(m.body() == body, 'the body changes')
    want(parameters(m.mail).get('BODY') == 'BINARYMIME', 'MAIL there: %r' % m.mail)


@test('3030 3')
def binarymime_by_data_is_503(t):
    s = t.login()
    offered(s, 'BINARYMIME')
    s.expect('MAIL FROM:<%s> BODY=BINARYMIME' % t.sender, 250)
    s.expect('RCPT TO:<%s>' % t.rcpt(), 250)
    s.expect('DATA', 503)


@test('3461 4')
def dsn_parameters_reach_the_next_server(t, how):
    s = t.login()
    offered(s, 'DSN')
    token = t.token()
    to = t.rcpt(token)
    accepted(t.submit(s, token, rcpts=[to], how=how, mail=' RET=HDRS ENVID=QQ' + token + '+2B1',
                      rcpt=' NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;b+2Bob@example.org'))
    t.need_sink()
    m = t.sink.wait(token)
    want(m, 'it does not arrive')
    got = parameters(m.mail)
    want(got.get('RET') == 'HDRS' and got.get('ENVID') == 'QQ' + token + '+2B1', 'MAIL there: %r' % m.mail)
    got = parameters(m.rcpts[0])
    want(set(got.get('NOTIFY', '').split(',')) == {'SUCCESS', 'FAILURE', 'DELAY'} and
         got.get('ORCPT') == 'rfc822;b+2Bob@example.org', 'RCPT there: %r' % m.rcpts[0])


@test('3461 4')
def wrong_dsn_parameters_are_501(t):
    s = t.login()
    offered(s, 'DSN')
    s.expect('MAIL FROM:<%s> RET=SOME' % t.sender, 501)
    s.expect('MAIL FROM:<%s> ENVID=a+ZZ' % t.sender, 501)
    s.expect('MAIL FROM:<%s> RET=FULL RET=HDRS' % t.sender, (501, 555))
    s.expect('MAIL FROM:<%s>' % t.sender, 250)
    s.expect('RCPT TO:<%s> NOTIFY=NEVER,SUCCESS' % t.rcpt(), 501)
    s.expect('RCPT TO:<%s> NOTIFY=SOMETIMES' % t.rcpt(), 501)
    s.expect('RCPT TO:<%s> ORCPT=bob' % t.rcpt(), 501)


@test('6531 3')
def smtputf8_arrives(t, how):
    s = t.login()
    offered(s, 'SMTPUTF8')
    token = t.token()
    to = 'почта.%s@%s' % (token, t.domain)
    text = t.text(token, fields=('To: <%s>\r\nX-Text: Größe\r\n' % to).encode(), to=False)
    accepted(t.submit(s, token, rcpts=[to], data=text, how=how, mail=' BODY=8BITMIME SMTPUTF8'))
    t.need_sink()
    m = t.sink.wait(token)
    want(m, 'it does not arrive')
    want('SMTPUTF8' in parameters(m.mail) and path(m.rcpts[0]) == to, 'the envelope there: %r %r' % (m.mail, m.rcpts))
    want(to.encode() in b''.join(m.field('to')), 'To there: %r' % m.field('to'))


@test('6531 3.5; 5321 2.3.11')
def non_ascii_addresses_need_smtputf8(t):
    s = t.login()
    s.expect('MAIL FROM:<%s>' % t.sender, 250)
    s.expect('RCPT TO:<почта@%s>' % t.domain, 5)
    alive(s)


def passed_on(t, how, keyword, parameter, bad=None, same=None):
    """The parameter of MAIL reaches the next server with its value, or with one that is the same by its meaning."""
    s = t.login()
    offered(s, keyword)
    if bad:
        s.expect('MAIL FROM:<%s> %s' % (t.sender, bad), 501)
        s.expect('RSET', 250)
    token = t.token()
    accepted(t.submit(s, token, how=how, mail=' ' + parameter))
    t.need_sink()
    m = t.sink.wait(token)
    want(m, 'it does not arrive')
    name, _, value = parameter.partition('=')
    got = parameters(m.mail).get(name)
    want(got is not None, 'the parameter is lost: %r' % m.mail)
    want(same(got) if same else got == value, '%s becomes %s=%s' % (parameter, name, got))


def some_seconds_less(mode, seconds):
    return lambda value: re.match(r'\d+%s\Z' % mode, value) and seconds - 15 <= int(value.split(';')[0]) <= seconds


@test('2852')
def deliverby_is_passed_on(t, how):
    passed_on(t, how, 'DELIVERBY', 'BY=3600;R', 'BY=soon', some_seconds_less(';R', 3600))
    passed_on(t, how, 'DELIVERBY', 'BY=7200;NT', same=some_seconds_less(';NT', 7200))


@test('6710')
def mt_priority_is_passed_on(t, how):
    passed_on(t, how, 'MT-PRIORITY', 'MT-PRIORITY=3', 'MT-PRIORITY=10')
    passed_on(t, how, 'MT-PRIORITY', 'MT-PRIORITY=-5')


@test('3885')
def mtrk_is_passed_on(t, how):
    passed_on(t, how, 'MTRK', 'MTRK=' + b64('12345678901234567890'), 'MTRK=?')
    passed_on(t, how, 'MTRK', 'MTRK=' + b64(bytes(range(200, 220))) + ':86400')


@test('4865')
def futurerelease_is_passed_on(t, how):
    passed_on(t, how, 'FUTURERELEASE', 'HOLDFOR=60', 'HOLDFOR=never')
    later = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() + 3600))
    passed_on(t, how, 'FUTURERELEASE', 'HOLDUNTIL=' + later)


@test('8689')
def requiretls_is_passed_on(t, how):
    passed_on(t, how, 'REQUIRETLS', 'REQUIRETLS', 'REQUIRETLS=1')


@test('9422')
def limits_are_kept(t):
    s = t.login()
    limits = dict(w.split('=', 1) for w in offered(s, 'LIMITS') if '=' in w)
    want(limits, 'LIMITS without a limit')
    want(int(limits.get('RCPTMAX', 100)) >= 100, 'RCPTMAX below 100')
    if 'RCPTMAX' in limits:
        s.expect('MAIL FROM:<%s>' % t.sender, 250)
        s.send(''.join('RCPT TO:<r%d@%s>\r\n' % (i, t.domain) for i in range(int(limits['RCPTMAX']))), log=False)
        for i in range(int(limits['RCPTMAX'])):
            s.check(s.reply('RCPT'), 250, what='recipient %d' % (i + 1))


@test('draft-hall-prdr')
def prdr_gives_each_recipient_its_own_reply(t, how):
    s = t.login()
    offered(s, 'PRDR')
    t.need_sink()
    token = t.token()
    if how == 'BDAT':
        offered(s, 'CHUNKING')
    s.expect('MAIL FROM:<%s> PRDR' % t.sender, 250)
    for to in (t.rcpt('good.' + token), 'reply-550-end.%s@%s' % (token, t.domain)):
        s.expect('RCPT TO:<%s>' % to, 250)
    text = t.text(token)
    if how == 'BDAT':
        s.send(b'BDAT %d LAST\r\n' % len(text) + text)
    else:
        s.expect('DATA', 354)
        s.send(text + b'.\r\n')
    s.check(s.reply('end of data'), 353, what='what comes before the replies')
    s.check(s.reply('end of data'), 250, what='the recipient that was taken')
    s.check(s.reply('end of data'), 550, what='the recipient that was not')
    s.check(s.reply('end of data'), 250, what='the message')
    alive(s)
    want(t.sink.wait(token), 'it does not arrive')


@test('3865')
def soliciting_by_a_refused_word_is_550(t):
    s = t.login()
    words = offered(s, 'NO-SOLICITING')
    if not words:
        raise NotApplicable('no word is refused')
    s.expect('MAIL FROM:<%s> SOLICIT=%s' % (t.sender, words[0].split(',')[0]), 550, '5.7.1')


# --- data ------------------------------------------------------------------------------------------------------------

@test('6409 6.3; 5321 4.3.2')
def data_with_an_argument_is_501(t):
    s = t.login()
    s.expect('MAIL FROM:<%s>' % t.sender, 250)
    s.expect('RCPT TO:<%s>' % t.rcpt(), 250)
    s.expect('DATA now', 501)


SMUGGLE = ('\n.\n', '\r\n.\n', '\n.\r\n', '\r.\r', '\r\n.\r', '\r.\r\n', '\n.\r', '\r.\n', '\r\n\x00.\r\n', '\r\n.\x00\r\n')


@test('5321 4.1.1.4, 2.3.8')
def nothing_but_crlf_dot_crlf_ends_a_message(t):
    for end in SMUGGLE:
        s = t.login()
        token = t.token()
        smuggled = 'MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\nSubject: smuggled\r\n\r\n%s\r\n' % (
            t.sender, t.rcpt('smuggled.' + token), token)
        s.expect('MAIL FROM:<%s>' % t.sender, 250)
        s.expect('RCPT TO:<%s>' % t.rcpt(), 250)
        s.expect('DATA', 354)
        s.send(t.text(token + 'x') + ('line' + end + smuggled + '.\r\nNOOP\r\n').encode('latin-1'))
        s.reply('end of data')
        first = s.reply('NOOP')     # one for the message, one for NOOP, and no more
        want(first.code == 250 or first.code == 421, 'behind %r: %s' % (end, first))
        want(s.silent(0.1), 'what stands behind %r is executed' % end)
        if t.sink:
            want(not t.sink.to('smuggled.' + token, 0.2), 'behind %r a second message arrives' % end)
    if t.sink:
        want(not t.sink.to('<smuggled.'), 'a smuggled message arrives')


@test('5321 2.3.8; 6409 6.3')
def bare_cr_lf_and_nul_in_the_data_are_refused(t, how):
    for body in (b'bare\nline\r\n', b'bare\rline\r\n', b'a\x00b\r\n', b'at the end\n\r\n'):
        s = t.login()
        token = t.token()
        r = t.submit(s, token, data=t.text(token, body=body), how=how, mail=' BODY=8BITMIME' if '8BITMIME' in s.caps else '')
        s.check(r, 5, '5.6.0', 'a message with %r' % body)
        alive(s)


@test('5321 2.3.8')
def no_bare_cr_or_lf_is_handed_on(t, how):
    """Refused, it does not arrive; taken, it arrives without."""
    t.need_sink()
    for bare in (b'\n', b'\r'):
        s = t.login()
        token = t.token()
        body = b'bare' + bare + token.encode() + b'\r\n'
        r = t.submit(s, token, rcpts=[t.rcpt(token)], data=t.text(token, body=body), how=how)
        came = t.sink.wait(token) if r.code // 100 == 2 else t.sink.to(token)
        if r.code // 100 != 2:
            want(not came, 'it is refused, and arrives')
        for m in [m for m in t.sink.messages if token.encode() in m.data]:
            want(not re.search(rb'(?<!\r)\n|\r(?!\n)', m.data), '%r arrives as %r' % (body, m.body()))


@test('5321 2.3.8')
def what_comes_with_a_bare_lf_is_never_a_command(t):
    for lines in ('NOOP\nMAIL FROM:<%s>\r\n', 'NOOP\rMAIL FROM:<%s>\r\n', 'NOOP\n\x00MAIL FROM:<%s>\r\n'):
        s = t.login()
        s.send(lines % t.sender)
        r = s.reply('NOOP')
        want(r.code // 100 in (2, 4, 5), str(r))
        s.silent(0.3)
        if s.buf:
            raise No('two replies to %r' % (lines % t.sender))
        r = s.cmd('RCPT TO:<%s>' % t.rcpt())
        want(r.code // 100 != 2, 'the MAIL in %r counts' % (lines % t.sender))


@test('5321 2.3.8; 4.1.1')
def bare_cr_lf_and_nul_in_a_command_are_5yz(t):
    s = t.login()
    for line in (b'NOOP a\nb', b'NOOP a\rb', b'NOOP a\x00b'):
        s.expect(line, 5)
        alive(s)


@test('5321 4.1.1.4; 6409 3.2')
def a_client_that_leaves_before_the_end_leaves_nothing(t, how):
    s = t.login()
    token = t.token()
    s.expect('MAIL FROM:<%s>' % t.sender, 250)
    s.expect('RCPT TO:<%s>' % t.rcpt(token), 250)
    text = t.text(token)
    if how == 'DATA':
        s.expect('DATA', 354)
        s.send(text + b'no end\r\n')
    else:
        s.send(b'BDAT %d\r\n' % len(text) + text)
        s.check(s.reply('BDAT'), 250, what='BDAT')
    s.close()
    t.need_sink()
    want(not t.sink.to(token), 'it arrives')


# --- the header ------------------------------------------------------------------------------------------------------

MONTHS = rb'(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)'
DATE = rb'(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),\s+)?\d{1,2}\s+' + MONTHS + rb'\s+\d{4}\s+\d\d:\d\d(?::\d\d)?\s+[+-]\d{4}'


def one_date_of_now(m):
    got = m.field('date')
    want(len(got) == 1, '%d Date fields' % len(got))
    want(re.match(rb'Date:\s+' + DATE + rb'(?:\s+\(\w+\))?\r\n\Z', got[0]), 'Date is %r' % got[0])
    when = email.utils.parsedate_to_datetime(got[0][5:].decode()).timestamp()
    want(abs(when - time.time()) < 600, 'Date is not that of the submission: %r' % got[0])


def one_message_id(m):
    got = m.field('message-id')
    want(len(got) == 1, '%d Message-ID fields' % len(got))
    want(re.match(rb'Message-I[dD]:\s+<[^<>@\s]+@[^<>@\s]+>\s*\r\n\Z', got[0]), 'Message-ID is %r' % got[0])


@test('6409 8.2')
def date_is_added(t, how):
    one_date_of_now(t.deliver(t.login(), how=how, date=False))


@test('6409 8.2')
def an_invalid_date_is_corrected(t, how):
    for value in (b'yesterday', b'Thu, 31 Jun 2026 10:00:00 +0000', b''):
        one_date_of_now(t.deliver(t.login(), how=how, date=False, fields=b'Date: ' + value + b'\r\n'))


@test('6409 8.3')
def message_id_is_added(t, how):
    one_message_id(t.deliver(t.login(), how=how, message_id=False))


@test('6409 8.3')
def an_invalid_message_id_is_replaced(t, how):
    for value in (b'this is no msg-id', b'<no.at.sign>', b''):
        one_message_id(t.deliver(t.login(), how=how, message_id=False, fields=b'Message-ID: ' + value + b'\r\n'))


@test('5322 3.6.3; 6409 8')
def bcc_is_removed(t, how):
    m = t.deliver(t.login(), how=how, fields=b'Bcc: secret@example.org,\r\n also.secret@example.org\r\n')
    want(b'secret@' not in m.data, 'Bcc arrives')


@test('6409 8')
def a_complete_message_arrives_byte_for_byte(t, how):
    """Only what every server adds stands on top of it: Return-Path, Received, Delivered-To."""
    s = t.login()
    token = t.token()
    text = t.text(token, body=b'first\r\n\r\n' + b'w' * 900 + b'\r\n \r\nlast\r\n', fields=b'X-Odd:\tkept  as\r\n\tit is \r\n'
                  b'References: <1@example.org>\r\n <2@example.org>\r\nDKIM-Signature: v=1; a=rsa-sha256; d=example.net;\r\n'
                  b'\ts=x; h=from; bh=xyz=; b=abc=\r\n')
    accepted(t.submit(s, token, data=text, how=how))
    t.need_sink()
    m = t.sink.wait(token)
    want(m, 'it does not arrive')
    want(m.data.endswith(text), 'what arrives is not what was sent')
    added = m.data[:-len(text)]
    names = re.findall(rb'^([^\s:]+):', added, re.M)
    want(all(n.lower() in (b'received', b'return-path', b'delivered-to', b'x-original-to') for n in names), 'added: %r' % names)


def header_address(t, how, field, alone=True):
    """The reply to a message with this field (alone: in place of ours of that name); the message where it was taken."""
    s = t.login()
    token = t.token()
    name = field.lower().split(b':')[0] if alone else b''
    text = t.text(token, fields=field + b'\r\n', to=name != b'to', sender=name != b'from')
    if name == b'subject':
        text = text.replace(b'Subject: %s\r\n' % token.encode(), b'Comments: %s\r\n' % token.encode())
    r = t.submit(s, token, data=text, how=how)
    if r.code // 100 != 2:
        return s, r, None
    t.need_sink()
    m = t.sink.wait(token)
    want(m, 'it does not arrive')
    return s, r, m


@test('6409 4.2, 8')
def header_address_without_domain_is_completed_or_refused(t, how):
    for field in (b'To: Bob <bob>, carol@example.org', b'From: alice', b'Cc: bob'):
        s, r, m = header_address(t, how, field)
        if m:
            got = b''.join(m.field(field.split(b':')[0].decode().lower()))
            want(re.search(rb'(bob|alice)@[\w-]+\.[\w.-]+', got), '%r arrives as %r' % (field, got))
        else:
            s.check(r, 5, what=field.decode())


@test('6409 8')
def an_unknown_local_part_gets_no_domain(t, how):
    field = b'To: nobody-knows-me'
    s, r, m = header_address(t, how, field)
    if m:
        want(m.field('to') and b'@' not in m.field('to')[0], '%r arrives as %r' % (field, m.field('to')))
    else:
        s.check(r, 5, what=field.decode())


@test('5322 3.6')
def a_field_that_may_stand_once_does(t, how):
    """Refused, or mended."""
    for field in (b'Date: Fri, 2 Jan 2026 00:00:00 +0000', b'From: Again <%s>' % t.sender.encode(), b'To: <carol@example.org>',
                  b'Subject: again', b'Message-ID: <again@client.example>', b'Sender: <%s>\r\nSender: <%s>' % (2 * (t.sender.encode(),))):
        s, r, m = header_address(t, how, field, alone=False)
        name = field.split(b':')[0].decode()
        if m:
            want(len(m.field(name.lower())) == 1, 'two fields %s arrive' % name)
        else:
            s.check(r, 5, what='two fields ' + name)


@test('5322 3.6.2')
def several_authors_have_a_sender(t, how):
    local, _, domain = t.sender.partition('@')
    field = ('From: <%s>, <%s+two@%s>' % (t.sender, local, domain)).encode()
    s, r, m = header_address(t, how, field)
    if m:
        want(len(m.field('sender')) == 1, 'it arrives with two authors and no Sender')
    else:
        s.check(r, 5, what=field.decode())


@test('5322 2.1.1; 5321 4.5.3.1.6')
def no_line_over_998_octets_is_handed_on(t, how):
    s = t.login()
    token = t.token()
    r = t.submit(s, token, data=t.text(token, body=b'x' * 5000 + b'\r\n'), how=how)
    if r.code // 100 != 2:
        s.check(r, 5, what='a line of 5,000 octets')
        return
    t.need_sink()
    m = t.sink.wait(token)
    want(m, 'it does not arrive')
    want(max(map(len, m.data.split(b'\r\n'))) <= 998, 'it arrives')


@test('5322 2.2; 6532')
def no_octets_in_the_header_without_smtputf8(t, how):
    s, r, m = header_address(t, how, 'Subject: Größe'.encode())
    if m:
        want(m.field('subject') and not re.search(rb'[\x80-\xff]', m.field('subject')[0]), 'Subject there: %r' % m.field('subject'))
    else:
        s.check(r, 5, what='Subject: Größe')


@test('6409 4.2')
def header_domain_of_one_label_is_completed_or_refused(t, how):
    s, r, m = header_address(t, how, b'To: bob@squeaky')
    if m:
        got = b''.join(m.field('to'))
        want(re.search(rb'bob@squeaky\.[\w.-]+', got), 'it arrives as %r' % got)
    else:
        s.check(r, 554, '5.6.0', 'To: bob@squeaky')


@test('6409 5.1')
def illegal_header_addresses_are_554(t, how):
    for field in (b'To: a b@c.example.org', b'Cc: a@@b.example', b'From: <>'):
        s, r, m = header_address(t, how, field)
        s.check(r, 554, '5.6.0', field.decode())


# --- Received --------------------------------------------------------------------------------------------------------

def received(t, s=None, **more):
    """Our field of a message that arrived, unfolded; the reply; the message."""
    s = s or t.login()
    token = t.token()
    r = t.submit(s, token, **more)
    accepted(r)
    t.need_sink()
    m = t.sink.wait(token)
    want(m, 'it does not arrive')
    got = m.field('received')
    want(got, 'no Received field')
    t.lines.append('sink: ' + repr(got[0])[2:-1])
    return re.sub(rb'\s+', b' ', got[0]).decode('latin-1'), r, m


@test('3848; 8314 7.4')
def received_says_esmtpsa_after_starttls(t, how):
    if t.implicit:
        raise NotApplicable('implicit TLS')
    field, _, _ = received(t, how=how)
    want(re.search(r' with ESMTPSA\b', field), 'no ESMTPSA')


@test('3848; 8314 3.3')
def received_says_esmtpsa_under_implicit_tls(t, how):
    if not t.implicit and not t.implicit_port:
        raise NotApplicable('no port with implicit TLS was named')
    field, _, _ = received(t, t.login(implicit=True), how=how)
    want(re.search(r' with ESMTPSA\b', field), 'no ESMTPSA')


@test('3848; 5321 4.4')
def received_says_smtp_after_helo(t):
    s = t.login()
    s.expect('HELO client.example', 250)
    r = s.cmd('MAIL FROM:<%s>' % t.sender)
    if r.code == 530:
        raise NotApplicable('HELO forgets AUTH')
    s.expect('RSET', 250)
    field, _, _ = received(t, s)
    want(re.search(r' with SMTP\b', field), 'no SMTP')


@test('6531 4.3')
def received_says_utf8smtpsa_with_smtputf8(t, how):
    s = t.login()
    offered(s, 'SMTPUTF8')
    token = t.token()
    field, _, _ = received(t, s, rcpts=['почта.%s@%s' % (token, t.domain)], how=how, mail=' SMTPUTF8')
    want(re.search(r' with UTF8SMTPSA\b', field), 'no UTF8SMTPSA')


@test('8314 7.4')
def received_has_a_tls_clause_with_ianas_name(t, how):
    field, _, _ = received(t, how=how)
    want(re.search(r' tls TLS_[A-Z0-9_]+[ ;]', field), 'no tls clause')


@test('5321 4.4, 7.6')
def received_names_a_recipient_only_if_there_is_one(t, how):
    a, b = t.token(), t.token()
    field, _, m = received(t, rcpts=[t.rcpt(a), t.rcpt(b)], how=how)
    want(not re.search(r' for ', field) and a not in field and b not in field, 'one of two recipients is named')


@test('5321 4.4; 3848 3')
def id_of_received_stands_in_the_reply(t, how):
    field, r, _ = received(t, how=how)
    m = re.search(r' id ([^\s;]+)', field)
    want(m, 'no id in Received')
    want(m.group(1) in r.text, 'id %s is not in %s' % (m.group(1), r))


@test('3848 3')
def received_tells_no_mechanism_and_no_user(t, how):
    field, _, _ = received(t, rcpts=[t.rcpt()], how=how)
    want(not re.search(r'\b(PLAIN|LOGIN|SCRAM|CRAM)', field), 'the mechanism is told')
    want(t.user not in field, 'the user is told')


@test('5321 4.4; 5322 2.1.1')
def received_is_well_formed_and_folded(t, how):
    field, _, m = received(t, how=how)
    want(re.match(r'Received: from \S+ (?:\(.*\) )?by \S+ .*; ' + DATE.decode(), field), 'not of the form: ' + field)
    for line in m.field('received')[0].split(b'\r\n'):
        want(len(line) <= 78, 'a line of %d octets' % len(line))


@test('5321 4.4; 3848 3')
def received_fields_are_kept_below_ours(t, how):
    s = t.login()
    token = t.token()
    text = b''.join(FORGED) + t.text(token)
    accepted(t.submit(s, token, data=text, how=how))
    t.need_sink()
    m = t.sink.wait(token)
    want(m, 'it does not arrive')
    got = m.field('received')
    want(len(got) > 5 and b''.join(got[-5:]) == b''.join(FORGED), 'five fields became %d' % len(got))
    want(m.data.endswith(text), 'they are not in their place')


@test('3848 3')
def a_forged_received_field_opens_nothing(t, how):
    s = t.login()
    token = t.token()
    text = FORGED[0] + t.text(token)
    accepted(t.submit(s, token, data=text, how=how))
    nothing_is_taken_without_authorisation(t)
    if t.sink:
        want(t.sink.wait(token), 'it does not arrive')


# --- what the next server says ---------------------------------------------------------------------------------------

@test('5321 6.1, 4.2.5; 2033 4.2')
def a_recipient_refused_behind_is_never_lost(t, how):
    """Refused by the sink at RCPT or after the data, alone or one of two: the client hears of it, or its sender gets a report."""
    t.need_sink()
    for step in ('rcpt', 'end'):
        for company in (0, 1):
            s = t.login()
            token = t.token()
            bad = 'reply-550-%s.%s@%s' % (step, token, t.domain)
            rcpts = [t.rcpt('good.' + token)] * company + [bad]
            r = t.submit(s, token, rcpts=rcpts, how=how)
            if r.code // 100 == 2:
                local = t.sender.encode()
                t.settle(lambda: any(b'<' + local + b'>' in x for m in t.sink.messages if bad.encode() in m.data for x in m.rcpts), 4)
                want(any(b'<' + local + b'>' in x for m in t.sink.messages if bad.encode() in m.data for x in m.rcpts),
                     '250, and no report about the recipient that was refused')


@test('6409 7; 5321 4.2')
def no_next_servers_reply_ends_or_opens_the_session(t, how):
    """421, 354, 530 and 999 from behind are answers about a message."""
    t.need_sink()
    for code in (421, 354, 530, 999):
        s = t.login()
        token = t.token()
        r = t.submit(s, token, rcpts=['reply-%d-end.%s@%s' % (code, token, t.domain)], how=how)
        want(r.code // 100 in (2, 4, 5) and r.code not in (421, 530), 'the sink says %d, the client hears %s' % (code, r))
        alive(s)


@test('6409 5.3')
def every_answer_within_two_minutes(t, how):
    t.need_sink()
    if not t.slow:
        raise NotApplicable('only with --slow')
    s = t.login()
    token = t.token()
    r = t.submit(s, token, rcpts=['stall.%s@%s' % (token, t.domain)], how=how, seconds=125)
    want(r.code // 100 in (2, 4), 'a next server that stalls: %s' % r)


every_answer_within_two_minutes.seconds = 135


@test('6409 3.1')
def the_port_makes_no_difference(t):
    """The same commands hear the same with implicit TLS and after STARTTLS."""
    if t.implicit or not t.implicit_port:
        raise NotApplicable('no second port was named')
    heard = []
    for implicit in (False, True):
        s = t.login(implicit=implicit)
        heard.append([sorted(s.caps)] + [s.cmd(line).code for line in (
            'RCPT TO:<a@example.org>', 'MAIL FROM:<alice@squeaky>', 'MAIL FROM:<> XYZZY', 'VRFY a', 'ETRN x', 'MAIL FROM:<>')])
    want(heard[0] == heard[1], 'two answers: %s' % heard)
