"""The emergency exit: it decides nothing, and stands when everything else is broken."""
