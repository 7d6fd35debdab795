"""What happened, as figures: attribution, metrics and acceptance, from a track."""
