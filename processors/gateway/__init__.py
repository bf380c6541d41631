"""Messaging Gateway to the models: journal, price, limits, one call, usage, ledger."""
