"""What alarms set going: the code of one Lambda function in the monitoring account.

`package.py` puts this folder alone into the function's archive, so it imports the standard library,
itself and the runtime's boto3, and nothing else.
"""
