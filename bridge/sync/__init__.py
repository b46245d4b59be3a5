"""Carrying records to a server and answers back."""
