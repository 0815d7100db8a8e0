"""alice and bob at the stack, with the openai client that everybody uses."""

import openai

from steps import env, equal, holds, raises, run


def client(token):
    # no retries: a 502 that a second try hides is still a 502
    return openai.OpenAI(base_url=env("BASE_URL"), api_key=token, max_retries=0, timeout=30)


alice = client(env("ALICE_TOKEN"))
bob = client(env("BOB_TOKEN"))
nobody = client("not-a-token-test-only")
chat_model = "standin/llama-small"
made = {}


def models():
    "alice and bob list the models"
    for who in (alice, bob):
        names = {m.id for m in who.models.list()}
        holds({"standin/llama-small", "standin/llama-large"} <= names, f"models are {names}")


def chat():
    "alice has a chat completion"
    answer = alice.chat.completions.create(model=chat_model, messages=[{"role": "user", "content": "hello there"}])
    equal(answer.choices[0].message.content, "You said: hello there", "the answer")
    holds(answer.usage.total_tokens > 0, "the answer has its usage")


def chat_streamed():
    "bob has a streamed chat completion"
    chunks = list(
        bob.chat.completions.create(
            model=chat_model, messages=[{"role": "user", "content": "one two three"}], stream=True
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    equal(text, "You said: one two three", "the streamed text")
    holds(len(chunks) >= 5, f"only {len(chunks)} chunks: the stream was not passed on as it came")


def response():
    "alice has a response and builds on it"
    first = alice.responses.create(model=chat_model, input="remember me")
    holds("remember me" in first.output_text, f"the response says {first.output_text!r}")
    made["response"] = first.id
    second = alice.responses.create(model=chat_model, input="and now", previous_response_id=first.id)
    holds("and now" in second.output_text, f"the second response says {second.output_text!r}")


def response_streamed():
    "bob has a streamed response"
    events = [e.type for e in bob.responses.create(model=chat_model, input="streamed", stream=True)]
    equal(events[-1], "response.completed", "the last event")


def foreign_response():
    "bob cannot read what alice was answered"
    raises(openai.NotFoundError, lambda: bob.responses.retrieve(made["response"]), "bob reads alice's response")


def embeddings():
    "bob has embeddings"
    answer = bob.embeddings.create(model="standin/embed-small", input=["a", "b"], encoding_format="float")
    equal([len(e.embedding) for e in answer.data], [8, 8], "lengths")


def upload():
    "alice uploads a file and reads it"
    file = alice.files.create(file=("secret.txt", b"alice's words"), purpose="assistants")
    made["file"] = file.id
    equal(alice.files.content(file.id).read(), b"alice's words", "the content")
    holds(file.id in [f.id for f in alice.files.list()], "alice does not see her file in her list")


def foreign_file():
    "bob cannot read the file of alice"
    for call in (bob.files.retrieve, bob.files.content, bob.files.delete):
        error = raises(openai.APIStatusError, lambda call=call: call(made["file"]), f"bob's {call.__name__}")
        equal(error.status_code, 404, f"bob's {call.__name__}")


def foreign_list():
    "bob does not see the file of alice in his list"
    holds(made["file"] not in [f.id for f in bob.files.list()], "it is there")


def after_all():
    "the file of alice is still there"
    equal(alice.files.retrieve(made["file"]).filename, "secret.txt", "the name")
    alice.files.delete(made["file"])


def refused():
    "the client understands a refusal"
    error = raises(openai.AuthenticationError, nobody.models.list, "a bad token")
    equal(error.code, "invalid_token", "error.code")
    equal(error.type, "authentication_error", "error.type")
    holds(error.body["message"], "there is no message")


if __name__ == "__main__":
    run(
        models,
        chat,
        chat_streamed,
        response,
        response_streamed,
        foreign_response,
        embeddings,
        upload,
        foreign_file,
        foreign_list,
        after_all,
        refused,
    )
