"""The dashboard: a page at `/dashboard` that shows queues, and the JSON routes that it asks.

It looks at any queue that the settings name, and knows nothing of videos. What changes something
is off unless a setting turns it on, and then takes requests of its own page only.
"""
