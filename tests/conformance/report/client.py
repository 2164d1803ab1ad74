# ISC licence, see LICENSE.
"""A client that believes nothing: each reply is read by RFC 5321 4.2, every wait has a deadline, all is written down."""
import base64, re, socket, ssl, time


class No(Exception):
    """The server does not do what the clause wants; the text says what it did."""


class NotApplicable(Exception):
    """The clause says nothing about this server, or cannot be seen with what the report was given."""


class Reply:
    def __init__(self, code, lines):
        self.code, self.lines = code, lines     # lines: text behind the code, bytes

    @property
    def text(self):
        return b'\n'.join(self.lines).decode('latin-1')

    def enhanced(self):
        m = re.match(rb'([245])\.\d{1,3}\.\d{1,3}(?: |$)', self.lines[0])
        return m.group(0).strip().decode() if m else ''

    def __str__(self):
        return ('%d %s' % (self.code, self.text.replace('\n', ' / ')))[:200]


def context(version=None):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF # an end without close_notify shall be seen
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    if version:
        ctx.set_ciphers('ALL:@SECLEVEL=0')
        ctx.minimum_version = ctx.maximum_version = version
    return ctx


class Session:
    """One connection. test: what this belongs to (its deadline, its log, the replies that the audits look at)."""

    def __init__(self, test, address, implicit=False):
        self.test, self.buf, self.caps, self.tls, self.verb = test, b'', {}, None, 'greeting'
        self.enhanced = False       # ENHANCEDSTATUSCODES was offered
        self.ended = False
        try:
            self.sock = socket.create_connection(address, timeout=self.left())
        except OSError as e:
            raise No('no connection: %s' % e)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        test.sessions.append(self)
        if implicit:
            self.handshake()

    def left(self, seconds=None):
        now = time.monotonic()
        if now >= self.test.deadline:
            raise No('the test\'s time is over')
        return max(0.05, min(self.test.deadline - now, seconds or self.test.wait))

    def log(self, who, data, hide=False):
        for line in data.split(b'\r\n'):
            if line or data in (b'\r\n', b''):
                shown = '(hidden)' if hide else repr(line[:120])[2:-1] + ('...' if len(line) > 120 else '')
                self.test.lines.append(who + ': ' + shown)

    def handshake(self, ctx=None):
        try:
            self.sock.settimeout(self.left())
            self.sock = (ctx or context()).wrap_socket(self.sock, suppress_ragged_eofs=False)
            self.tls = self.sock.version()
        except (OSError, ValueError) as e:
            self.test.lines.append('C: (handshake fails: %s)' % e)
            raise No('the TLS handshake fails')
        self.test.lines.append('C: (%s)' % self.tls)
        self.buf = b''
        self.caps = {}

    def send(self, data, hide=False, log=True):
        if isinstance(data, str):
            data = data.encode()
        if log:
            self.log('C', data, hide)
        try:
            self.sock.settimeout(self.left())
            self.sock.sendall(data)
        except OSError as e:
            # what the server said before it went is still to be read
            self.test.lines.append('C: (cannot send: %s)' % e)

    def fill(self, seconds=None):
        """More input; False at the end of the connection; TimeoutError."""
        if self.ended:
            return False
        self.sock.settimeout(self.left(seconds))
        try:
            got = self.sock.recv(65536)
        except (socket.timeout, ssl.SSLWantReadError):
            raise TimeoutError
        except ssl.SSLEOFError:
            self.ended = 'truncated'
            return False
        except (OSError, ssl.SSLError):
            self.ended = 'reset'
            return False
        if not got:
            self.ended = 'closed'
            return False
        self.buf += got
        return True

    def line(self, seconds=None):
        while b'\n' not in self.buf:
            try:
                if not self.fill(seconds):
                    self.test.lines.append('S: (%s)' % self.ended)
                    raise No('the connection ends where a reply was due (%s)' % self.verb)
            except TimeoutError:
                self.test.lines.append('S: (nothing)')
                raise No('no reply to %s in time' % self.verb)
            if len(self.buf) > 100000:
                raise No('a reply line without end')
        i = self.buf.index(b'\n') + 1
        got, self.buf = self.buf[:i], self.buf[i:]
        self.log('S', got.rstrip(b'\r\n') or b'\r\n')
        return got

    def reply(self, verb=None, seconds=None):
        self.verb = verb or self.verb
        lines, code = [], None
        while True:
            got = self.line(seconds)
            m = re.match(rb'([2-5]\d\d)(?:([ -])([^\r\n]*))?\r\n\Z', got)
            if not m:
                raise No('not a reply line: %r' % got[:80])
            if code is not None and int(m.group(1)) != code:
                raise No('a reply with two codes')
            code = int(m.group(1))
            lines.append(m.group(3) or b'')
            if len(got) > 512 and self.verb not in ('EHLO', 'AUTH'):
                raise No('a reply line of %d octets' % len(got))
            if m.group(2) != b'-':
                break
            if len(lines) > 200:
                raise No('a reply without end')
        r = Reply(code, lines)
        self.test.replies.append((self, self.verb, r, self.enhanced))
        return r

    def cmd(self, line, hide=False, verb=None, seconds=None):
        if isinstance(line, str):
            line = line.encode()
        self.send(line + b'\r\n', hide)
        return self.reply(verb or (line.split() or [b'(empty)'])[0].decode('latin-1').upper()[:20], seconds)

    def expect(self, line, codes, enhanced=None, hide=False, seconds=None):
        """One command; the reply's code is one of codes (numbers; 2, 4 or 5: any of the class), with that enhanced code."""
        r = self.cmd(line, hide, seconds=seconds)
        self.check(r, codes, enhanced, line if isinstance(line, str) else line.decode('latin-1'))
        return r

    def check(self, r, codes, enhanced=None, what='the command'):
        codes = codes if isinstance(codes, tuple) else (codes,)
        if r.code not in codes and r.code // 100 not in codes:
            raise No('%s: %s; wanted %s' % (what[:60], r, ' or '.join('%dyz' % c if c < 10 else str(c) for c in codes)))
        if enhanced and self.enhanced and r.enhanced() != enhanced:
            raise No('%s: %s; wanted %s' % (what[:60], r, enhanced))

    def greeting(self):
        r = self.reply('greeting')
        self.check(r, 220, what='greeting')
        return r

    def ehlo(self, name='client.example'):
        r = self.expect('EHLO ' + name, 250)
        self.caps = {}
        for line in r.lines[1:]:
            words = line.decode('latin-1').split()
            if words:
                self.caps[words[0].upper()] = words[1:]
        self.enhanced = self.enhanced or 'ENHANCEDSTATUSCODES' in self.caps
        return r

    def starttls(self, ctx=None):
        if 'STARTTLS' not in self.caps:
            raise No('STARTTLS is not offered')
        self.expect('STARTTLS', 220)
        self.handshake(ctx)

    def login(self, user, password):
        offered = self.caps.get('AUTH', [])
        plain = base64.b64encode(('\0%s\0%s' % (user, password)).encode()).decode()
        if 'PLAIN' in offered:
            self.send('AUTH PLAIN %s\r\n' % plain, hide=True)
            r = self.reply('AUTH')
        elif 'LOGIN' in offered:
            self.expect('AUTH LOGIN', 334)
            r = self.cmd(base64.b64encode(user.encode()), hide=True, verb='AUTH')
            self.check(r, 334, what='AUTH LOGIN')
            r = self.cmd(base64.b64encode(password.encode()), hide=True, verb='AUTH')
        else:
            raise No('neither PLAIN nor LOGIN is offered')
        self.check(r, 235, what='AUTH')

    def silent(self, seconds=0.7):
        """Nothing comes from the server for so long. False: something did. (The end of the connection is silence too.)"""
        if self.buf:
            return False
        try:
            return not self.fill(seconds)
        except TimeoutError:
            return True

    def is_over(self, seconds=None):
        """The server ends the connection, whatever it says before."""
        try:
            while self.fill(seconds):
                self.buf = self.buf[-1000:]
        except TimeoutError:
            return False
        return True

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass
