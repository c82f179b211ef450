"""Files, vector stores and batches, with the SDK's own polling helpers."""

import pytest
from passage import assert_through_gate

FILE = ("notes.txt", b"one line of text\n" * 1000)
BATCH_LINE = b'{"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": {}}\n'

pytestmark = pytest.mark.anyio


def test_an_uploaded_file_is_charged_found_and_deleted(client):
    raw = client.files.with_raw_response.create(file=FILE, purpose="assistants")
    assert_through_gate(raw, "files-upload")
    uploaded = raw.parse()
    assert uploaded.filename == FILE[0]
    assert uploaded.bytes == len(FILE[1])
    assert client.files.retrieve(uploaded.id).id == uploaded.id
    assert client.files.delete(uploaded.id).deleted


async def test_a_file_is_uploaded_asynchronously(aclient):
    uploaded = await aclient.files.create(file=FILE, purpose="assistants")
    assert uploaded.bytes == len(FILE[1])


def test_a_vector_store_takes_files_one_by_one(client):
    store = client.vector_stores.create(name="notes")
    uploaded = client.files.create(file=FILE, purpose="assistants")
    raw = client.vector_stores.files.with_raw_response.create(vector_store_id=store.id, file_id=uploaded.id)
    assert_through_gate(raw, "vector-store-files", "files-attached")
    polled = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=FILE, poll_interval_ms=50)
    assert polled.status == "completed"
    assert polled.vector_store_id == store.id


async def test_a_vector_store_takes_files_asynchronously(aclient):
    store = await aclient.vector_stores.create(name="notes")
    polled = await aclient.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=FILE, poll_interval_ms=50
    )
    assert polled.status == "completed"


def test_a_vector_store_takes_a_batch_of_files(client):
    store = client.vector_stores.create(name="notes")
    ids = [client.files.create(file=FILE, purpose="assistants").id for _ in range(2)]
    raw = client.vector_stores.file_batches.with_raw_response.create(vector_store_id=store.id, file_ids=ids)
    assert_through_gate(raw, "vector-store-files", "files-attached")
    batch = client.vector_stores.file_batches.create_and_poll(
        vector_store_id=store.id, file_ids=ids, poll_interval_ms=50
    )
    assert batch.status == "completed"
    assert batch.file_counts.completed == 2


async def test_a_vector_store_takes_a_batch_asynchronously(aclient):
    store = await aclient.vector_stores.create(name="notes")
    batch = await aclient.vector_stores.file_batches.upload_and_poll(
        vector_store_id=store.id, files=[FILE, FILE], poll_interval_ms=50
    )
    assert batch.status == "completed"


def test_a_batch_is_created_and_found(client):
    uploaded = client.files.create(file=("batch.jsonl", BATCH_LINE), purpose="batch")
    raw = client.batches.with_raw_response.create(
        input_file_id=uploaded.id, endpoint="/v1/embeddings", completion_window="24h"
    )
    assert_through_gate(raw, "batches-create")
    created = raw.parse()
    assert created.input_file_id == uploaded.id
    assert client.batches.retrieve(created.id).id == created.id


async def test_a_batch_is_created_asynchronously(aclient):
    uploaded = await aclient.files.create(file=("batch.jsonl", BATCH_LINE), purpose="batch")
    batch = await aclient.batches.create(
        input_file_id=uploaded.id, endpoint="/v1/embeddings", completion_window="24h"
    )
    assert batch.object == "batch"
