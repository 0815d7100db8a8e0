"""Answers what OGX's own functions decide: a line of JSON with many cases in, a line with as many answers out."""

import json
import re
import sys
import warnings
from types import SimpleNamespace

from pydantic import ValidationError

from ogx.core.access_control import access_control, conditions, route_access
from ogx.core.access_control.datatypes import AccessRule, Action, RouteAccessRule
from ogx.core.datatypes import GitHubTokenAuthConfig, KubernetesAuthProviderConfig, OAuth2TokenAuthConfig, User
from ogx.core.server.auth_providers import get_attributes_from_claims


def silent(*args, **kwargs):
    pass


# Each decision writes a log line, and one condition prints: that takes longer than to decide, and stdout is ours.
access_control.logger = route_access.logger = SimpleNamespace(debug=silent, warning=silent)
conditions.print = silent
warnings.simplefilter("ignore")

DEFAULT_MAPPINGS = {
    name: config.model_fields["claims_mapping"].default_factory()
    for name, config in {
        "oauth2_token": OAuth2TokenAuthConfig,
        "github_token": GitHubTokenAuthConfig,
        "kubernetes": KubernetesAuthProviderConfig,
    }.items()
}


def user_of(user):
    if user is None:
        return None
    return User(user["principal"], user["attributes"], tenant_id=user["tenant"] or None)


# What Python's engine says of an expression, in bits: of the start of a text, of the whole of it, of its start in any
# case, and of the start of the text in lower case; the same of what RE2 means by the expression, four bits higher.
# PYTHON_REFUSES: it is none for Python. This is the interpreter's material, and has nothing to do with OGX.
PYTHON_REFUSES = 256
compiled = {}


def expression(source):
    if source not in compiled:
        try:
            compiled[source] = (re.compile(source), re.compile(source, re.IGNORECASE))
        except re.error:
            compiled[source] = None
    return compiled[source]


def bits(pair, text):
    plain, folded = pair
    return (
        bool(plain.match(text))
        | bool(plain.fullmatch(text)) << 1
        | bool(folded.match(text)) << 2
        | bool(plain.match(text.lower())) << 3
    )


def matches(expressions, text):
    answer = []
    for e in expressions:
        written = expression(e["source"])
        found = PYTHON_REFUSES if written is None else bits(written, text)
        meaning = e.get("meaning")
        if meaning is not None:
            found |= (found & 15 if meaning == e["source"] else bits(expression(meaning), text)) << 4
        answer.append(found)
    return answer


def routes(case):
    # as RouteAuthorizationMiddleware does before it asks
    route = case["path"]
    if route != "/" and route.endswith("/"):
        route = route.rstrip("/")
    answer = {"matches": matches(case["expressions"], route)}
    try:
        policy = [RouteAccessRule(**rule) for rule in case["rules"]]
    except ValidationError as e:
        answer["refused"] = str(e)
        return answer
    answer["allowed"] = route_access.is_route_allowed(route, user_of(case["user"]), policy)
    return answer


def resources(case):
    resource = SimpleNamespace(type=case["type"], identifier=case["id"], owner=user_of(case["owner"]))
    answer = {"matches": matches(case["expressions"], f"{resource.type}::{resource.identifier}")}
    try:
        policy = [AccessRule(**rule) for rule in case["rules"]]
    except ValidationError as e:
        answer["refused"] = str(e)
        return answer
    answer["allowed"] = access_control.is_action_allowed(
        policy, Action(case["action"]), resource, user_of(case["user"])
    )
    return answer


def claims(case):
    mapping = DEFAULT_MAPPINGS[case["provider"]] if case["mapping"] is None else dict(case["mapping"])
    try:
        user = User("somebody", get_attributes_from_claims(case["claims"], mapping))
    except ValidationError as e:  # what its middleware answers with 401
        return {"refused": str(e)}
    return {"attributes": user.attributes}


KINDS = {"routes": routes, "resources": resources, "claims": claims}

for line in sys.stdin:
    question = json.loads(line)
    answers = [KINDS[question["kind"]](case) for case in question["cases"]]
    print(json.dumps(answers), flush=True)
    compiled.clear()
