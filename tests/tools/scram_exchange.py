# ISC licence, see LICENSE.
"""The client's side of SCRAM without channel binding (RFC 5802, 7677), in octets: who sends them encodes them."""
import base64, hashlib, hmac, os


class Exchange:
    """One exchange: first(), then final() of what the server said, which sets salt, iterations and server_final."""

    def __init__(self, user, password, flag='n', authzid='', mechanism='SCRAM-SHA-256', nonce=None):
        """mechanism: SCRAM- and the name of a hash.  nonce: a fixed one, for an example."""
        self.hash = mechanism.replace('SCRAM-', '').replace('-', '').lower()
        self.password = password.encode()
        self.gs2 = (flag + ',' + ('a=' + authzid if authzid else '') + ',').encode()
        self.nonce = nonce or base64.b64encode(os.urandom(18))
        self.bare = b'n=' + user.replace('=', '=3D').replace(',', '=2C').encode() + b',r=' + self.nonce

    def _hmac(self, key, message):
        return hmac.new(key, message, self.hash).digest()

    def first(self):
        return self.gs2 + self.bare

    def final(self, server_first, binding=None):
        """binding: what to say of the channel in place of what first() said."""
        said = dict(part.split(b'=', 1) for part in server_first.split(b','))
        assert said[b'r'].startswith(self.nonce) and len(said[b'r']) > len(self.nonce)
        self.salt, self.iterations = said[b's'].decode(), int(said[b'i'])
        salted = hashlib.pbkdf2_hmac(self.hash, self.password, base64.b64decode(said[b's']), self.iterations)
        key = self._hmac(salted, b'Client Key')
        final = b'c=' + base64.b64encode(self.gs2 if binding is None else binding) + b',r=' + said[b'r']
        message = self.bare + b',' + server_first + b',' + final
        proof = bytes(x ^ y for x, y in zip(key, self._hmac(hashlib.new(self.hash, key).digest(), message)))
        self.server_final = b'v=' + base64.b64encode(self._hmac(self._hmac(salted, b'Server Key'), message))
        return final + b',p=' + base64.b64encode(proof)
