"""One account watches the Lambda functions of another: alarms, notifications, one action."""
