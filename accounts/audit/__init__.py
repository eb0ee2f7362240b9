"""Who did what, when, from where, with what outcome. One table, one function: `record`."""

from accounts.audit.events import Action, record

__all__ = ["Action", "record"]
