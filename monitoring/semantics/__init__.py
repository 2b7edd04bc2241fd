"""What CloudWatch and EventBridge do with a template's alarms and rules, as pure functions.

One implementation, for everything here that evaluates alarms.
"""
