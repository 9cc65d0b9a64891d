"""Makes the standard library cooperative; must be the first import of a process that crawls."""

from gevent import monkey

monkey.patch_all()
