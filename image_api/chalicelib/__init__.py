"""The image API: uploads in, renditions out.

`app` calls the use cases: `images` (the HTTP API), `processing` (events of S3) and `reprocessing`
(batch jobs). They call `storage` (S3), `sweeping` and the pure core: `admission`, `formats`,
`renditions` and what it is made of, `manifests`, `notifications`, `batch`, `uploads`, `srcset`.
The pure core works on plain values and knows neither boto3 nor Chalice.
"""
