"""Pictures of the architectures, drawn from the templates and apps that deploy them.

    read (resources, chalice_apps) → a Picture (webtier, image_api, …) → positions (layout)
    → SVG, PNG and diagrams.net (svg, png, drawio)

Nothing in a picture is written down twice: what is drawn, how many of it and what leads where comes
from the resources, the roles' policies and the routes. What a picture leaves out it counts.
"""
