"""An embedded AWS on this machine: the four parts deploy into it and run as they do in AWS.

Nothing in the apps or the templates knows it. boto3, the AWS CLI and Chalice reach it through the
variables that `python -m sandbox env` prints.
"""
