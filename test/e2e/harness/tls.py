"""Clients that speak TLS in ways that libpq would not: directly, resumed, in crumbs, or hardly."""

import ssl

from .wire import SSL_REQUEST, Closed, Wire


def client_context(ca=None, pair=None, alpn="postgresql", version=None):
    """What a client believes and offers; without `ca` it believes everything."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_REQUIRED if ca else ssl.CERT_NONE
    if ca:
        ctx.load_verify_locations(ca.cert)
    if pair:
        ctx.load_cert_chain(pair.cert, pair.key)
    if alpn:
        ctx.set_alpn_protocols([alpn])
    if version:
        ctx.minimum_version = ctx.maximum_version = version
    return ctx


def server_context(pair, ca=None, alpn=None):
    """A server's, for computes that are not PostgreSQL; with `ca` it wants a certificate."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(pair.cert, pair.key)
    if alpn:
        ctx.set_alpn_protocols([alpn])
    if ca:
        ctx.load_verify_locations(ca.cert)
        ctx.verify_mode = ssl.CERT_REQUIRED
    return ctx


def ask_for_tls(w, request=SSL_REQUEST):
    """Sends an SSLRequest and expects a yes."""
    w.send(request)
    answer = w.exactly(1)
    assert answer == b"S", f"{answer!r} is the answer to an SSLRequest"


class SecureWire(Wire):
    """A Wire through TLS; `direct` leaves the SSLRequest out, `before` is sent in clear."""

    def __init__(self, address, ctx=None, name=None, session=None, direct=False, before=b"",
                 **kwargs):
        super().__init__(address, **kwargs)
        try:
            if before:
                self.send(before)
            if not direct:
                ask_for_tls(self)
            self.sock = (ctx or client_context()).wrap_socket(self.sock, server_hostname=name,
                                                              session=session)
        except BaseException:
            self.sock.close()
            raise

    session = property(lambda self: self.sock.session)
    resumed = property(lambda self: self.sock.session_reused)
    version = property(lambda self: self.sock.version())

    def certificate(self):
        """What the other side showed, as DER."""
        return self.sock.getpeercert(binary_form=True)

    def end_tls(self):
        """Says close_notify and waits for the other's."""
        return self.sock.unwrap()


class CrumbWire(Wire):
    """TLS whose bytes on the wire, handshake and all, leave in pieces of `size`."""

    def __init__(self, address, size=1, ctx=None, **kwargs):
        super().__init__(address, **kwargs)
        self.size = size
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = (ctx or client_context()).wrap_bio(self._in, self._out)
        try:
            ask_for_tls(super())
            self._until_done(self._tls.do_handshake)
        except BaseException:
            self.sock.close()
            raise

    def _until_done(self, step):
        while True:
            try:
                result = step()
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                data = self.sock.recv(65536)
                if not data:
                    raise Closed("closed by the other side inside TLS") from None
                self._in.write(data)

    def flush(self):
        data = self._out.read()
        for at in range(0, len(data), self.size):
            self.sock.sendall(data[at:at + self.size])

    def records(self, data):
        """The TLS records that these bytes become, unsent."""
        self._tls.write(data)
        return self._out.read()

    def send(self, data):
        if data:
            self._tls.write(data)
        self.flush()

    def exactly(self, size):
        data = bytearray()
        while len(data) < size:
            more = self._until_done(lambda: self._tls.read(size - len(data)))
            if not more:
                raise Closed(f"closed by the other side after {len(data)} bytes")
            data += more
        return bytes(data)


def client_hello(alpn="postgresql", name=None):
    """The first bytes of a handshake, as a client with these wishes would send them."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(alpn=alpn).wrap_bio(into, out, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def hears_close(w, seconds):
    """Whether the other side closes, whatever it says before that."""
    w.sock.settimeout(seconds)
    try:
        w.until_closed()
        return True
    except TimeoutError:
        return False
