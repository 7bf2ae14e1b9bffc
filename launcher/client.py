"""Run one prompt on a host: post it, follow its progress, collect the files it wrote or the host's error line."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import HostError, WorkflowError
from .server import ADDRESS, Server
from .websocket import TEXT, WebSocket, WebSocketError
from .workflow_format import ApiPrompt

Event = Callable[[str, Mapping[str, Any]], None]
# What a request meets when the host ends in the middle of it.
BROKEN = (OSError, http.client.HTTPException)
SILENCE = 2.0  # seconds without a message after which history and the process are looked at


@dataclass(frozen=True)
class Result:
    """``files`` the host saved (not its temporary previews), in node order; ``texts`` that nodes showed."""

    files: tuple[Path, ...]
    texts: tuple[str, ...]


def object_info(server: Server) -> dict[str, Any]:
    """Every node class of the host, by name."""
    try:
        return json.loads(server.get("/object_info"))
    except (*BROKEN, ValueError) as error:
        raise _gone(server, f"cannot read the host's node list: {error}") from error


def run_prompt(server: Server, prompt: ApiPrompt, workflow: Any, on_event: Event) -> Result:
    """Run ``prompt`` to its end; ``workflow`` (UI format) is stored in the pictures as a front end does.

    ``on_event(type, data)`` gets the host's messages. Without a websocket (a host or a machine that refuses one) the
    history is polled instead and ``on_event`` hears nothing. Raises WorkflowError with the host's error line.
    """
    client = uuid.uuid4().hex
    try:
        socket = WebSocket(ADDRESS, server.port, f"/ws?clientId={client}")
    except (OSError, WebSocketError):
        socket = None
    try:
        prompt_id = _submit(server, prompt, workflow, client)
        try:
            entry = _follow(server, socket, prompt_id, on_event)
        except BaseException:
            _interrupt(server)
            raise
    finally:
        if socket is not None:
            socket.close()
    _raise_failure(entry, prompt)
    return _collect(entry, server.output)


def _submit(server: Server, prompt: ApiPrompt, workflow: Any, client: str) -> str:
    body = {"prompt": prompt.nodes, "client_id": client, "extra_data": {"extra_pnginfo": {"workflow": workflow}}}
    try:
        status, answer = server.post("/prompt", body)
    except BROKEN as error:
        raise _gone(server, f"cannot post to the host: {error}") from error
    try:
        data = json.loads(answer)
    except ValueError:
        data = {}
    # Also on status 200: the host drops an invalid output and runs the others.
    problems = list(_validation_lines(data.get("node_errors") or {}, prompt))
    if status == 200 and not problems and "prompt_id" in data:
        return str(data["prompt_id"])
    if status == 200 and "prompt_id" in data:
        server.post("/queue", {"delete": [data["prompt_id"]]})
        _interrupt(server)
    if not problems:
        error = data.get("error") or f"HTTP {status}"
        problems = [_joined(error) if isinstance(error, dict) else str(error)]
    raise WorkflowError("; ".join(problems))


def _validation_lines(node_errors: Mapping[str, Any], prompt: ApiPrompt) -> Iterable[str]:
    for key, entry in node_errors.items():
        for error in entry.get("errors") or []:
            yield f"{_named(str(key), prompt)}: {_joined(error)}"


def _joined(error: Mapping[str, Any]) -> str:
    parts = [
        str(error.get("message") or error.get("type") or "error").strip(" .\n"),
        str(error.get("details") or "").strip(),
    ]
    return " ".join(": ".join(part for part in parts if part).split())


def _named(key: str, prompt: ApiPrompt) -> str:
    return f"{prompt.titles.get(key, '?')} (node {key})"


def _follow(server: Server, socket: WebSocket | None, prompt_id: str, on_event: Event) -> Mapping[str, Any]:
    """Wait for the end of a prompt and return its history entry."""
    while True:
        finished = False
        if socket is None:
            time.sleep(0.5)
        else:
            try:
                finished = _listen(socket, prompt_id, on_event)
            except (OSError, WebSocketError):
                socket = None
        deadline = time.monotonic() + (10.0 if finished else 0.0)
        while True:
            entry = _history(server, prompt_id)
            if entry is not None:
                return entry
            if time.monotonic() >= deadline:
                break
            time.sleep(0.05)


def _listen(socket: WebSocket, prompt_id: str, on_event: Event) -> bool:
    """Pass messages on; True at the prompt's last one, False after a silence."""
    for message in socket.messages(SILENCE):
        if message.opcode != TEXT:
            continue  # preview pictures
        event = json.loads(message.data)
        data = event.get("data") or {}
        if data.get("prompt_id", prompt_id) != prompt_id:
            continue
        kind = str(event.get("type"))
        on_event(kind, data)
        if kind in ("execution_success", "execution_error", "execution_interrupted"):
            return True
        if kind == "executing" and data.get("node") is None and "prompt_id" in data:
            return True
    return False


def _history(server: Server, prompt_id: str) -> Mapping[str, Any] | None:
    if not server.alive():
        raise server.died()
    try:
        return json.loads(server.get(f"/history/{prompt_id}")).get(prompt_id)
    except TimeoutError:
        return None  # a host may be deaf for a while inside one long native call
    except (*BROKEN, ValueError) as error:
        raise _gone(server, f"cannot read the host's history: {error}") from error


def _raise_failure(entry: Mapping[str, Any], prompt: ApiPrompt) -> None:
    status = entry.get("status") or {}
    if status.get("status_str", "success") == "success" and status.get("completed", True):
        return
    for kind, data in reversed(status.get("messages") or []):
        if kind == "execution_error":
            where = _named(str(data.get("node_id")), prompt)
            text = " ".join(str(data.get("exception_message", "")).split())
            line = f"{where}: {str(data.get('exception_type', 'error')).rpartition('.')[2]}: {text}"
            raise WorkflowError(line, "".join(map(str, data.get("traceback") or [])))
        if kind == "execution_interrupted":
            raise WorkflowError(f"interrupted in {_named(str(data.get('node_id')), prompt)}")
    raise WorkflowError(f"the host reports {status.get('status_str')} without a message")


def _collect(entry: Mapping[str, Any], output: Path) -> Result:
    files: list[Path] = []
    texts: list[str] = []
    for shown in (entry.get("outputs") or {}).values():
        for key, items in shown.items():
            for item in items if isinstance(items, list) else [items]:
                if isinstance(item, dict) and "filename" in item:
                    if item.get("type", "output") == "output":
                        files.append(output / str(item.get("subfolder", "")) / str(item["filename"]))
                elif isinstance(item, str) and key == "text":
                    texts.append(item)
    return Result(tuple(dict.fromkeys(files)), tuple(texts))


def _interrupt(server: Server) -> None:
    with contextlib.suppress(*BROKEN):  # it may be going down anyway
        server.post("/interrupt", {}, timeout=5.0)


def _gone(server: Server, text: str) -> HostError:
    return HostError(text) if server.alive() else server.died()
