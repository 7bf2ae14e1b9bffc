"""The websocket client: frames, protocol errors, and a connection to a peer."""

import base64
import hashlib
import re
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syncpack.launcher import websocket as ws
from syncpack.launcher.websocket import FrameParser, Message, encode_frame

payloads = st.one_of(st.binary(max_size=300), st.integers(0, 70000).map(lambda n: bytes(i % 251 for i in range(n))))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([ws.TEXT, ws.BINARY]), st.lists(payloads, min_size=1, max_size=3)), max_size=4),
    st.one_of(st.none(), st.binary(min_size=4, max_size=4)),
    st.lists(st.integers(1, 5000), min_size=1, max_size=8),
)
def test_frames_read_back_however_they_are_cut(messages, mask, cuts):
    """Fragments with a ping between them, masked or not, arriving in pieces of any size."""
    stream, expected = b"", []
    for opcode, parts in messages:
        for number, part in enumerate(parts):
            stream += encode_frame(0 if number else opcode, part, mask, final=number == len(parts) - 1)
            stream += encode_frame(ws.PING, b"hello", mask)
            expected += [Message(ws.PING, b"hello")]
        expected.insert(len(expected) - 1, Message(opcode, b"".join(parts)))
    parser, found, at, turn = FrameParser(), [], 0, 0
    while at < len(stream):
        found += parser.feed(stream[at : at + cuts[turn % len(cuts)]])
        at += cuts[turn % len(cuts)]
        turn += 1
    assert found == expected


def test_frame_examples_of_the_rfc():
    """RFC 6455, section 5.7."""
    assert encode_frame(ws.TEXT, b"Hello") == bytes.fromhex("810548656c6c6f")
    assert encode_frame(ws.TEXT, b"Hello", bytes.fromhex("37fa213d")) == bytes.fromhex("818537fa213d7f9f4d5158")
    assert FrameParser().feed(bytes.fromhex("010348656c80026c6f")) == [Message(ws.TEXT, b"Hello")]
    assert encode_frame(ws.BINARY, bytes(256))[:4] == bytes.fromhex("827e0100")
    assert encode_frame(ws.BINARY, bytes(65536))[:10] == bytes.fromhex("827f0000000000010000")


@pytest.mark.parametrize(
    "data",
    [
        bytes([0xC1, 0]),  # reserved bit
        bytes([0x83, 0]),  # unknown opcode
        bytes([0x80, 0]),  # a continuation of nothing
        bytes([0x01, 0, 0x81, 0]),  # a new message inside a fragmented one
        bytes([0x09, 0]),  # fragmented ping
        bytes([0x82, 127]) + (1 << 60).to_bytes(8, "big"),
    ],
)
def test_broken_frames_are_refused(data):
    with pytest.raises(ws.WebSocketError):
        FrameParser().feed(data)


def websocket_server(listener, received, good_key):
    """A peer by hand: shakes hands, pings, sends one message in two fragments, closes."""
    peer, _ = listener.accept()
    with peer:
        request = b""
        while b"\r\n\r\n" not in request:
            request += peer.recv(4096)
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", request)
        assert key is not None
        accept = base64.b64encode(hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        peer.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + (accept if good_key else b"wrong") + b"\r\n\r\n"
        )
        if good_key:
            peer.sendall(encode_frame(ws.PING, b"you?") + encode_frame(ws.TEXT, b"al", final=False))
            received.append(peer.recv(4096))
            peer.sendall(encode_frame(0, b"pha") + encode_frame(ws.CLOSE, b""))
            received.append(peer.recv(4096))


@pytest.mark.parametrize("good_key", [True, False])
def test_client_against_a_peer(good_key):
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=websocket_server, args=(listener, received, good_key))
        thread.start()
        port = listener.getsockname()[1]
        if good_key:
            connection = ws.WebSocket("127.0.0.1", port, "/ws?clientId=1")
            arrived = []
            with pytest.raises(ws.WebSocketError, match="closed"):
                for message in connection.messages(5.0):
                    arrived.append(message)
            connection.close()
            assert arrived == [Message(ws.TEXT, b"alpha")]
        else:
            with pytest.raises(ws.WebSocketError, match="refused"):
                ws.WebSocket("127.0.0.1", port, "/ws")
        thread.join(5.0)
        assert not thread.is_alive()
    if good_key:
        # both frames of a client are masked, as the RFC demands
        assert all(frame[1] & 0x80 for frame in received)
        assert FrameParser().feed(received[0]) == [Message(ws.PONG, b"you?")]
        assert FrameParser().feed(received[1]) == [Message(ws.CLOSE, b"\x03\xe8")]
