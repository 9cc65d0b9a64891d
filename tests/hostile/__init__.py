"""Does a crawl through the hostile web end as it should, and do good hosts not suffer?"""
