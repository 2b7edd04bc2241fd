"""Drills: what a web tier's template would do when something goes wrong, minute by minute.

`python -m webtier.drill --help`. The parts, each of which imports only those before it:

| module | what it holds |
|---|---|
| `tier`, `reading` | what the drills need to know of a template; read from its JSON |
| `assumptions` | what no template says: times, rates, shares, each with its source |
| `queueing` | how long requests wait and how many are turned away |
| `fleet`, `traffic` | instances and their health; where requests go and what becomes of them |
| `scaling`, `deployment` | target tracking; a rolling update |
| `metrics`, `alarms` | the CloudWatch data of it, and what the template's alarms make of that |
| `run`, `disk` | a run of all this by the second; the database's disk, by the minute |
| `drills`, `promises`, `remedies` | what goes wrong; what must hold; what to change where not |
| `outcome`, `report`, `plot` | all of it together, as values, text, JSON and drawings |
| `page`, `cli` | the documentation, the command |
"""
