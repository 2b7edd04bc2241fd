"""The code of Lambda functions, each file whole in itself: the template carries it as it is."""
