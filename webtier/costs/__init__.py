"""What the web tier costs a month: read from its template and from AWS's list prices.

`prices.toml` is the table of prices, each with its source; `prices` reads it. `estimate` goes
through a template's resources, whoever wrote it, and says of each what it costs while nothing is
used, what comes on top by use, and what the table has no price of. `report` is its text, `page` the
documentation that is made of it.
"""
