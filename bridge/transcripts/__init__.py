"""Transcripts: read in the forms that programs write, cleaned so that it can be undone, cut into packs of whole turns,
and put before a model.

Nothing is imported here: a reader of subtitles needs no model.
"""
