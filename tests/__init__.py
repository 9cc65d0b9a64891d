"""Does the crawler keep its rules?"""
