"""The image API: uploads in, renditions out.

`app` calls `images` (the use cases), which calls `storage` (S3) and the pure core:
`formats`, `renditions`, `colour`, `resizing`, `watermark`, `manifests`, `notifications`, `uploads`.
The pure core works on plain values and knows neither boto3 nor Chalice.
"""
