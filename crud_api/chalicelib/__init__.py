"""The items API, from the pure core outwards.

`strict_json`, `merge_patch`, `clock`, `revisions`, `items`, `preconditions`, `cursors`, `batches`,
`records`, `idempotency` and `pages` are plain functions on plain values. `retries` decides whether
a call to AWS is made again; `table` talks to DynamoDB and `cursor_keys` to Secrets Manager.
`operations` and `batch_operations` hold the use cases, and `requests` and `responses` read and
write what `app.py` handles. `openapi` and its companions describe all of it.
"""
