"""The scalable web application as a CloudFormation template: one module per tier."""
