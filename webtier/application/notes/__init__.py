"""Notes: a small web application of pages, kept in PostgreSQL.

app            create_app(): the pages, the health checks, what is answered when something fails
notes          reads and writes notes; the only module with SQL beside the migrations
database       the connection pool, and what to do when the database is away
credentials    the user and password, from Secrets Manager or the environment
migrations     brings the schema up to date
security       response headers, and which form posts are refused
telemetry      one JSON line an event on standard output
settings       the environment variables
"""
