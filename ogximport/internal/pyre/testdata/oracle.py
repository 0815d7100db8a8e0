"""Says of each line of JSON [expression, [text, ...]] whether re.match finds it.

Answers null for an expression that re rejects.
"""
import json
import re
import sys
import warnings

warnings.simplefilter("ignore")
for line in sys.stdin:
    expression, texts = json.loads(line)
    try:
        compiled = re.compile(expression)
        answer = [compiled.match(text) is not None for text in texts]
    except (re.error, OverflowError, RecursionError):
        answer = None
    print(json.dumps(answer), flush=True)
