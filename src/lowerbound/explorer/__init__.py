"""The explorer: a trained model's latent space in the browser, served on this machine.

    atlas     what there is to see: codes of data, planes through the latent space, its dimensions
    desk      what a visitor may ask of the model: decode, read a datum, score it, paint it
    server    the routes
    guard     who is let in, and how large what they bring may be
    serving   the socket, and the loop

The page itself is in `static/`: plain HTML, CSS and JavaScript modules, with nothing from elsewhere.
"""

from lowerbound.explorer.atlas import Atlas, chart
from lowerbound.explorer.desk import Desk
from lowerbound.explorer.server import application
from lowerbound.explorer.serving import listen, server

__all__ = ["Atlas", "Desk", "application", "chart", "listen", "server"]
