"""Steps of a story: each prints one JSON line, which the Go test turns into a sub-test."""

import json
import os
import sys
import traceback


def run(*steps):
    """Run every step, also after one that failed: a report is worth more than a first error."""
    for step in steps:
        line = {"step": step.__doc__}
        try:
            step()
        except Exception as e:
            line["failure"] = hide(f"{type(e).__name__}: {e} (line {own_line(e)})")
        print(json.dumps(line), flush=True)


def own_line(error):
    """Where in the script it happened; what lies below, in the client, says little."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f.lineno for f in frames if f.filename == os.path.abspath(sys.argv[0])][-1]


def hide(text):
    """No token goes into a test log, not even one that is worthless in five minutes."""
    for name, value in os.environ.items():
        if name.endswith("_TOKEN") and value:
            text = text.replace(value, f"<{name}>")
    return text


def equal(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def holds(condition, what):
    if not condition:
        raise AssertionError(what)


def raises(error, call, what):
    """The error itself, so that a step can look at it."""
    try:
        answer = call()
    except error as e:
        return e
    raise AssertionError(f"{what}: no {error.__name__}, but {answer!r}")


def env(name):
    if name not in os.environ:
        sys.exit(f"{name} is not set")
    return os.environ[name]
