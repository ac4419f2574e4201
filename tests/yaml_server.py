"""Talks to yaml-language-server, what editors complete and check YAML with, over its stdin and stdout."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

#: what editors that show suggestions tell
_CLIENT = {
    "textDocument": {
        "completion": {"completionItem": {"snippetSupport": False, "documentationFormat": ["markdown"]}},
        "publishDiagnostics": {},
    }
}
_SETTINGS = {
    "yaml": {
        "validate": True,
        "completion": True,
        "hover": True,
        "schemaStore": {"enable": False, "url": ""},
        "kubernetesCRDStore": {"enable": False},
        "yamlVersion": "1.2",
    },
    "http": {},
    "[yaml]": {},
    "editor": {},
    "files": {},
}


class YamlServer:
    """One process of the server; documents are opened by their text, and never written.

    Args:
        command: how it is started.
        folder: where the documents would be.
    """

    def __init__(self, command: list[str], folder: Path) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process: Any = subprocess.Popen(command, cwd=folder, **pipes)
        self._folder, self._numbers = folder, itertools.count(1)
        self._ask("initialize", processId=None, rootUri=folder.as_uri(), capabilities=_CLIENT)
        self._tell("initialized")
        self._tell("workspace/didChangeConfiguration", settings=_SETTINGS)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _send(self, **message: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        size = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        assert size, "the server has ended"
        message: dict[str, Any] = json.loads(self._process.stdout.read(size))
        if "method" in message and "id" in message:  # it asks for settings, and for leave to watch
            self._send(id=message["id"], result=self._answer(message))
        return message

    @staticmethod
    def _answer(message: dict[str, Any]) -> Any:
        if message["method"] != "workspace/configuration":
            return None
        return [_SETTINGS.get(item.get("section", "")) for item in message["params"]["items"]]

    def _tell(self, method: str, **params: Any) -> None:
        self._send(method=method, params=params)

    def _ask(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        self._send(id=number, method=method, params=params)
        while True:
            message = self._receive()
            if message.get("id") == number and "method" not in message:
                return message["result"]

    def _open(self, text: str) -> dict[str, str]:
        document = {"uri": (self._folder / f"{next(self._numbers)}.yaml").as_uri()}
        self._tell("textDocument/didOpen", textDocument={**document, "languageId": "yaml", "version": 1, "text": text})
        return document

    def complaints(self, text: str) -> list[tuple[int, str]]:
        """Line and message of everything that is marked in a document."""
        document = self._open(text)
        while True:
            message = self._receive()
            if (
                message.get("method") == "textDocument/publishDiagnostics"
                and message["params"]["uri"] == document["uri"]
            ):
                return [(one["range"]["start"]["line"], one["message"]) for one in message["params"]["diagnostics"]]

    def _at(self, method: str, text: str) -> Any:
        """What it answers for the place that ``|`` marks."""
        before, _, after = text.partition("|")
        lines = before.split("\n")
        document = self._open(before + after)
        return self._ask(method, textDocument=document, position={"line": len(lines) - 1, "character": len(lines[-1])})

    def suggestions(self, text: str) -> dict[str, str]:
        """What it would complete where the document has a ``|``: label to documentation."""
        found = self._at("textDocument/completion", text)
        items = found["items"] if isinstance(found, dict) else found or []
        return {one["label"]: _words(one.get("documentation")) for one in items}

    def hover(self, text: str) -> str:
        """What it shows where the document has a ``|``."""
        found = self._at("textDocument/hover", text)
        return _words(found and found["contents"])


def _words(content: Any) -> str:
    return str(content["value"] if isinstance(content, dict) else content or "")
