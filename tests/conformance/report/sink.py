# ISC licence, see LICENSE.
"""Where mail is delivered: an LMTP server (SMTP too, by EHLO) that keeps every message, byte for byte.

A recipient's local part may tell it what to say: reply-CODE-STEP.anything (STEP: rcpt, data, end) is that reply there;
stall.anything: nothing is said after the end of the data."""
import re, socket, threading, time

KEYWORDS = ['PIPELINING', 'SIZE', '8BITMIME', 'ENHANCEDSTATUSCODES', 'CHUNKING', 'BINARYMIME', 'DSN', 'SMTPUTF8',
            'DELIVERBY 240', 'MT-PRIORITY MIXER', 'MTRK', 'REQUIRETLS', 'FUTURERELEASE 86400 2099-01-01T00:00:00Z']


class Message:
    def __init__(self, mail, rcpts, data):
        self.mail, self.rcpts, self.data = mail, rcpts, data    # command lines as bytes; data without stuffing

    def header(self):
        """The fields: (name in lower case, the whole field as bytes, folded as it came)."""
        head = self.data.split(b'\r\n\r\n', 1)[0] + b'\r\n'
        found = re.findall(rb'[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*', head)
        return [(f.split(b':', 1)[0].strip().lower().decode('latin-1'), f) for f in found]

    def field(self, name):
        return [f for n, f in self.header() if n == name]

    def body(self):
        return self.data.split(b'\r\n\r\n', 1)[1] if b'\r\n\r\n' in self.data else b''


class Sink:
    def __init__(self, host='127.0.0.1', port=0, grace=1.5, patience=8, keywords=KEYWORDS):
        self.listener = socket.create_server((host, port), backlog=64)
        self.host, self.port = self.listener.getsockname()[:2]
        self.grace = grace          # seconds in which what is on its way arrives
        self.patience = patience    # seconds after which what must come is missing
        self.keywords = keywords
        self.messages, self.changed = [], threading.Condition()
        self.listeners = []
        self.listen(self.listener)

    def listen(self, listener):
        self.listeners.append(listener)
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def listen_unix(self, path):
        """Listen at this socket too: what comes here was never on a network (REQUIRETLS asks for that)."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(64)
        self.listen(listener)

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def close(self):
        for listener in self.listeners:
            listener.close()

    def wait(self, token, seconds=None):
        """The message whose data or recipients hold token; None if none comes."""
        end = time.monotonic() + (self.patience if seconds is None else seconds)
        token = token.encode()
        with self.changed:
            while True:
                for m in self.messages:
                    if token in m.data or any(token in r for r in m.rcpts):
                        return m
                if not self.changed.wait(end - time.monotonic()) and time.monotonic() >= end:
                    return None

    def to(self, token, seconds=None):
        """A message with a recipient that holds token, None if none comes in the time in which it would have."""
        end = time.monotonic() + (self.grace if seconds is None else seconds)
        token = token.encode()
        with self.changed:
            while True:
                for m in self.messages:
                    if any(token in r for r in m.rcpts):
                        return m
                if not self.changed.wait(end - time.monotonic()) and time.monotonic() >= end:
                    return None

    def serve(self, sock):
        sock.settimeout(150)
        try:
            with sock, sock.makefile('rb') as f:
                self.session(sock, f)
        except (OSError, ValueError):
            pass

    @staticmethod
    def rule(rcpt, step):
        m = re.search(rb'<reply-(\d\d\d)-(\w+)\.', rcpt)
        if not m or m.group(2).decode() != step:
            return None
        code = m.group(1).decode()
        return '%s %s.3.0 The sink was told so' % (code, code[0]) if code[0] in '245' else code + ' The sink was told so'

    def session(self, sock, f):
        def say(*lines):
            sock.sendall(''.join(line + '\r\n' for line in lines).encode())

        def end():
            if any(r.startswith(b'RCPT TO:<stall.') for r in rcpts):
                time.sleep(140)
            answers = [self.rule(r, 'end') or '250 2.0.0 Kept' for r in rcpts]
            if any(a[0] == '2' for a in answers):
                kept = [r for r, a in zip(rcpts, answers) if a[0] == '2']
                with self.changed:
                    self.messages.append(Message(mail, kept, data))
                    self.changed.notify_all()
            say(*(answers if lmtp else answers[:1]))

        lmtp, mail, rcpts, data = False, None, [], b''
        say('220 sink.example LMTP')
        while True:
            line = f.readline(100000)
            if not line:
                return
            line = line.rstrip(b'\r\n')
            verb = line[:4].upper()
            if verb in (b'LHLO', b'EHLO', b'HELO'):
                lmtp = verb == b'LHLO'
                mail, rcpts, data = None, [], b''
                say('250-sink.example', *['250-' + k for k in self.keywords[:-1]], '250 ' + self.keywords[-1])
            elif verb == b'MAIL':
                mail, rcpts, data = line, [], b''
                say('250 2.1.0 Ok')
            elif verb == b'RCPT':
                answer = self.rule(line, 'rcpt')
                if not answer:
                    rcpts.append(line)
                say(answer or '250 2.1.5 Ok')
            elif verb == b'DATA':
                answer = next((a for a in (self.rule(r, 'data') for r in rcpts) if a), None)
                if answer or not rcpts:
                    say(answer or '503 5.5.1 No recipients')
                    continue
                say('354 Go on')
                data = b''
                last = b'\r\n'
                while True:
                    line = f.readline(100000)
                    if not line:
                        return
                    if last.endswith(b'\r\n'):
                        if line == b'.\r\n':
                            break
                        if line.startswith(b'.'):
                            line = line[1:]
                    data += line
                    last = line
                end()
                mail, rcpts, data = None, [], b''
            elif verb == b'BDAT':
                words = line.split()
                data += f.read(int(words[1]))
                if len(words) < 3:
                    say('250 2.0.0 Chunk')
                    continue
                answer = next((a for a in (self.rule(r, 'data') for r in rcpts) if a), None)
                if answer:
                    say(*([answer] * (len(rcpts) if lmtp else 1)))
                elif rcpts:
                    end()
                else:
                    say('503 5.5.1 No recipients')
                mail, rcpts, data = None, [], b''
            elif verb == b'QUIT':
                say('221 2.0.0 Bye')
                return
            elif verb == b'RSET':
                mail, rcpts, data = None, [], b''
                say('250 2.0.0 Ok')
            elif verb == b'NOOP':
                say('250 2.0.0 Ok')
            else:
                say('500 5.5.2 What?')
