"""The portal against a plain model of who owns what (SECURITY RE-11): families in several browsers and tabs,
staff, time and restarts."""
