"""Decides as the installed OGX does, by server.auth as it is written in YAML.

Reads a line of JSON: {"yaml": text, "routes": [[path, user], ...], "resources": [[type, id, owner, action, user], ...]}.
Writes {"error": text} if OGX does not load it, or {"routes": [bool, ...], "resources": [bool, ...]}.
"""
import json
import sys
import warnings
from types import SimpleNamespace

import yaml
from ogx.core.access_control import access_control, conditions, route_access
from ogx.core.datatypes import AuthenticationConfig, User
from ogx.core.stack import replace_env_vars


def silent(*args, **kwargs):
    pass


# Each decision writes a log line, and one condition prints: that takes longer than to decide, and stdout is ours.
access_control.logger = route_access.logger = SimpleNamespace(debug=silent, warning=silent)
conditions.print = silent
warnings.simplefilter("ignore")

PUBLIC = ("/v1/health", "/v1/version")


class Thing:
    def __init__(self, kind, identifier, owner):
        self.type, self.identifier, self.owner = kind, identifier, owner


def user(u):
    return User(u["principal"], u["attributes"], tenant_id=u.get("tenant")) if u else None


def route(path, who, policy):
    # As the middlewares do: nobody is known on a public route.
    who = None if path in PUBLIC else user(who)
    if path != "/" and path.endswith("/"):
        path = path.rstrip("/")
    return route_access.is_route_allowed(path, who, policy)


def answer(question):
    try:
        auth = AuthenticationConfig(**replace_env_vars(yaml.safe_load(question["yaml"]))["server"]["auth"])
    except Exception as e:  # whatever it is, OGX does not start
        return {"error": str(e)}
    return {
        "routes": [route(path, who, auth.route_policy) for path, who in question["routes"]],
        "resources": [
            access_control.is_action_allowed(
                auth.access_policy, action, Thing(kind, identifier, user(owner)), user(who)
            )
            for kind, identifier, owner, action, who in question["resources"]
        ],
    }


out = sys.stdout
for line in sys.stdin:
    out.write(json.dumps(answer(json.loads(line))) + "\n")
    out.flush()
