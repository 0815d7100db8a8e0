"""A WebSocket on /v1/responses: authenticated at the handshake, then frames both ways."""

import json

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from steps import env, equal, holds, raises, run

url = env("BASE_URL").replace("http://", "ws://") + "/responses"


def open_with(headers):
    return connect(url, additional_headers=headers, open_timeout=10, proxy=None)


def without_token():
    "a handshake without a token is refused with 401"
    error = raises(InvalidStatus, lambda: open_with({}), "no token")
    equal(error.response.status_code, 401, "status")
    holds("Bearer" in error.response.headers.get("WWW-Authenticate", ""), "there is no challenge")
    equal(json.loads(error.response.body)["error"]["code"], "missing_credential", "error.code")


def bad_token():
    "a handshake with a bad token is refused with 401"
    error = raises(InvalidStatus, lambda: open_with({"Authorization": "Bearer nonsense-test-only"}), "a bad token")
    equal(error.response.status_code, 401, "status")


def forged_identity():
    "a handshake with an identity header instead of a token is refused with 401"
    error = raises(InvalidStatus, lambda: open_with({"X-Auth-User-Id": "alice"}), "a forged identity")
    equal(error.response.status_code, 401, "status")


def conversation():
    "two responses come over one socket that alice opened with her token"
    with open_with({"Authorization": f"Bearer {env('ALICE_TOKEN')}"}) as ws:
        for words in ("first over the socket", "second over the socket"):
            ws.send(json.dumps({"type": "response.create", "model": "standin/llama-small", "input": words}))
            while True:
                event = json.loads(ws.recv(timeout=20))
                holds(event["type"] not in ("error", "response.failed"), f"the stack says {event}")
                if event["type"] == "response.completed":
                    break
            text = "".join(
                part.get("text", "") for item in event["response"]["output"] for part in item.get("content", [])
            )
            holds(words in text, f"the response says {text!r}")


if __name__ == "__main__":
    run(without_token, bad_token, forged_identity, conversation)
