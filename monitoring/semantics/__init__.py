"""What CloudWatch and EventBridge do with a template's alarms and rules, as pure functions.

The simulator and the sandbox both stand on these modules, so they cannot disagree.
"""
