"""The items API, from the pure core outwards.

`strict_json`, `merge_patch`, `items`, `preconditions`, `cursors`, `records` and `pages` are plain
functions on plain values. `table` talks to DynamoDB, `operations` holds the use cases, and
`requests` reads what `app.py` receives.
"""
