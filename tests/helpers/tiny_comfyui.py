"""A ComfyUI of one node, as a checkout that run.py starts: a real process that answers the real requests, up in a
fraction of a second. ``checkout`` makes its folder; run as a program it is the server.

The node Paint writes a file made of its inputs. Its ``mode``: paint; fail, with an error; die, by signal 9; hang.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import os
import queue
import shutil
import signal
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MODES = ["paint", "fail", "die", "hang"]
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def checkout(folder: Path) -> dict[str, str]:
    """Make the checkout; the variables under which run.py takes it. A stand-in for torch says that there is no GPU."""
    (folder / "comfy").mkdir(parents=True)
    shutil.copyfile(__file__, folder / "main.py")
    (folder / "comfyui_version.py").write_text('__version__ = "9.9"\n')
    (folder / "stand_ins").mkdir()
    (folder / "stand_ins" / "torch.py").write_text(
        "class _No:\n    def __getattr__(self, name):\n        return self\n"
        "    def __call__(self):\n        return False\n    def __bool__(self):\n        return False\n"
        "cuda = backends = xpu = _No()\n"
    )
    return {
        "COMFYUI_DIR": str(folder),
        "SYNCTWEEDIES_PYTHON": sys.executable,
        "PYTHONPATH": str(folder / "stand_ins"),
    }


class Host:
    """Everything the server knows."""

    def __init__(self, base: Path, output: Path) -> None:
        self.base, self.output = base, output
        self.waiting: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        self.history: dict[str, Any] = {}
        self.sockets: list[Any] = []

    def info(self) -> dict[str, Any]:
        files = sorted(path.name for path in (self.base / "input").iterdir() if path.is_file())
        required: dict[str, Any] = {
            "text": ["STRING", {"default": ""}],
            "seed": ["INT", {"default": 0, "min": 0, "max": 1000}],
            "seconds": ["FLOAT", {"default": 0.0, "min": 0.0, "max": 60.0}],
            "mode": [MODES],
        }
        models = sorted(path.name for path in (self.base / "models" / "checkpoints").glob("*"))
        optional = {"file": [["none", *files], {"image_upload": True}], "model": [["none", *models]]}
        entry = {"input": {"required": required, "optional": optional}, "display_name": "Paint", "output_node": True}
        return {"Paint": entry}

    def work(self) -> None:
        cached: set[str] = set()
        while True:
            number, nodes = self.waiting.get()
            outputs: dict[str, Any] = {}
            messages: list[Any] = []
            for key, node in nodes.items():
                self.say("executing", {"node": key, "prompt_id": number})
                try:
                    inputs = json.dumps(node["inputs"], sort_keys=True)
                    if inputs not in cached:  # as a ComfyUI does, which saves nothing again
                        outputs[key] = {"images": [{"filename": self.paint(node["inputs"]), "type": "output"}]}
                    cached.add(inputs)
                except ValueError as error:
                    data = {"node_id": key, "exception_type": "ValueError", "exception_message": str(error)}
                    messages.append(["execution_error", {**data, "traceback": ["Traceback of the ", "tiny host\n"]}])
            state = "error" if messages else "success"
            status = {"status_str": state, "completed": not messages, "messages": messages}
            self.history[number] = {"outputs": outputs, "status": status}
            self.say(f"execution_{state}", {"prompt_id": number})

    def paint(self, inputs: dict[str, Any]) -> str:
        time.sleep(0 if os.environ.get("TINY_COMFYUI_HURRY") else float(inputs["seconds"]))
        if inputs["mode"] == "fail":
            raise ValueError("no paint is left")
        if inputs["mode"] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        while inputs["mode"] == "hang":
            time.sleep(1)
        made = f"{inputs['text']} {inputs['seed']} ".encode()
        if inputs.get("file", "none") != "none":
            made += (self.base / "input" / inputs["file"]).read_bytes()
        count = len(list(self.output.iterdir())) + 1
        (self.output / f"paint_{count:05d}_.txt").write_bytes(made)
        return f"paint_{count:05d}_.txt"

    def say(self, kind: str, data: dict[str, Any]) -> None:
        words = json.dumps({"type": kind, "data": data}).encode()
        head = b"\x81" + (bytes([len(words)]) if len(words) < 126 else b"\x7e" + struct.pack(">H", len(words)))
        for socket in list(self.sockets):
            try:
                socket.sendall(head + words)
            except OSError:
                self.sockets.remove(socket)


class Handler(BaseHTTPRequestHandler):
    host: Host

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def answer(self, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        if self.path.startswith("/ws"):
            key = base64.b64encode(hashlib.sha1(self.headers["Sec-WebSocket-Key"].encode() + GUID).digest())
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
            self.wfile.write(b"Sec-WebSocket-Accept: " + key + b"\r\n\r\n")
            self.host.sockets.append(self.connection)
            while self.connection.recv(4096):
                pass
            self.close_connection = True
        elif self.path == "/object_info":
            self.answer(self.host.info())
        elif self.path.startswith("/history/"):
            number = self.path.rpartition("/")[2]
            self.answer({number: self.host.history[number]} if number in self.host.history else {})
        else:
            self.answer({"system": {"pytorch_version": "0.0", "python_version": sys.version}, "devices": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/prompt":
            number = f"p{len(self.host.history) + self.host.waiting.qsize()}-{time.monotonic_ns()}"
            self.host.waiting.put((number, body["prompt"]))
            self.answer({"prompt_id": number, "node_errors": {}})
        else:
            self.answer({})


def serve(words: list[str]) -> None:
    named = {word: following for word, following in itertools.pairwise(words) if word.startswith("--")}
    Handler.host = Host(Path(named["--base-directory"]), Path(named["--output-directory"]))
    threading.Thread(target=Handler.host.work, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", int(named["--port"])), Handler).serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1:])
