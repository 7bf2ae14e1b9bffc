"""A small websocket client (RFC 6455), enough for a host's progress messages: text, binary, ping, close, fragments."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
LIMIT = 1 << 28  # bytes in one message; a preview picture is far below


class WebSocketError(Exception):
    """The handshake was refused, or the peer broke the protocol."""


@dataclass(frozen=True)
class Message:
    """One whole message: ``opcode`` TEXT, BINARY, CLOSE, PING or PONG."""

    opcode: int
    data: bytes


def encode_frame(opcode: int, data: bytes, mask: bytes | None = None, final: bool = True) -> bytes:
    """One frame (section 5.2). A client must pass ``mask``, 4 random bytes; servers send unmasked."""
    head = bytearray([(0x80 if final else 0) | opcode])
    flag = 0x80 if mask is not None else 0
    if len(data) < 126:
        head.append(flag | len(data))
    elif len(data) < 1 << 16:
        head.append(flag | 126)
        head += len(data).to_bytes(2, "big")
    else:
        head.append(flag | 127)
        head += len(data).to_bytes(8, "big")
    return bytes(head) + (data if mask is None else mask + _masked(data, mask))


class FrameParser:
    """Bytes in, messages out; keeps what is incomplete. Control frames may stand between fragments (section 5.4)."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._opcode = 0

    def feed(self, data: bytes) -> list[Message]:
        """Messages completed by ``data``. Raises WebSocketError on a protocol violation."""
        self._buffer += data
        messages: list[Message] = []
        while (frame := self._next_frame()) is not None:
            final, opcode, payload = frame
            if opcode >= CLOSE:
                if not final or len(payload) > 125:
                    raise WebSocketError("control frame is fragmented or longer than 125 bytes")
                messages.append(Message(opcode, payload))
                continue
            if (opcode == 0) == (self._opcode == 0):
                raise WebSocketError("fragments out of order")
            self._opcode = opcode or self._opcode
            self._parts.append(payload)
            if sum(map(len, self._parts)) > LIMIT:
                raise WebSocketError("message too long")
            if final:
                messages.append(Message(self._opcode, b"".join(self._parts)))
                self._parts, self._opcode = [], 0
        return messages

    def _next_frame(self) -> tuple[bool, int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        if buffer[0] & 0x70:
            raise WebSocketError("reserved bits are set, but no extension was agreed on")
        opcode = buffer[0] & 0x0F
        if opcode not in (0, TEXT, BINARY, CLOSE, PING, PONG):
            raise WebSocketError(f"unknown opcode {opcode}")
        length, at = buffer[1] & 0x7F, 2
        if length >= 126:
            wide = 2 if length == 126 else 8
            if len(buffer) < 2 + wide:
                return None
            length, at = int.from_bytes(buffer[2 : 2 + wide], "big"), 2 + wide
        if length > LIMIT:
            raise WebSocketError("frame too long")
        mask = None
        if buffer[1] & 0x80:
            mask, at = bytes(buffer[at : at + 4]), at + 4
        if len(buffer) < at + length:
            return None
        payload = bytes(buffer[at : at + length])
        final = bool(buffer[0] & 0x80)
        del buffer[: at + length]
        return final, opcode, payload if mask is None else _masked(payload, mask)


class WebSocket:
    """A connection. ``messages(timeout)`` yields text and binary messages and answers pings by itself."""

    def __init__(self, host: str, port: int, path: str, timeout: float = 10.0) -> None:
        """Connect and shake hands (section 4.1). Raises WebSocketError or OSError."""
        self._socket = socket.create_connection((host, port), timeout)
        self._parser = FrameParser()
        self._ready: deque[Message] = deque()
        try:
            self._shake_hands(host, port, path)
        except BaseException:
            self._socket.close()
            raise

    def _shake_hands(self, host: str, port: int, path: str) -> None:
        key = base64.b64encode(os.urandom(16))
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key.decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._socket.sendall(request.encode("ascii"))
        answer = b""
        while b"\r\n\r\n" not in answer:
            more = self._socket.recv(4096)
            if not more or len(answer) > 1 << 16:
                raise WebSocketError("the server closed the connection during the handshake")
            answer += more
        head, rest = answer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        expected = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()
        if lines[0].split(" ")[1:2] != ["101"] or headers.get("sec-websocket-accept") != expected:
            raise WebSocketError(f"the server refused the websocket: {lines[0]}")
        self._ready.extend(self._parser.feed(rest))

    def messages(self, timeout: float) -> Iterator[Message]:
        """Text and binary messages that arrive; ends after ``timeout`` seconds of silence.

        Raises WebSocketError when the peer closes the connection.
        """
        self._socket.settimeout(timeout)
        while True:
            while self._ready:
                message = self._ready.popleft()
                if message.opcode == CLOSE:
                    raise WebSocketError("the server closed the websocket")
                if message.opcode == PING:
                    self._socket.sendall(encode_frame(PONG, message.data, os.urandom(4)))
                elif message.opcode in (TEXT, BINARY):
                    yield message
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                return
            if not data:
                raise WebSocketError("the server closed the websocket")
            self._ready.extend(self._parser.feed(data))

    def close(self) -> None:
        """Say goodbye and close; never raises for a peer that is gone."""
        try:
            self._socket.sendall(encode_frame(CLOSE, b"\x03\xe8", os.urandom(4)))
        except OSError:
            pass
        finally:
            self._socket.close()


def _masked(data: bytes, mask: bytes) -> bytes:
    key = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(len(data), "big")
