"""What travels through the crawler?

Five nouns, one way: a `Link` found somewhere becomes a `Job` that may be fetched now; the network
answers with a `Reply`, whose meaning is a `Document`; all of one attempt is a `Visit`, one line of
history. All are frozen, and all but the body of a reply cross process borders as msgpack.
"""

from crawler.model.document import Document, SitemapEntry
from crawler.model.job import Job, Kind
from crawler.model.links import Distinct, Link, LinkColumns, Target, worth_keeping
from crawler.model.logins import Form, LoginPage, LoginStep
from crawler.model.permits import Answer, Ask, Fetched, Grant, Learnt, Question, Refusal
from crawler.model.rendering import Need, Picture, Rendering, Said
from crawler.model.reply import NOTHING_ELSE, NOTHING_YET, Doubt, Reply
from crawler.model.stats import MachineState, Stats
from crawler.model.visit import Visit

__all__ = [
    "NOTHING_ELSE",
    "NOTHING_YET",
    "Answer",
    "Ask",
    "Distinct",
    "Document",
    "Doubt",
    "Fetched",
    "Form",
    "Grant",
    "Job",
    "Kind",
    "Learnt",
    "Link",
    "LinkColumns",
    "LoginPage",
    "LoginStep",
    "MachineState",
    "Need",
    "Picture",
    "Question",
    "Refusal",
    "Rendering",
    "Reply",
    "Said",
    "SitemapEntry",
    "Stats",
    "Target",
    "Visit",
    "worth_keeping",
]
