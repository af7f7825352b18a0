"""Stand-ins for Signalman's neighbours, to try everything without an account.

Only tests, benchmarks and `python -m bot testdrive` import this package; nothing of the
service does, and it is no part of what is installed. A stand-in follows its vendor's
documents, never the bot's wishes, and imports nothing from `bot`.
"""
