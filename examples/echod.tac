"""
echod as an application file, where a .tac file is what you deploy.

    twistd -ny examples/echod.tac

ECHO_PORT names another port than 65432. Add more services to ``application`` to run
them in the same process.
"""

import os

from twisted.application.service import Application
from twisted.internet import reactor

from echod import Settings, make_service

settings = Settings(port=os.environ.get("ECHO_PORT", "65432"))

application = Application("echod")
make_service(settings, reactor).setServiceParent(application)
